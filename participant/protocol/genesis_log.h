// What a participant remembers of geneses, in `genesis.log` beside the guard
// (docs/secure-aggregation.md, 2.1): how often it has revealed for a run, and the one genesis that
// it accepted for it. Like the guard it is never restored from a backup: a member that forgot would
// let the coordinator choose among more geneses than are accounted for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

#include "common/base/ids.h"
#include "common/secagg/randomness/genesis.h"
#include "common/storage/append_log.h"

namespace sotto::participant {

class GenesisLog {
 public:
  /// Takes an exclusive lock. An Error when it is held elsewhere or the file is damaged. A torn
  /// last record is dropped: what it announced has not left.
  static Result<GenesisLog> open(const std::filesystem::path& file);

  [[nodiscard]] secagg::GenesisMemory memory(const RunId& run) const;

  /// Reveals for any run at that time or later, by this site's clock.
  [[nodiscard]] std::uint32_t reveals_since(std::uint64_t unix_seconds) const;

  /// Durable when they return without an Error.
  Status revealed(const RunId& run, std::uint64_t unix_seconds);
  Status keep(const RunId& run, const secagg::Genesis& genesis);

 private:
  explicit GenesisLog(journal::AppendLog log) : log_(std::move(log)) {}

  journal::AppendLog log_;
  std::map<RunId, secagg::GenesisMemory> memories_;
  std::vector<std::uint64_t> reveals_;  // when; without those of files of before they had a time
};

}  // namespace sotto::participant
