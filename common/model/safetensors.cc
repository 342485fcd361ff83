#include "common/model/safetensors.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <set>

#include <nlohmann/json.hpp>

#include "common/journal/atomic_file.h"

namespace sotto {

namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr std::string_view kMetadataKey = "__metadata__";
constexpr std::array<std::string_view, 15> kOtherDtypes = {
    "BOOL", "U8",  "I8",  "F8_E5M2", "F8_E4M3", "I16", "U16", "F16",
    "BF16", "I32", "U32", "F64",     "I64",     "U64", "C64"};

struct TensorEntry {
  std::string name;
  std::string dtype;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<std::vector<std::uint64_t>> offsets;
};

/// Takes the header apart as it is parsed: depth, key and type are known at every token, so nothing
/// deeper or larger than the format allows is ever built.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  [[nodiscard]] std::vector<TensorEntry> take_entries() { return std::move(entries_); }

  [[nodiscard]] const std::string& problem() const { return problem_; }

  bool start_object(std::size_t) override {
    if (in_array_ || depth_ == 2 || (depth_ == 1 && key_.empty())) return unexpected("an object");
    if (++depth_ == 2) {
      metadata_ = tensor_name_ == kMetadataKey;
      if (!metadata_)
        entries_.push_back({.name = tensor_name_, .dtype = {}, .shape = {}, .offsets = {}});
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
    (key_ == "shape" ? entries_.back().shape : entries_.back().offsets).emplace();
    return true;
  }

  bool end_array() override {
    in_array_ = false;
    return true;
  }

  bool string(std::string& text) override {
    if (depth_ != 2 || in_array_ || (!metadata_ && key_ != "dtype")) return unexpected("a string");
    if (!metadata_) entries_.back().dtype = text;
    return true;
  }

  bool number_unsigned(std::uint64_t number) override {
    if (!in_array_) return unexpected("a number");
    auto& list = *(key_ == "shape" ? entries_.back().shape : entries_.back().offsets);
    list.push_back(number);
    return list.size() <= 8 || fail("more than 8 dimensions");
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
  bool unexpected(const std::string& what) { return fail(what + " where none belongs"); }

  bool fail(const std::string& what) {
    problem_ = tensor_name_.empty() ? what : "tensor " + tensor_name_.substr(0, 200) + ": " + what;
    return false;
  }

  std::vector<TensorEntry> entries_;
  std::set<std::string> names_;
  std::set<std::string> fields_;
  std::string tensor_name_;
  std::string key_;
  std::string problem_;
  int depth_ = 0;
  bool metadata_ = false;
  bool in_array_ = false;
};

Error bad_tensor(const TensorEntry& entry, const std::string& what) {
  return Error{"tensor " + entry.name.substr(0, 200) + ": " + what};
}

Result<ParameterShape> shape_of(const TensorEntry& entry) {
  if (entry.dtype != "F32") {
    const bool known =
        std::find(kOtherDtypes.begin(), kOtherDtypes.end(), entry.dtype) != kOtherDtypes.end();
    return bad_tensor(entry, known ? "its type is " + entry.dtype + ", only F32 can be loaded"
                                   : "its type is unknown");
  }
  ParameterShape out{.name = entry.name, .shape = {}};
  for (const std::uint64_t extent : *entry.shape) {
    if (extent > kMaxElements) return bad_tensor(entry, "its shape is too large");
    out.shape.push_back(static_cast<std::int64_t>(extent));
  }
  const std::optional<std::uint64_t> count = element_count(out.shape);
  if (!count) return bad_tensor(entry, "its shape is too large");
  const auto& offsets = *entry.offsets;
  if (offsets.size() != 2 || offsets[0] > offsets[1])
    return bad_tensor(entry, "data_offsets must be a begin and an end");
  if (offsets[1] - offsets[0] != 4 * *count)
    return bad_tensor(entry, "its data_offsets do not fit its shape");
  return out;
}

/// The layout in the order of the data, which must be covered without holes and overlaps.
Result<std::vector<ParameterShape>> layout_of(std::vector<TensorEntry> entries,
                                              std::uint64_t data_bytes) {
  std::vector<std::pair<std::uint64_t, ParameterShape>> placed;
  for (const TensorEntry& entry : entries) {
    Result<ParameterShape> shape = shape_of(entry);
    if (!shape.ok()) return shape.error();
    placed.emplace_back((*entry.offsets)[0], std::move(shape).value());
  }
  std::stable_sort(placed.begin(), placed.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first, a.second.count() != 0) < std::pair(b.first, b.second.count() != 0);
  });
  std::vector<ParameterShape> layout;
  std::uint64_t end = 0;
  for (auto& [begin, shape] : placed) {
    if (begin != end)
      return Error{"tensor " + shape.name.substr(0, 200) + ": a hole or an overlap"};
    end += 4 * shape.count();
    layout.push_back(std::move(shape));
  }
  if (end != data_bytes)
    return Error{"the tensors cover " + std::to_string(end) + " bytes, the file has " +
                 std::to_string(data_bytes)};
  return layout;
}

Result<std::vector<TensorEntry>> parse_header(const std::string& header) {
  if (header.empty() || header.front() != '{') return Error{"the header does not begin with {"};
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(header, &reader)) return Error{"header: " + reader.problem()};
  return reader.take_entries();
}

Result<FlatParameters> read_stream(std::ifstream& in, std::uint64_t size) {
  std::array<char, 8> length_bytes{};
  if (size < 8 || !in.read(length_bytes.data(), 8)) return Error{"shorter than eight bytes"};
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, length_bytes.data(), 8);
  if (header_bytes > kMaxHeaderBytes || header_bytes > size - 8)
    return Error{"the header length " + std::to_string(header_bytes) +
                 " is past the end or the limit"};
  std::string header(header_bytes, '\0');
  if (!in.read(header.data(), static_cast<std::streamsize>(header_bytes)))
    return Error{"the header cannot be read"};
  Result<std::vector<TensorEntry>> entries = parse_header(header);
  if (!entries.ok()) return entries.error();
  const std::uint64_t data_bytes = size - 8 - header_bytes;
  auto layout = layout_of(std::move(entries).value(), data_bytes);
  if (!layout.ok()) return layout.error();
  FlatParameters out{.layout = std::move(layout).value(), .values = {}};
  out.values.resize(data_bytes / 4);
  if (!in.read(reinterpret_cast<char*>(out.values.data()),
               static_cast<std::streamsize>(data_bytes)))
    return Error{"the data cannot be read"};
  return out;
}

std::string make_header(const FlatParameters& parameters,
                        const std::map<std::string, std::string>& metadata) {
  auto header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(kMetadataKey)] = metadata;
  std::uint64_t at = 0;
  for (const ParameterShape& tensor : parameters.layout) {
    const std::uint64_t end = at + 4 * tensor.count();
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {at, end}}};
    at = end;
  }
  SOTTO_CHECK(at == 4 * parameters.values.size(), "the values do not fit the layout");
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // so that the data is aligned
  return text;
}

}  // namespace

Result<FlatParameters> read_safetensors(const std::filesystem::path& file) {
  const auto refused = [&](const std::string& why) { return Error{file.string() + ": " + why}; };
  std::error_code failed;
  if (!std::filesystem::is_regular_file(file, failed)) return refused("no such regular file");
  const std::uint64_t size = std::filesystem::file_size(file, failed);
  std::ifstream in(file, std::ios::binary);
  if (failed || !in) return refused("cannot be opened");
  Result<FlatParameters> out = read_stream(in, size);
  return out.ok() ? std::move(out) : refused(out.error().message);
}

Status write_safetensors(const std::filesystem::path& file, const FlatParameters& parameters,
                         const std::map<std::string, std::string>& metadata) {
  std::string header;
  try {
    header = make_header(parameters, metadata);
  } catch (const nlohmann::json::exception&) {
    return Error{file.string() + ": a tensor name or the metadata is not UTF-8"};
  }
  ByteWriter length;
  length.u64(header.size());
  return journal::write_file_atomically(
      file, {length.view(), view_of(header), bytes_of(parameters.values)},
      journal::FileAccess::kEveryoneReads);
}

}  // namespace sotto
