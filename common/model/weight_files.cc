#include "common/model/weight_files.h"

#include <set>

#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "common/base/stand_in.h"
#include "common/model/unreadable_weights.h"

namespace sotto {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWhole = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";

/// IndexReader reads {"metadata": {anything}, "weight_map": {tensor: file}} from the events of the
/// library, whose own tree would silently keep the last of two equal keys.
class IndexReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::map<std::string, std::string> files;
  std::string problem;
  bool seen = false;

  bool start_object(std::size_t) override {
    if (++depth_ > kMaxDepth) return fail("nested too deeply");
    if (depth_ != 2) return true;
    in_map_ = key_ == "weight_map";
    if (in_map_ && seen) return fail("weight_map occurs twice");
    seen |= in_map_;
    return true;
  }

  bool key(std::string& name) override {
    key_ = name;
    return true;
  }

  bool end_object() override {
    if (--depth_ == 1) in_map_ = false;
    return true;
  }

  bool start_array(std::size_t) override {
    return ++depth_ <= kMaxDepth || fail("nested too deeply");
  }

  bool end_array() override {
    --depth_;
    return true;
  }

  bool string(std::string& text) override {
    if (!in_map_) return true;
    if (depth_ != 2) return fail("weight_map is no object of file names");
    if (text.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos ||
        !text.ends_with(".safetensors"))
      return fail("tensor " + key_.substr(0, 200) + ": not the bare name of a .safetensors file");
    if (!files.emplace(key_, text).second)
      return fail("tensor " + key_.substr(0, 200) + ": stands here twice");
    return true;
  }

  bool number_unsigned(std::uint64_t) override { return other(); }

  bool number_integer(std::int64_t) override { return other(); }

  bool number_float(double, const std::string&) override { return other(); }

  bool null() override { return other(); }

  bool boolean(bool) override { return other(); }

  bool binary(nlohmann::json::binary_t&) override { return other(); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    return fail("not JSON at byte " + std::to_string(position));
  }

 private:
  static constexpr int kMaxDepth = 16;

  bool other() { return !in_map_ || fail("weight_map is no object of file names"); }

  bool fail(const std::string& what) {
    if (problem.empty()) problem = what;
    return false;
  }

  std::string key_;
  int depth_ = 0;
  bool in_map_ = false;
};

using Places = std::map<std::string, std::string>;

/// Returns whether the folder has an entry of this name, be it a link to nothing, which is not the
/// same as a folder without weights.
bool present(const fs::path& file) {
  std::error_code ignored;
  return fs::symlink_status(file, ignored).type() != fs::file_type::not_found;
}

Result<Places> read_index(const fs::path& folder) {
  const fs::path file = folder / kIndex;
  SOTTO_ASSIGN_OR_RETURN(const storage::MappedFile mapped, storage::MappedFile::open(file));
  if (const std::string other = stand_in(mapped.bytes()); !other.empty())
    return Error{file.string() + ": " + other};
  auto places = parse_shard_index(mapped.bytes());
  if (!places.ok()) return Error{file.string() + ": " + places.error().message};
  return places;
}

}  // namespace

Result<std::map<std::string, std::string>> parse_shard_index(BytesView json) {
  IndexReader reader;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader)) return Error{reader.problem};
  if (!reader.seen) return Error{"has no weight_map"};
  return std::move(reader.files);
}

Result<std::vector<std::string>> weight_file_names(const fs::path& folder) {
  if (present(folder / kWhole)) return std::vector{std::string(kWhole)};
  if (present(folder / kIndex)) {
    SOTTO_ASSIGN_OR_RETURN(const Places places, read_index(folder));
    std::set<std::string> names{std::string(kIndex)};
    for (const auto& [tensor, file] : places)
      names.insert(file);
    for (const std::string& name : names)
      if (!fs::exists(folder / name))
        return Error{(folder / kIndex).string() + ": names the shard " + name +
                     ", which the folder does not have; download it"};
    return std::vector(names.begin(), names.end());
  }
  if (const std::string found = unreadable_weights(folder); !found.empty())
    return Error{(folder / found).string()};
  return Error{folder.string() +
               ": the folder has no weights: model.safetensors, or shards with "
               "model.safetensors.index.json"};
}

Status WeightFiles::add(const fs::path& file) {
  SOTTO_ASSIGN_OR_RETURN(storage::MappedFile mapped, storage::MappedFile::open(file));
  auto tensors = parse_safetensors(mapped.bytes());
  if (!tensors.ok()) return Error{file.string() + ": " + tensors.error().message};
  auto metadata = safetensors_metadata(mapped.bytes());
  SOTTO_CHECK(metadata.ok(), "the header was read a moment ago");
  metadata_.merge(std::move(metadata).value());
  files_.push_back(std::move(mapped));
  for (TensorView& tensor : *tensors) {
    const std::string name = tensor.name;
    if (!tensors_.emplace(name, std::move(tensor)).second)
      return Error{file.string() + ": tensor " + name.substr(0, 200) +
                   ": another file of the folder has it too"};
  }
  return {};
}

Result<WeightFiles> WeightFiles::open(const fs::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(const std::vector<std::string> names, weight_file_names(folder));
  WeightFiles out;
  for (const std::string& name : names)
    if (name != kIndex) SOTTO_TRY(out.add(folder / name));
  if (names.front() == kWhole) return out;
  SOTTO_ASSIGN_OR_RETURN(const Places places, read_index(folder));
  for (const auto& [tensor, file] : places)
    if (out.find(tensor) == nullptr)
      return Error{(folder / file).string() + ": has no tensor " + tensor.substr(0, 200) +
                   ", which the index places there"};
  return out;
}

const TensorView* WeightFiles::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace sotto
