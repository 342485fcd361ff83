#include "common/config/model_files.h"

#include "common/crypto/hash.h"
#include "common/journal/atomic_file.h"

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

Status check_model_files(const JobConfig& job, const std::filesystem::path& folder) {
  const Result<ModelHashes> own = hash_model_files(folder);
  // The other side needs no paths of this machine.
  if (!own) return Error{"this site's model folder lacks config.json or vocab.txt"};
  if (own->config != job.model.config_hash)
    return Error{"the job's model configuration (config.json) is not the one that this site holds"};
  if (own->vocab != job.model.vocab_hash)
    return Error{"the job's vocabulary (vocab.txt) is not the one that this site holds"};
  return {};
}

}  // namespace sotto::config
