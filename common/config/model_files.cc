#include "common/config/model_files.h"

#include <algorithm>
#include <string>
#include <vector>

#include "common/crypto/hash.h"
#include "common/journal/atomic_file.h"
#include "common/journal/mapped_file.h"

namespace sotto::config {

Result<ModelHashes> hash_model_files(const std::filesystem::path& folder) {
  constexpr std::uint64_t kMaxBytes = 64 << 20;
  const Result<Bytes> config = journal::read_file(folder / "config.json", kMaxBytes);
  if (!config) return config.error();
  const Result<Bytes> vocab = journal::read_file(folder / "vocab.txt", kMaxBytes);
  if (!vocab) return vocab.error();
  return ModelHashes{.config = crypto::hash("SOTTO model cfg", {*config}),
                     .vocab = crypto::hash("SOTTO vocab", {*vocab})};
}

Result<Bytes32> hash_model_weights(const std::filesystem::path& folder) {
  constexpr const char* kWhole = "model.safetensors";
  constexpr const char* kIndex = "model.safetensors.index.json";
  std::vector<std::string> names{kWhole};
  std::error_code failed;
  if (!std::filesystem::exists(folder / kWhole, failed) &&
      std::filesystem::exists(folder / kIndex, failed)) {
    names = {kIndex};
    for (const auto& entry : std::filesystem::directory_iterator(folder, failed))
      if (entry.path().extension() == ".safetensors") names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
  }
  crypto::Hasher hasher("SOTTO weights");
  for (const std::string& name : names) {
    const Result<journal::MappedFile> file = journal::MappedFile::open(folder / name);
    if (!file.ok()) return file.error();
    ByteWriter head;
    head.u64(name.size());
    head.bytes(view_of(name));
    head.u64(file->bytes().size());
    hasher.update(head.view());
    hasher.update(file->bytes());
  }
  return hasher.finish();
}

Status check_model_files(const JobConfig& job, const std::filesystem::path& folder) {
  const Result<ModelHashes> own = hash_model_files(folder);
  // The other side needs no paths of this machine.
  if (!own) return Error{"this site's model folder lacks config.json or vocab.txt"};
  if (own->config != job.model.config_hash)
    return Error{"the job's model configuration (config.json) is not the one that this site holds"};
  if (own->vocab != job.model.vocab_hash)
    return Error{"the job's vocabulary (vocab.txt) is not the one that this site holds"};
  if (job.lora.r == 0) return {};
  const Result<Bytes32> weights = hash_model_weights(folder);
  if (!weights)
    return Error{"this site's model folder lacks the weights (model.safetensors) that LoRA adapts"};
  if (*weights != job.model.weights_hash)
    return Error{
        "the weights that the job adapts (model.safetensors) are not those that this site "
        "holds"};
  return {};
}

}  // namespace sotto::config
