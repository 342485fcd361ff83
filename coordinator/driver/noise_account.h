// What the attempts of a run cost each participant that was in all of them, as far as everybody may
// know it: every training attempt in which updates could leave their sites, with the noise inside
// its sum where there is one, durable before they can. Never below what the ledger of a participant
// says of the updates that it sent. A ledger does not count rounds that its site was not in, nor an
// update that a burn certificate gave back and that the site still had for the next attempt; a site
// that began again in between has lost that update and is charged again, so a burnt attempt counts
// here as any other. One thread.
#pragma once

#include <filesystem>
#include <optional>
#include <set>

#include "common/base/ids.h"
#include "common/privacy/accounting/rdp_accountant.h"
#include "common/storage/append_log.h"

namespace sotto::coordinator {

class NoiseAccount {
 public:
  /// Creates the file when it is missing. An Error when it is damaged or used elsewhere.
  static Result<NoiseAccount> open(const std::filesystem::path& file);

  /// `noise` is that inside the sum, if any. Durable before it returns. An Error: nothing may
  /// leave. An attempt is charged once: one that goes on after a crash may come here again.
  Status charge(RoundNumber round, const std::optional<privacy::NoisyRounds>& noise);

  /// The attempts in which a site may have been charged for its training.
  [[nodiscard]] std::uint64_t attempts() const { return charged_.size(); }

  /// Of one participant, everything it sent; 0 when no noise was charged.
  [[nodiscard]] double epsilon(double delta) const { return accountant_.epsilon(delta); }

 private:
  explicit NoiseAccount(journal::AppendLog log) : log_(std::move(log)) {}

  journal::AppendLog log_;
  privacy::RdpAccountant accountant_;
  std::set<RoundNumber> charged_;
};

}  // namespace sotto::coordinator
