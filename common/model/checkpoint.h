// The weights of a model folder in Hugging Face's layout: model.safetensors, or the shards that
// model.safetensors.index.json names. Mapped, not read: a tensor costs memory when it is asked for.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/safetensors.h"
#include "common/storage/mapped_file.h"

namespace sotto {

/// Tensor name -> file name, from the bytes of an index. File names are bare names ending in
/// ".safetensors", so that no index leads out of its folder.
Result<std::map<std::string, std::string>> parse_shard_index(BytesView json);

/// Immutable after open; views stay good while it lives. Errors name the file.
class Checkpoint {
 public:
  /// Whether a folder holds weights at all.
  static bool exists(const std::filesystem::path& folder);
  static Result<Checkpoint> open(const std::filesystem::path& folder);

  /// Null when there is none of this name.
  [[nodiscard]] const TensorView* find(std::string_view name) const;

  [[nodiscard]] const std::map<std::string, TensorView, std::less<>>& tensors() const {
    return tensors_;
  }

  /// What the writers of the files noted in them; of two notes of one name that of the first file.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  Status add(const std::filesystem::path& file);

  std::vector<journal::MappedFile> files_;
  std::map<std::string, TensorView, std::less<>> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace sotto
