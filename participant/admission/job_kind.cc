#include "participant/admission/job_kind.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "common/crypto/hash.h"

namespace sotto::participant {

namespace {

void put(ByteWriter& out, std::string_view text) {
  out.u64(text.size());
  out.bytes(view_of(text));
}

/// Writes modules and layers as sets: the order in which a job lists them changes nothing.
void put_modules(ByteWriter& out, const config::LoraSection& lora) {
  std::vector<std::string> modules = lora.target_modules;
  std::sort(modules.begin(), modules.end());
  modules.erase(std::unique(modules.begin(), modules.end()), modules.end());
  out.u64(modules.size());
  for (const std::string& module : modules)
    put(out, module);
  std::vector<std::uint32_t> layers = lora.layers_to_transform;
  std::sort(layers.begin(), layers.end());
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  out.u64(layers.size());
  for (const std::uint32_t layer : layers)
    out.u32(layer);
}

}  // namespace

Bytes32 kind_of(const config::JobConfig& job, const Bytes32& coordinator) {
  ByteWriter out;
  put(out, job.task.type);
  out.u64(job.task.labels.size());
  for (const std::string& label : job.task.labels)
    put(out, label);
  out.bytes(job.model.config_hash);
  out.u8(job.lora.r > 0 ? 1 : 0);
  put_modules(out, job.lora);
  out.u8(job.protects_persons() ? 2 : job.differential_privacy.enabled ? 1 : 0);
  out.u8(job.distributed_privacy.enabled ? 1 : 0);
  out.u8(job.secure_aggregation.enabled ? 1 : 0);
  out.u8(job.secure_aggregation.model_lineage ? 1 : 0);
  out.bytes(coordinator);
  // The settings of one task only. Tasks without any keep the hash that they had before such
  // settings existed.
  if (!job.make_task()->own_settings().empty()) {
    out.u64(std::bit_cast<std::uint64_t>(job.task.target_min));
    out.u64(std::bit_cast<std::uint64_t>(job.task.target_max));
  }
  return crypto::hash("SOTTO job kind", {out.view()});
}

std::string protected_unit(const config::JobConfig& job) {
  const bool example = job.differential_privacy.enabled;
  const bool participant = job.distributed_privacy.enabled;
  const std::string unit = job.protects_persons() ? "one person" : "one training example";
  if (example && participant)
    return unit + ", and apart from it everything that one participant sends";
  if (example) return unit;
  return participant ? "everything that one participant sends" : "nothing";
}

}  // namespace sotto::participant
