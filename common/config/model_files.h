// The files that make a model's shape and tokens the same everywhere, and the weights that LoRA
// leaves alone. Each party keeps its own copy; the job carries their hashes, so that nobody trains
// another architecture, tokenizer or base model by accident.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/config/job.h"

namespace sotto::config {

struct ModelHashes {
  Bytes32 config{}, vocab{};

  bool operator==(const ModelHashes&) const = default;
};

/// What makes the tokenizer of a folder: tokenizer.json; else vocab.json and merges.txt; else
/// vocab.txt and, where there is one, tokenizer_config.json. The others of them do not count.
std::vector<std::string> tokenizer_files(const std::filesystem::path& folder);

/// Reads FOLDER/config.json and the tokenizer's files whole. An Error names the file that cannot be
/// read.
Result<ModelHashes> hash_model_files(const std::filesystem::path& folder);

/// Of model.safetensors, or of the index and every shard beside it, with their names; mapped, so
/// that a large model costs no memory. An Error names the file that cannot be read.
Result<Bytes32> hash_model_weights(const std::filesystem::path& folder);

/// The models that can be trained: what config.json says as model_type.
[[nodiscard]] bool is_model_family(std::string_view text);
/// The model_type in FOLDER/config.json, "bert" where it says none.
Result<std::string> model_family(const std::filesystem::path& folder);
/// One name for the model of a job: over the hashes of its configuration, tokenizer and the weights
/// that LoRA leaves alone.
Bytes32 model_digest(const ModelSection& model);
/// 32 bytes in hexadecimal digits, blanks between them left out; nothing when it is something else.
std::optional<Bytes32> digest_in(std::string_view text);

/// For a participant that received a job: an Error, fit to be shown on both sides, unless its own
/// folder holds the very files that the job names.
Status check_model_files(const JobConfig& job, const std::filesystem::path& folder);

}  // namespace sotto::config
