#include "participant/protocol/randomness_log.h"

#include <algorithm>
#include <utility>

namespace sotto::participant {

namespace {

constexpr std::uint8_t kRevealed = 1;  // run; without a time, in older files
constexpr std::uint8_t kKept = 2;
constexpr std::uint8_t kRevealedAt = 3;  // run, seconds since 1970 as u64

Bytes kept_record(const RunId& run, const secagg::SharedRandomness& shared_randomness) {
  ByteWriter out;
  out.u8(kKept);
  out.bytes(run);
  out.bytes(shared_randomness.value);
  out.u32(static_cast<std::uint32_t>(shared_randomness.members.size()));
  for (MemberId id : shared_randomness.members)
    out.u32(raw(id));
  return out.take();
}

/// Returns false if the bytes are not a valid record.
bool replay(BytesView record, std::map<RunId, secagg::RandomnessMemory>& memories,
            std::vector<std::uint64_t>& reveals) {
  ByteReader in(record);
  const std::uint8_t kind = in.u8();
  secagg::RandomnessMemory& memory = memories[in.array<32>()];
  if (kind == kRevealed || kind == kRevealedAt) {
    ++memory.reveals;
    if (kind == kRevealedAt) reveals.push_back(in.u64());
    return in.finished();
  }
  secagg::SharedRandomness shared_randomness{.value = in.array<32>()};
  for (std::uint32_t left = in.u32(); left > 0 && in.ok(); --left)
    shared_randomness.members.push_back(MemberId{in.u32()});
  memory.shared_randomness = std::move(shared_randomness);
  return kind == kKept && in.finished();
}

}  // namespace

Result<RandomnessLog> RandomnessLog::open(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(auto opened, storage::AppendLog::open(file));
  RandomnessLog out(std::move(opened.log));
  for (const Bytes& record : opened.records)
    if (!replay(record, out.memories_, out.reveals_))
      return Error{file.string() + " contains an unknown record"};
  return out;
}

secagg::RandomnessMemory RandomnessLog::memory(const RunId& run) const {
  const auto at = memories_.find(run);
  return at == memories_.end() ? secagg::RandomnessMemory{} : at->second;
}

std::uint32_t RandomnessLog::reveals_since(std::uint64_t unix_seconds) const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(reveals_, [&](std::uint64_t when) { return when >= unix_seconds; }));
}

Status RandomnessLog::revealed(const RunId& run, std::uint64_t unix_seconds) {
  ByteWriter record;
  record.u8(kRevealedAt);
  record.bytes(run);
  record.u64(unix_seconds);
  SOTTO_TRY(log_.append(record.view()));
  ++memories_[run].reveals;
  reveals_.push_back(unix_seconds);
  return {};
}

Status RandomnessLog::keep(const RunId& run, const secagg::SharedRandomness& shared_randomness) {
  secagg::RandomnessMemory& memory = memories_[run];
  if (memory.shared_randomness == shared_randomness) return {};
  SOTTO_TRY(log_.append(kept_record(run, shared_randomness)));
  memory.shared_randomness = shared_randomness;
  return {};
}

}  // namespace sotto::participant
