#include "common/model/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "common/base/stand_in.h"
#include "common/storage/atomic_file.h"
#include "common/storage/mapped_file.h"

namespace sotto {

namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr std::string_view kMetadataKey = "__metadata__";

struct Dtype {
  std::string_view name;
  std::uint64_t bytes;
};

constexpr std::array<Dtype, 16> kDtypes = {{{"BOOL", 1},
                                            {"U8", 1},
                                            {"I8", 1},
                                            {"F8_E5M2", 1},
                                            {"F8_E4M3", 1},
                                            {"I16", 2},
                                            {"U16", 2},
                                            {"F16", 2},
                                            {"BF16", 2},
                                            {"I32", 4},
                                            {"U32", 4},
                                            {"F32", 4},
                                            {"F64", 8},
                                            {"I64", 8},
                                            {"U64", 8},
                                            {"C64", 8}}};

struct TensorEntry {
  std::string name;
  std::string dtype;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<std::vector<std::uint64_t>> offsets;
};

struct Header {
  std::vector<TensorEntry> entries;
  std::map<std::string, std::string> metadata;
};

/// HeaderReader processes the header while it is parsed. It knows depth, key and type at every
/// token, so that it never builds a structure that is deeper or larger than the format permits.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  [[nodiscard]] Header take() { return std::move(header_); }

  [[nodiscard]] const std::string& problem() const { return problem_; }

  bool start_object(std::size_t) override {
    if (in_array_ || depth_ == 2 || (depth_ == 1 && key_.empty())) return unexpected("an object");
    if (++depth_ == 2) {
      metadata_ = tensor_name_ == kMetadataKey;
      if (!metadata_) header_.entries.push_back({.name = tensor_name_});
      fields_.clear();
    }
    return true;
  }

  bool key(std::string& name) override {
    key_ = depth_ == 1 ? "tensor" : name;
    if (depth_ == 1) {
      tensor_name_ = name;
      return names_.insert(name).second || fail("the name occurs twice");
    }
    if (!fields_.insert(name).second) return fail("the field " + name + " occurs twice");
    if (metadata_ || name == "dtype" || name == "shape" || name == "data_offsets") return true;
    return fail("unknown field " + name);
  }

  bool end_object() override {
    --depth_;
    if (depth_ == 1 && !metadata_ && fields_.size() != 3)
      return fail("needs dtype, shape and data_offsets");
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_array_ || metadata_ || key_ == "dtype") return unexpected("an array");
    in_array_ = true;
    list().emplace();
    return true;
  }

  bool end_array() override {
    in_array_ = false;
    return true;
  }

  bool string(std::string& text) override {
    if (depth_ != 2 || in_array_ || (!metadata_ && key_ != "dtype")) return unexpected("a string");
    (metadata_ ? header_.metadata[key_] : header_.entries.back().dtype) = text;
    return true;
  }

  bool number_unsigned(std::uint64_t number) override {
    if (!in_array_) return unexpected("a number");
    list()->push_back(number);
    return list()->size() <= 8 || fail("more than 8 dimensions");
  }

  bool number_integer(std::int64_t) override { return unexpected("a negative number"); }

  bool number_float(double, const std::string&) override { return unexpected("a fraction"); }

  bool null() override { return unexpected("null"); }

  bool boolean(bool) override { return unexpected("a boolean"); }

  bool binary(nlohmann::json::binary_t&) override { return unexpected("binary data"); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    return fail("not JSON at byte " + std::to_string(position));
  }

 private:
  std::optional<std::vector<std::uint64_t>>& list() {
    TensorEntry& entry = header_.entries.back();
    return key_ == "shape" ? entry.shape : entry.offsets;
  }

  bool unexpected(const std::string& what) { return fail(what + " where none belongs"); }

  bool fail(const std::string& what) {
    problem_ = tensor_name_.empty() ? what : "tensor " + tensor_name_.substr(0, 200) + ": " + what;
    return false;
  }

  Header header_;
  std::set<std::string> names_;
  std::set<std::string> fields_;
  std::string tensor_name_;
  std::string key_;
  std::string problem_;
  int depth_ = 0;
  bool metadata_ = false;
  bool in_array_ = false;
};

Error bad_tensor(const std::string& name, const std::string& what) {
  return Error{"tensor " + name.substr(0, 200) + ": " + what};
}

/// Returns a view of an entry's values in `data`.
Result<TensorView> view_in(const TensorEntry& entry, BytesView data) {
  const auto* dtype = std::find_if(kDtypes.begin(), kDtypes.end(),
                                   [&entry](const Dtype& d) { return d.name == entry.dtype; });
  if (dtype == kDtypes.end()) return bad_tensor(entry.name, "its type is unknown");
  TensorView out{.name = entry.name, .dtype = entry.dtype};
  for (const std::uint64_t extent : *entry.shape) {
    if (extent > kMaxElements) return bad_tensor(entry.name, "its shape is too large");
    out.shape.push_back(static_cast<std::int64_t>(extent));
  }
  const std::optional<std::uint64_t> count = element_count(out.shape);
  if (!count) return bad_tensor(entry.name, "its shape is too large");
  const auto& offsets = *entry.offsets;
  if (offsets.size() != 2 || offsets[0] > offsets[1])
    return bad_tensor(entry.name, "data_offsets must be a begin and an end");
  if (offsets[1] - offsets[0] != dtype->bytes * *count)
    return bad_tensor(entry.name, "its data_offsets do not fit its shape");
  if (offsets[1] > data.size())
    return bad_tensor(entry.name, "its data_offsets are past the end of the file");
  out.data = data.subspan(offsets[0], offsets[1] - offsets[0]);
  return out;
}

/// Returns the views in the order of the data. Fails unless they cover the data without holes and
/// overlaps.
Result<std::vector<TensorView>> views_of(const std::vector<TensorEntry>& entries, BytesView data) {
  std::vector<TensorView> views;
  for (const TensorEntry& entry : entries) {
    SOTTO_ASSIGN_OR_RETURN(TensorView view, view_in(entry, data));
    views.push_back(std::move(view));
  }
  const auto begin_of = [data](const TensorView& v) { return v.data.data() - data.data(); };
  std::stable_sort(views.begin(), views.end(), [&](const TensorView& a, const TensorView& b) {
    return std::pair(begin_of(a), !a.data.empty()) < std::pair(begin_of(b), !b.data.empty());
  });
  std::size_t end = 0;
  for (const TensorView& view : views) {
    if (static_cast<std::size_t>(begin_of(view)) != end)
      return bad_tensor(view.name, "a hole or an overlap");
    end += view.data.size();
  }
  if (end != data.size())
    return Error{"the tensors cover " + std::to_string(end) + " bytes, the file has " +
                 std::to_string(data.size())};
  return views;
}

/// Returns the header: the bytes between its length and the data.
Result<BytesView> header_in(BytesView file) {
  const std::uint64_t bytes = file.size() < 8 ? 0 : ByteReader(file).u64();
  if (file.size() >= 8 && bytes <= kMaxHeaderBytes && bytes <= file.size() - 8)
    return file.subspan(8, bytes);
  if (std::string other = stand_in(file); !other.empty()) return Error{std::move(other)};
  if (file.size() < 8) return Error{"shorter than eight bytes"};
  return Error{"the header length " + std::to_string(bytes) + " is past the end or the limit"};
}

Result<Header> parse_header(BytesView header) {
  if (header.empty() || header.front() != '{') return Error{"the header does not begin with {"};
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(header.begin(), header.end(), &reader))
    return Error{"header: " + reader.problem()};
  return reader.take();
}

template <class Word, class Convert>
void append_converted(std::vector<float>& out, BytesView data, Convert convert) {
  for (std::size_t at = 0; at + sizeof(Word) <= data.size(); at += sizeof(Word)) {
    Word word;  // copied because the data need not be aligned
    std::memcpy(&word, data.data() + at, sizeof word);
    out.push_back(convert(word));
  }
}

float float_of_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16U);
}

/// Converts IEEE 754 binary16: 1 bit sign, 5 bits exponent (bias 15), 10 bits fraction.
float float_of_f16(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000U} << 16U;
  const std::uint32_t exponent = (bits >> 10U) & 0x1FU, fraction = bits & 0x3FFU;
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24, exact in float32
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 0x1FU ? 0xFFU : exponent + 127 - 15;
  return std::bit_cast<float>(sign | wide << 23U | fraction << 13U);
}

/// Appends the values to `out`, with the errors of floats_of().
Status append_floats(std::vector<float>& out, const TensorView& tensor) {
  out.reserve(out.size() + *element_count(tensor.shape));
  if (tensor.dtype == "F32")
    append_converted<float>(out, tensor.data, [](float value) { return value; });
  else if (tensor.dtype == "BF16")
    append_converted<std::uint16_t>(out, tensor.data, float_of_bf16);
  else if (tensor.dtype == "F16")
    append_converted<std::uint16_t>(out, tensor.data, float_of_f16);
  else
    return bad_tensor(tensor.name,
                      "its type is " + tensor.dtype + "; only F32, F16 and BF16 hold weights");
  return {};
}

struct TypeName {
  FloatType type;
  std::string_view name, stored;  // in config.json and in a safetensors file
  std::uint64_t bytes;
};

constexpr std::array<TypeName, 3> kTypes{{{FloatType::kFloat32, "float32", "F32", 4},
                                          {FloatType::kBFloat16, "bfloat16", "BF16", 2},
                                          {FloatType::kFloat16, "float16", "F16", 2}}};

const TypeName& names_of(FloatType type) {
  return kTypes[static_cast<std::size_t>(type)];
}

std::string make_header(const FlatParameters& parameters,
                        const std::map<std::string, std::string>& metadata, FloatType type) {
  auto header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(kMetadataKey)] = metadata;
  const std::uint64_t bytes = names_of(type).bytes;
  std::uint64_t at = 0;
  for (const ParameterShape& tensor : parameters.layout) {
    const std::uint64_t end = at + bytes * tensor.count();
    header[tensor.name] = {
        {"dtype", names_of(type).stored}, {"shape", tensor.shape}, {"data_offsets", {at, end}}};
    at = end;
  }
  SOTTO_CHECK(at == bytes * parameters.values.size(), "the values do not fit the layout");
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // so that the data is aligned
  return text;
}

/// Drops the last `bits` bits and rounds to the nearest, of two equally near to the even one.
std::uint32_t rounded(std::uint32_t value, unsigned bits) {
  const std::uint32_t half = 1U << (bits - 1), odd = (value >> bits) & 1U;
  return (value + half - 1 + odd) >> bits;
}

std::uint16_t bf16_of(float value) {
  return static_cast<std::uint16_t>(rounded(std::bit_cast<std::uint32_t>(value), 16));
}

/// Returns IEEE 754 binary16. A finite value that is too large becomes infinity.
std::uint16_t f16_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16U) & 0x8000U, magnitude = bits & 0x7FFFFFFFU;
  constexpr std::uint32_t kLeastNormal = 113U << 23U;  // 2^-14
  constexpr std::uint32_t kBias = 112U << 23U;         // 127 - 15
  if (magnitude < kLeastNormal) {  // subnormal: a multiple of 2^-24, to which rint() rounds
    const float steps = std::nearbyint(std::bit_cast<float>(magnitude) * 0x1p24F);
    return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(steps));
  }
  return static_cast<std::uint16_t>(sign | std::min(rounded(magnitude - kBias, 13), 0x7C00U));
}

/// Returns the values in one of the smaller types.
Result<std::vector<std::uint16_t>> halves_of(const FlatParameters& parameters, FloatType type) {
  std::vector<std::uint16_t> out;
  out.reserve(parameters.values.size());
  const std::uint16_t infinity = type == FloatType::kFloat16 ? 0x7C00 : 0x7F80;
  auto at = parameters.values.begin();
  for (const ParameterShape& tensor : parameters.layout)
    for (std::size_t i = 0; i < tensor.count(); ++i, ++at) {
      out.push_back(type == FloatType::kFloat16 ? f16_of(*at) : bf16_of(*at));
      if (!std::isfinite(*at) || (out.back() & 0x7FFFU) >= infinity)
        return bad_tensor(tensor.name, "value " + std::to_string(i) + " has no finite " +
                                           std::string(name_of(type)));
    }
  return out;
}

}  // namespace

Result<std::vector<TensorView>> parse_safetensors(BytesView file) {
  SOTTO_ASSIGN_OR_RETURN(const BytesView bytes, header_in(file));
  SOTTO_ASSIGN_OR_RETURN(const Header header, parse_header(bytes));
  return views_of(header.entries, file.subspan(8 + bytes.size()));
}

Result<std::map<std::string, std::string>> safetensors_metadata(BytesView file) {
  SOTTO_ASSIGN_OR_RETURN(const BytesView bytes, header_in(file));
  SOTTO_ASSIGN_OR_RETURN(Header header, parse_header(bytes));
  return std::move(header.metadata);
}

Result<std::vector<float>> floats_of(const TensorView& tensor) {
  std::vector<float> out;
  SOTTO_TRY(append_floats(out, tensor));
  return out;
}

Result<FlatParameters> read_safetensors(const std::filesystem::path& file) {
  const auto refused = [&](const std::string& why) { return Error{file.string() + ": " + why}; };
  SOTTO_ASSIGN_OR_RETURN(const storage::MappedFile mapped, storage::MappedFile::open(file));
  const auto tensors = parse_safetensors(mapped.bytes());
  if (!tensors.ok()) return refused(tensors.error().message);
  FlatParameters out;
  std::uint64_t total = 0;
  for (const TensorView& tensor : *tensors)
    total += *element_count(tensor.shape);
  out.values.reserve(total);  // memory: one copy of the model, and the pages of one tensor
  for (const TensorView& tensor : *tensors) {
    if (Status read = append_floats(out.values, tensor); !read.ok())
      return refused(read.error().message);
    out.layout.push_back({tensor.name, tensor.shape});
    mapped.forget_pages();
  }
  return out;
}

std::optional<FloatType> float_type_named(std::string_view name) {
  const auto* const found = std::ranges::find(kTypes, name, &TypeName::name);
  if (found == kTypes.end()) return std::nullopt;
  return found->type;
}

std::string_view name_of(FloatType type) {
  return names_of(type).name;
}

Status write_safetensors(const std::filesystem::path& file, const FlatParameters& parameters,
                         const std::map<std::string, std::string>& metadata, FloatType type) {
  std::string header;
  try {
    header = make_header(parameters, metadata, type);
  } catch (const nlohmann::json::exception&) {
    return Error{file.string() + ": a tensor name or the metadata is not UTF-8"};
  }
  std::vector<std::uint16_t> halves;
  if (type != FloatType::kFloat32) {
    Result<std::vector<std::uint16_t>> made = halves_of(parameters, type);
    if (!made) return Error{file.string() + ": " + made.error().message};
    halves = std::move(made).value();
  }
  const BytesView data =
      type == FloatType::kFloat32
          ? bytes_of(parameters.values)
          : BytesView{reinterpret_cast<const std::uint8_t*>(halves.data()), 2 * halves.size()};
  ByteWriter length;
  length.u64(header.size());
  return storage::write_file_atomically(file, {length.view(), view_of(header), data},
                                        storage::FileAccess::kEveryoneReads);
}

}  // namespace sotto
