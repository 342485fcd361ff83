// Hashes of the files that determine a model's architecture and tokenizer, and of the weights that
// LoRA does not change. Each party keeps its own copy of the files; the job contains their hashes,
// so that no party trains another architecture, tokenizer or base model by accident.
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

/// Returns the files that determine the ids of a folder's tokenizer: tokenizer.json; else
/// vocab.json and merges.txt, or vocab.txt, with those of tokenizer_config.json,
/// special_tokens_map.json and added_tokens.json that exist.
std::vector<std::string> tokenizer_files(const std::filesystem::path& folder);

/// Hashes FOLDER/config.json and the tokenizer's files, which it reads whole. The Error names the
/// file that cannot be read.
Result<ModelHashes> hash_model_files(const std::filesystem::path& folder);

/// Hashes the files that weight_file_names() lists, with their names. The files are mapped, so that
/// a large model needs no memory. The Error names the file that cannot be read.
Result<Bytes32> hash_model_weights(const std::filesystem::path& folder);

/// Returns whether models of this model_type (in config.json) can be trained.
[[nodiscard]] bool is_model_family(std::string_view text);
/// Returns the model_type in FOLDER/config.json, "bert" when there is none.
Result<std::string> model_family(const std::filesystem::path& folder);
/// Returns one hash that identifies the model of a job: over the hashes of its configuration, its
/// tokenizer and the weights that LoRA does not change.
Bytes32 model_digest(const ModelSection& model);
/// Reads 32 bytes in hexadecimal digits, ignoring blanks; nothing when `text` has another form.
std::optional<Bytes32> digest_in(std::string_view text);

/// For a participant that received a job: fails unless its own folder holds the files whose hashes
/// are in the job. The Error contains no local path and may be shown on both sides.
Status check_model_files(const JobConfig& job, const std::filesystem::path& folder);

}  // namespace sotto::config
