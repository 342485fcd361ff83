// What the sums of a run cost each participant that was in all of them, as far as everybody may
// know it: the noise of every attempt in which updates could leave their sites, durable before they
// can. Never below what any participant's own ledger says of the run: that one does not count what
// a burn certificate gave back, nor rounds it was not in. One thread.
#pragma once

#include <filesystem>
#include <set>

#include "common/base/ids.h"
#include "common/journal/append_log.h"
#include "common/privacy/accountant.h"

namespace sotto::coordinator {

class NoiseAccount {
 public:
  /// Creates the file when it is missing. An Error when it is damaged or used elsewhere.
  static Result<NoiseAccount> open(const std::filesystem::path& file);

  /// Durable before it returns. An Error: nothing may leave. An attempt is charged once: one that
  /// goes on after a crash may come here again.
  Status charge(RoundNumber round, const privacy::NoisyRounds& noise);

  /// Of one participant, everything it sent; 0 when nothing was charged.
  [[nodiscard]] double epsilon(double delta) const { return accountant_.epsilon(delta); }

 private:
  explicit NoiseAccount(journal::AppendLog log) : log_(std::move(log)) {}

  journal::AppendLog log_;
  privacy::RdpAccountant accountant_;
  std::set<RoundNumber> charged_;
};

}  // namespace sotto::coordinator
