// A coordinator that breaks no rule of the protocol and chooses everything that the protocol leaves
// to it.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/model/flat_parameters.h"
#include "tests/common/secagg/round_fixture.h"
#include "tests/participant/driver/observed_site.h"

namespace sotto::outside_test {

/// Whether a site's answer to an offer is yes.
bool accepts(const std::optional<wire::JobReply>& reply);

/// It holds the federation's signing key, and it is all members but the one site under observation:
/// what the site is promised to be protected against, but for the colluders beyond C. It chooses
/// jobs, models, the order of offers and how far a round goes. It draws from a fixed seed, so two
/// conversations with it differ where the site's answers do.
class HostileCoordinator {
 public:
  /// The federation's roster is good until then; the site's clock is ObservedSite's.
  explicit HostileCoordinator(
      std::uint64_t roster_expiry_unix_s = std::numeric_limits<std::uint64_t>::max());

  // ---- what the site under observation needs

  [[nodiscard]] const config::Roster& roster() const { return roster_; }

  [[nodiscard]] MemberId site_id() const { return others_.id(0); }

  [[nodiscard]] const crypto::SigningKey& site_key() const { return others_.keys[0]; }

  /// Begins the conversation. `site` outlives it.
  void connect(ObservedSite& site) { site_ = &site; }

  // ---- the conversation

  /// Offers a job as a run of its own, with the C of its roster; the site's answer.
  std::optional<wire::JobReply> offer(const config::JobConfig& job);

  /// Offers the next attempt at a server round of the job offered last, serves the model, waits for
  /// the site's computation to end and says nothing more: no update leaves the site, and nothing is
  /// charged.
  void ask(std::uint64_t server_round, const FlatParameters& model);

  /// Offers the next attempt at a server round and plays it to its end, the opened sum included, as
  /// far as the site goes along. It asks for evaluation counters until it has opened a sum of this
  /// server round; a site gives them once.
  void play(std::uint64_t server_round, const FlatParameters& model);

  void wait(Duration time);

 private:
  static constexpr std::uint32_t kMembers = 3;

  void begin(std::uint64_t server_round, const FlatParameters& model);
  bool deal();
  bool upload();
  void open();
  void deliver(const wire::Message& message);
  void serve_model();

  /// The site's newest message of a type in the present attempt.
  template <class M>
  std::optional<M> newest() const {
    const std::vector<Sent>& sent = site_->sent();
    for (std::size_t i = sent.size(); i-- > began_;)
      if (const auto* m = std::get_if<M>(&sent[i].envelope.message)) return *m;
    return std::nullopt;
  }

  secagg::TestRound others_{kMembers};  // the site is index 0, of which only the keys are used
  config::Roster roster_;
  ObservedSite* site_ = nullptr;

  config::JobConfig job_;
  RunId run_{};
  RoundNumber round_;
  std::set<std::pair<RunId, std::uint64_t>> opened_;  // server rounds with a sum
  Bytes model_;                                       // of the present attempt, encoded
  std::size_t began_ = 0;   // what the site had sent before the present attempt
  std::size_t served_ = 0;  // frames of the site that were looked at
};

}  // namespace sotto::outside_test
