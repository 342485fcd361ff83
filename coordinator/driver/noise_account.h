// NoiseAccount computes what the attempts of a run cost each participant that was in all of them,
// from public information. It records every training attempt in which updates could leave their
// sites, with the noise inside its sum where there is one, before they can leave. Its result is
// never below what the ledger of a participant counts for the updates that it sent.
//
// A ledger does not count rounds that its site was not in. It does not count an update that an
// abort certificate gave back either, if the site still had it for the next attempt. A site that
// restarted in between has lost that update and is charged again, so an aborted attempt counts here
// like any other. One thread.
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
  /// Creates the file when it is missing. An Error when it is damaged or in use by another process.
  static Result<NoiseAccount> open(const std::filesystem::path& file);

  /// Charges an attempt; `noise` is the noise inside its sum, if any. Durable before it returns OK.
  /// After an Error no update may leave. An attempt is charged once, also when it continues after a
  /// crash.
  Status charge(RoundNumber round, const std::optional<privacy::NoisyRounds>& noise);

  /// The number of attempts in which a site may have been charged for its training.
  [[nodiscard]] std::uint64_t attempts() const { return charged_.size(); }

  /// The participant-level epsilon of everything that one participant sent; 0 when no noise was
  /// charged.
  [[nodiscard]] double epsilon(double delta) const { return accountant_.epsilon(delta); }

 private:
  explicit NoiseAccount(storage::AppendLog log) : log_(std::move(log)) {}

  storage::AppendLog log_;
  privacy::RdpAccountant accountant_;
  std::set<RoundNumber> charged_;
};

}  // namespace sotto::coordinator
