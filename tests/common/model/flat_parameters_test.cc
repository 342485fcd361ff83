#include "common/model/flat_parameters.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace sotto {
namespace {

FlatParameters example() {
  return {.layout = {{"layer.weight", {2, 2}}, {"layer.bias", {2}}, {"scale", {}}},
          .values = {1, 2, 3, 4, 5, 6, 7}};
}

TEST(FlatParameters, EncodeAndDecodeAreInverse) {
  const FlatParameters original = example();
  const auto read = decode_parameters(encode_parameters(original));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->layout, original.layout);
  EXPECT_EQ(read->values, original.values);
  EXPECT_EQ(read->hash(), original.hash());
}

// BLAKE2b-256 of the canonical bytes, computed with Python's hashlib.
TEST(FlatParameters, HashIsFrozen) {
  EXPECT_EQ(to_hex(example().hash()),
            "c9d969746e31d31d69a5328e73ebec40ae1a547a9139d157c096d0bf1a8a9fa0");
}

TEST(FlatParameters, HashDependsOnNamesShapesAndValues) {
  const Bytes32 hash = example().hash();
  FlatParameters changed = example();
  changed.layout[0].name = "layer.weighs";
  EXPECT_NE(changed.hash(), hash);
  changed = example();
  changed.layout[0].shape = {4};
  EXPECT_NE(changed.hash(), hash);
  changed = example();
  changed.values[6] = 8;
  EXPECT_NE(changed.hash(), hash);
}

TEST(FlatParameters, EveryTruncationIsRefused) {
  const Bytes bytes = encode_parameters(example());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_parameters(BytesView(bytes).first(size)).ok()) << size;
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(decode_parameters(longer).ok());
}

TEST(FlatParameters, ValuesUpToTheLargestMagnitudeAreChecked) {
  FlatParameters parameters = example();
  parameters.values[1] = kMaxParameterMagnitude;
  parameters.values[5] = -kMaxParameterMagnitude;
  EXPECT_TRUE(check_values(parameters).ok());
  parameters.values[5] = std::nextafter(-kMaxParameterMagnitude, -2e6F);
  EXPECT_EQ(check_values(parameters).error().message,
            "a value of layer.bias has a magnitude above 2^20");
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    parameters.values[5] = bad;
    EXPECT_EQ(check_values(parameters).error().message, "a value of layer.bias is not finite");
  }
  parameters.layout.clear();
  EXPECT_EQ(check_values(parameters).error().message, "value 5 is not finite");
}

TEST(FlatParameters, RefusesNonFiniteValues) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    FlatParameters parameters = example();
    parameters.values[3] = bad;
    EXPECT_FALSE(decode_parameters(encode_parameters(parameters)).ok());
  }
}

TEST(FlatParameters, RefusesShapesThatLie) {
  for (const std::vector<std::int64_t>& shape : std::vector<std::vector<std::int64_t>>{
           {-1}, {3, 3}, {std::int64_t{1} << 32, std::int64_t{1} << 32}, {0}}) {
    FlatParameters parameters = example();
    parameters.layout[0].shape = shape;
    EXPECT_FALSE(decode_parameters(encode_parameters(parameters)).ok());
  }
  FlatParameters twice = example();
  twice.layout[1].name = twice.layout[0].name;
  EXPECT_FALSE(decode_parameters(encode_parameters(twice)).ok());
}

}  // namespace
}  // namespace sotto
