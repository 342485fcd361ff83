#include "common/config/model_files.h"

#include <algorithm>
#include <string>
#include <vector>

#include "common/config/json_tree.h"
#include "common/crypto/hash.h"
#include "common/model/architecture.h"
#include "common/model/weight_files.h"
#include "common/storage/atomic_file.h"
#include "common/storage/mapped_file.h"

namespace sotto::config {

namespace {

constexpr std::uint64_t kMaxModelFileBytes = 64 << 20;

/// Adds a file with its name and length to the hash.
void add_file(crypto::Hasher& hasher, const std::string& name, BytesView bytes) {
  ByteWriter head;
  head.u64(name.size());
  head.bytes(view_of(name));
  head.u64(bytes.size());
  hasher.update(head.view());
  hasher.update(bytes);
}

/// Hashes the tokenizer's files. A vocab.txt alone is hashed without name and length.
Result<Bytes32> hash_tokenizer(const std::filesystem::path& folder) {
  const std::vector<std::string> names = tokenizer_files(folder);
  crypto::Hasher hasher("SOTTO vocab");
  for (const std::string& name : names) {
    SOTTO_ASSIGN_OR_RETURN(const Bytes bytes,
                           storage::read_file(folder / name, kMaxModelFileBytes));
    if (names.size() == 1 && name == "vocab.txt") return crypto::hash("SOTTO vocab", {bytes});
    add_file(hasher, name, bytes);
  }
  return hasher.finish();
}

}  // namespace

std::vector<std::string> tokenizer_files(const std::filesystem::path& folder) {
  const auto there = [&](const char* name) { return std::filesystem::exists(folder / name); };
  if (there("tokenizer.json")) return {"tokenizer.json"};
  std::vector<std::string> out{"vocab.txt"};
  if (there("vocab.json")) out = {"vocab.json", "merges.txt"};
  for (const char* settings :
       {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"})
    if (there(settings)) out.emplace_back(settings);
  return out;
}

Result<ModelHashes> hash_model_files(const std::filesystem::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(const Bytes config,
                         storage::read_file(folder / "config.json", kMaxModelFileBytes));
  SOTTO_ASSIGN_OR_RETURN(const Bytes32 vocab, hash_tokenizer(folder));
  return ModelHashes{.config = crypto::hash("SOTTO model cfg", {config}), .vocab = vocab};
}

Result<Bytes32> hash_model_weights(const std::filesystem::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(const std::vector<std::string> names, weight_file_names(folder));
  crypto::Hasher hasher("SOTTO weights");
  for (const std::string& name : names) {
    SOTTO_ASSIGN_OR_RETURN(const storage::MappedFile file,
                           storage::MappedFile::open(folder / name));
    add_file(hasher, name, file.bytes());
  }
  return hasher.finish();
}

bool is_model_family(std::string_view text) {
  return find_architecture(text) != nullptr;
}

Result<std::string> model_family(const std::filesystem::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(const Bytes bytes,
                         storage::read_file(folder / "config.json", kMaxModelFileBytes));
  const JsonDocument document = read_json(std::string(bytes.begin(), bytes.end()));
  const Json* type = document.root.find("model_type");
  if (type == nullptr) return std::string("bert");
  if (const auto* text = std::get_if<std::string>(&type->value)) return *text;
  return Error{(folder / "config.json").string() + ": model_type is not a text"};
}

Bytes32 model_digest(const ModelSection& model) {
  return crypto::hash("SOTTO model id", {model.config_hash, model.vocab_hash, model.weights_hash});
}

std::optional<Bytes32> digest_in(std::string_view text) {
  std::string digits(text);
  std::erase(digits, ' ');
  const Result<Bytes> bytes = from_hex(digits);
  if (!bytes || bytes->size() != Bytes32{}.size()) return std::nullopt;
  Bytes32 out{};
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return out;
}

Status check_model_files(const JobConfig& job, const std::filesystem::path& folder) {
  const Result<ModelHashes> own = hash_model_files(folder);
  // The message may be sent to the coordinator, so it contains no paths of this machine.
  if (!own) return Error{"the model folder of this site lacks config.json or the tokenizer"};
  if (own->config != job.model.config_hash)
    return Error{
        "the model configuration (config.json) of the job differs from the one that this site "
        "holds"};
  if (own->vocab != job.model.vocab_hash)
    return Error{
        "the tokenizer of the job (tokenizer.json, or vocab.json and merges.txt, or vocab.txt) "
        "differs from the one that this site holds"};
  if (job.lora.r == 0) return {};
  const Result<Bytes32> weights = hash_model_weights(folder);
  if (!weights)
    return Error{
        "the model folder of this site lacks the weights (model.safetensors) that LoRA adapts"};
  if (*weights != job.model.weights_hash)
    return Error{
        "the weights that the job adapts (model.safetensors) differ from those that this site "
        "holds"};
  return {};
}

}  // namespace sotto::config
