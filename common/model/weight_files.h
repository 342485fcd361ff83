// WeightFiles gives access to the weights of a model folder in Hugging Face's layout:
// model.safetensors, or the shards that model.safetensors.index.json names. The files are mapped,
// so that a tensor uses memory only once it is accessed.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/safetensors.h"
#include "common/storage/mapped_file.h"

namespace sotto {

/// Returns tensor name -> file name, from the bytes of an index. Fails unless all file names are
/// bare names that end in ".safetensors", so that an index cannot refer to files outside of its
/// folder.
Result<std::map<std::string, std::string>> parse_shard_index(BytesView json);

/// Returns the names of the files that hold the weights of a folder: model.safetensors, or the
/// index and the shards that it names, in ascending order. A single file takes precedence over an
/// index, as in Hugging Face's library; other files beside them are not looked at. Errors, which
/// name the file and what to do: a shard or the target of a link is missing, the folder has weights
/// in another format, or it has none.
Result<std::vector<std::string>> weight_file_names(const std::filesystem::path& folder);

/// A checkpoint is immutable after open(); views are valid while it lives. Errors name the file.
class WeightFiles {
 public:
  static Result<WeightFiles> open(const std::filesystem::path& folder);

  /// Returns the tensor with this name; null when there is none.
  [[nodiscard]] const TensorView* find(std::string_view name) const;

  [[nodiscard]] const std::map<std::string, TensorView, std::less<>>& tensors() const {
    return tensors_;
  }

  /// Returns the metadata of all files; if two files have the same key, the first one's value.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  Status add(const std::filesystem::path& file);

  std::vector<storage::MappedFile> files_;
  std::map<std::string, TensorView, std::less<>> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace sotto
