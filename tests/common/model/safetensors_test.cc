#include "common/model/safetensors.h"

#include <cmath>

#include <gtest/gtest.h>

#include "common/storage/atomic_file.h"
#include "tests/temporary_directory.h"

namespace sotto {
namespace {

const std::filesystem::path kSeeds = SOTTO_SOURCE_DIR "/tests/vectors/safetensors";

FlatParameters loaded(const std::string& seed) {
  auto out = read_safetensors(kSeeds / (seed + ".safetensors"));
  SOTTO_CHECK(out.ok(), out.error().message);
  return std::move(out).value();
}

TEST(Safetensors, EveryMalformedSeedIsRefused) {
  int refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kSeeds)) {
    if (!entry.path().filename().string().starts_with("bad_")) continue;
    const auto read = read_safetensors(entry.path());
    ASSERT_FALSE(read.ok()) << entry.path();
    EXPECT_NE(read.error().message.find(entry.path().filename()), std::string::npos);
    ++refused;
  }
  EXPECT_EQ(refused, 24);
}

TEST(Safetensors, RefusesForTheRightReason) {
  const auto why = [](const std::string& seed) {
    return read_safetensors(kSeeds / (seed + ".safetensors")).error().message;
  };
  EXPECT_NE(why("bad_duplicate_key").find("tensor a: the name occurs twice"), std::string::npos);
  EXPECT_NE(why("bad_missing_field").find("tensor a: needs dtype"), std::string::npos);
  EXPECT_NE(why("bad_offsets_hole").find("a hole or an overlap"), std::string::npos);
  EXPECT_NE(why("bad_shape_overflow").find("too large"), std::string::npos);
  EXPECT_NE(why("bad_unknown_dtype").find("type is unknown"), std::string::npos);
  EXPECT_NE(why("bad_shape_mismatch").find("do not fit its shape"), std::string::npos);
  EXPECT_NE(why("bad_trailing_bytes").find("cover 4 bytes"), std::string::npos);
}

TEST(Safetensors, EveryWellFormedSeedIsTakenApart) {
  int taken = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kSeeds)) {
    if (!entry.path().filename().string().starts_with("ok_")) continue;
    const Bytes bytes = storage::read_file(entry.path(), 1 << 20).value();
    EXPECT_TRUE(parse_safetensors(bytes).ok()) << entry.path();
    ++taken;
  }
  EXPECT_EQ(taken, 7);
}

TEST(Safetensors, HalfPrecisionConvertsAndOtherTypesAreNamed) {
  const Bytes bytes =
      storage::read_file(kSeeds / "ok_bf16_f16_i64_u8_bool.safetensors", 1000).value();
  const auto tensors = parse_safetensors(bytes).value();
  ASSERT_EQ(tensors.size(), 5U);
  EXPECT_EQ(floats_of(tensors[0]).value(), (std::vector<float>{1, -2}));
  EXPECT_EQ(floats_of(tensors[1]).value(), (std::vector<float>{1, -2}));
  EXPECT_EQ(tensors[3].shape, (std::vector<std::int64_t>{3}));
  EXPECT_EQ(tensors[3].data[2], 3);
  for (const auto& [tensor, text] : {std::pair{2, "tensor i: its type is I64"},
                                     {3, "tensor u: its type is U8"},
                                     {4, "tensor t: its type is BOOL"}}) {
    const auto values = floats_of(tensors[static_cast<std::size_t>(tensor)]);
    ASSERT_FALSE(values.ok());
    EXPECT_NE(values.error().message.find(text), std::string::npos) << values.error().message;
  }
  EXPECT_FALSE(read_safetensors(kSeeds / "ok_bf16_f16_i64_u8_bool.safetensors").ok());
}

/// The values of 16-bit words in a file of their own.
std::vector<float> halves(const std::string& dtype, const std::vector<std::uint16_t>& words) {
  const std::string header = R"({"x":{"dtype":")" + dtype + R"(","shape":[)" +
                             std::to_string(words.size()) + R"(],"data_offsets":[0,)" +
                             std::to_string(2 * words.size()) + "]}}";
  ByteWriter file;
  file.u64(header.size());
  file.bytes(view_of(header));
  for (const std::uint16_t w : words)
    file.u16(w);
  return floats_of(parse_safetensors(file.view()).value()[0]).value();
}

TEST(Safetensors, HalfPrecisionConvertsWithoutLoss) {
  // IEEE 754-2008 binary16: smallest subnormal, largest subnormal, smallest normal, largest.
  EXPECT_EQ(halves("F16", {0x0001, 0x03FF, 0x0400, 0x7BFF, 0x8000, 0xFC00, 0x3555}),
            (std::vector<float>{0x1p-24F, 0x1p-14F - 0x1p-24F, 0x1p-14F, 65504, -0.0F, -INFINITY,
                                0x1.554p-2F}));
  EXPECT_TRUE(std::signbit(halves("F16", {0x8000})[0]));
  EXPECT_TRUE(std::isnan(halves("F16", {0x7E00})[0]));
  EXPECT_EQ(halves("BF16", {0x3F81, 0x7F7F, 0x0001, 0xFF80}),
            (std::vector<float>{1.0078125F, 0x1.FEp127F, 0x1p-133F, -INFINITY}));
  EXPECT_TRUE(std::isnan(halves("BF16", {0x7FC0})[0]));
}

/// The values of a file that is written in a smaller type.
std::vector<float> rounded_to(FloatType type, const std::vector<float>& values) {
  const TemporaryDirectory folder;
  const FlatParameters x{{{"x", {static_cast<std::int64_t>(values.size())}}}, values};
  const Status written = write_safetensors(folder / "f.safetensors", x, {}, type);
  if (!written.ok()) return {};
  return read_safetensors(folder / "f.safetensors").value().values;
}

TEST(Safetensors, SmallerTypesRoundToTheNearestValueAndOfTwoToTheEvenOne) {
  EXPECT_EQ(rounded_to(FloatType::kBFloat16, {1, 0x1.01p0F, 0x1.03p0F, 0x1.0101p0F, -0x1.FFp5F}),
            (std::vector<float>{1, 1, 0x1.04p0F, 0x1.02p0F, -0x1p6F}));
  EXPECT_EQ(rounded_to(FloatType::kFloat16, {1, 0x1.002p0F, 0x1.006p0F, 0x1.00201p0F, 65504, -65519,
                                             0x1p-24F, 0x1p-25F, 0x1.8p-24F, 0x1.FFFp-15F}),
            (std::vector<float>{1, 1, 0x1.008p0F, 0x1.004p0F, 65504, -65504, 0x1p-24F, 0, 0x1p-23F,
                                0x1p-14F}));
}

TEST(Safetensors, AValueThatASmallerTypeLacksIsNamed) {
  const TemporaryDirectory folder;
  const auto why = [&](FloatType type, float value) {
    const FlatParameters x{{{"a", {1}}, {"b", {2}}}, {1, 2, value}};
    const Status written = write_safetensors(folder / "f.safetensors", x, {}, type);
    return written.ok() ? "" : written.error().message;
  };
  EXPECT_NE(why(FloatType::kFloat16, 65520).find("tensor b: value 1 has no finite float16"),
            std::string::npos);
  EXPECT_EQ(why(FloatType::kBFloat16, 65520), "");
  EXPECT_NE(why(FloatType::kBFloat16, 0x1.FFFFFEp127F).find("bfloat16"), std::string::npos);
  EXPECT_NE(why(FloatType::kBFloat16, INFINITY), "");
  EXPECT_NE(why(FloatType::kFloat16, NAN), "");
}

TEST(Safetensors, TensorsAreViewsOfTheFileAndNotCopies) {
  const Bytes bytes = storage::read_file(kSeeds / "ok_two_meta.safetensors", 1000).value();
  const auto tensors = parse_safetensors(bytes).value();
  EXPECT_EQ(tensors[1].data.data() + tensors[1].data.size(), bytes.data() + bytes.size());
}

TEST(Safetensors, WhatItsWriterNotedIsRead) {
  const auto notes = [](const char* seed) {
    return safetensors_metadata(storage::read_file(kSeeds / seed, 1000).value());
  };
  EXPECT_EQ(notes("ok_two_meta.safetensors").value(),
            (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_TRUE(notes("ok_one_f32.safetensors").value().empty());
  EXPECT_FALSE(notes("bad_metadata_not_string.safetensors").ok());
}

TEST(Safetensors, WellFormedSeedsLoad) {
  EXPECT_TRUE(loaded("ok_empty").layout.empty());
  EXPECT_EQ(loaded("ok_one_f32").values, (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(loaded("ok_scalar").values, (std::vector<float>{7}));
  EXPECT_EQ(loaded("ok_space_padded").values, (std::vector<float>{1}));
  EXPECT_EQ(loaded("ok_zero_size").layout[0].shape, (std::vector<std::int64_t>{0, 3}));
}

TEST(Safetensors, TheLayoutFollowsTheData) {
  const FlatParameters read = loaded("ok_two_meta");
  ASSERT_EQ(read.layout.size(), 2U);
  EXPECT_EQ(read.layout[0], (ParameterShape{"b.weight", {2, 2}}));
  EXPECT_EQ(read.layout[1], (ParameterShape{"b.bias", {2}}));
  EXPECT_EQ(read.values, (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(Safetensors, NonFiniteValuesAreFoundByTheirPlace) {
  const FlatParameters read = loaded("values_nan_inf");
  EXPECT_TRUE(std::isnan(read.values[0]));
  EXPECT_EQ(first_non_finite(read.values), 0U);
  EXPECT_EQ(first_non_finite(std::vector<float>{1, 2, INFINITY}), 2U);
  EXPECT_EQ(first_non_finite(loaded("ok_one_f32").values), std::nullopt);
}

TEST(Safetensors, WriteAndReadAreInverse) {
  const TemporaryDirectory directory;
  const FlatParameters original{
      .layout = {{"z", {2, 3}}, {"a \"quoted\"\n", {1}}, {"empty", {0, 5}}, {"scalar", {}}},
      .values = {1, -2, 3.5F, 1e-45F, 3e38F, 0, -0.0F, 9}};
  const auto file = directory / "m.safetensors";
  ASSERT_TRUE(write_safetensors(file, original, {{"format", "sotto"}}).ok());
  const auto read = read_safetensors(file);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->hash(), original.hash());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const TemporaryDirectory directory;
  const Bytes whole = storage::read_file(kSeeds / "ok_two_meta.safetensors", 1000).value();
  const auto file = directory / "cut";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    ASSERT_TRUE(storage::write_file_atomically(file, {BytesView(whole).first(size)},
                                               storage::FileAccess::kOwnerOnly)
                    .ok());
    EXPECT_FALSE(read_safetensors(file).ok()) << size;
  }
}

TEST(Safetensors, AMissingFileIsAnError) {
  EXPECT_FALSE(read_safetensors(kSeeds / "none.safetensors").ok());
  EXPECT_FALSE(read_safetensors(kSeeds).ok());
}

TEST(Safetensors, NamesThatAreNotTextAreRefusedOnWriting) {
  const TemporaryDirectory directory;
  const FlatParameters bad{.layout = {{"\xff", {}}}, .values = {1}};
  EXPECT_FALSE(write_safetensors(directory / "m", bad, {}).ok());
}

}  // namespace
}  // namespace sotto
