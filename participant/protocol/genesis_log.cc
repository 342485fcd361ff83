#include "participant/protocol/genesis_log.h"

#include <algorithm>
#include <utility>

namespace sotto::participant {

namespace {

constexpr std::uint8_t kRevealed = 1;  // run; without a time, in older files
constexpr std::uint8_t kKept = 2;
constexpr std::uint8_t kRevealedAt = 3;  // run, seconds since 1970 as u64

Bytes kept_record(const RunId& run, const secagg::Genesis& genesis) {
  ByteWriter out;
  out.u8(kKept);
  out.bytes(run);
  out.bytes(genesis.value);
  out.u32(static_cast<std::uint32_t>(genesis.members.size()));
  for (MemberId id : genesis.members)
    out.u32(raw(id));
  return out.take();
}

/// Returns false if the bytes are not a valid record.
bool replay(BytesView record, std::map<RunId, secagg::GenesisMemory>& memories,
            std::vector<std::uint64_t>& reveals) {
  ByteReader in(record);
  const std::uint8_t kind = in.u8();
  secagg::GenesisMemory& memory = memories[in.array<32>()];
  if (kind == kRevealed || kind == kRevealedAt) {
    ++memory.reveals;
    if (kind == kRevealedAt) reveals.push_back(in.u64());
    return in.finished();
  }
  secagg::Genesis genesis{.value = in.array<32>(), .members = {}};
  for (std::uint32_t left = in.u32(); left > 0 && in.ok(); --left)
    genesis.members.push_back(MemberId{in.u32()});
  memory.genesis = std::move(genesis);
  return kind == kKept && in.finished();
}

}  // namespace

Result<GenesisLog> GenesisLog::open(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(auto opened, journal::AppendLog::open(file));
  GenesisLog out(std::move(opened.log));
  for (const Bytes& record : opened.records)
    if (!replay(record, out.memories_, out.reveals_))
      return Error{file.string() + " holds an unknown record"};
  return out;
}

secagg::GenesisMemory GenesisLog::memory(const RunId& run) const {
  const auto at = memories_.find(run);
  return at == memories_.end() ? secagg::GenesisMemory{} : at->second;
}

std::uint32_t GenesisLog::reveals_since(std::uint64_t unix_seconds) const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(reveals_, [&](std::uint64_t when) { return when >= unix_seconds; }));
}

Status GenesisLog::revealed(const RunId& run, std::uint64_t unix_seconds) {
  ByteWriter record;
  record.u8(kRevealedAt);
  record.bytes(run);
  record.u64(unix_seconds);
  SOTTO_TRY(log_.append(record.view()));
  ++memories_[run].reveals;
  reveals_.push_back(unix_seconds);
  return {};
}

Status GenesisLog::keep(const RunId& run, const secagg::Genesis& genesis) {
  secagg::GenesisMemory& memory = memories_[run];
  if (memory.genesis == genesis) return {};
  SOTTO_TRY(log_.append(kept_record(run, genesis)));
  memory.genesis = genesis;
  return {};
}

}  // namespace sotto::participant
