// A coordinator of a test's own in the place of sotto-coordinator: real members talk to it over
// CURVE on loopback.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/config/parse.h"
#include "common/identity/identity.h"
#include "common/model/flat_parameters.h"
#include "common/net/transport.h"
#include "common/wire/messages.h"
#include "coordinator/protocol/round.h"
#include "tests/process/federation.h"

namespace sotto::process_test {

/// It holds the coordinator's keys of a Federation and breaks no rule of the protocol: it chooses
/// jobs, models, the order of offers and how far a round goes, and keeps what every member answers.
/// One thread: all calls block until they are done.
class HostileCoordinator {
 public:
  explicit HostileCoordinator(const Federation& federation);
  ~HostileCoordinator();

  using Answers = std::map<MemberId, wire::JobReply>;

  /// Offers a job as a run of its own to all members, until each has answered. Fewer answers: the
  /// time was over.
  Answers offer(const config::JobConfig& job, seconds at_most);

  /// What each member sent about one attempt, in order: names of messages, without repetitions,
  /// the transfer of model and update and the shares that open a sum (the first members to endorse
  /// it are asked for them); with the reason where it left.
  using Observations = std::map<MemberId, std::vector<std::string>>;

  /// Offers the next attempt at a server round, serves the model to all members, and says nothing
  /// more for `silence`. No update leaves a member.
  Observations ask(std::uint64_t server_round, const FlatParameters& model,
                   std::chrono::milliseconds silence);

  /// Offers the next attempt at a server round and plays it to its outcome, whatever that is.
  /// Members give counters once a server round, so none is played twice.
  Observations play(std::uint64_t server_round, const FlatParameters& model, seconds at_most);

 private:
  void begin(std::uint64_t server_round, const FlatParameters& model);
  void on_frame(const net::ReceivedFrame& frame);
  void on_round_message(const wire::Envelope& envelope);
  void carry_out(coordinator::RoundOutput output);
  void send(MemberId to, RoundNumber round, const wire::Message& message);
  void run_until(const std::function<bool()>& done, std::chrono::milliseconds at_most);

  config::Roster roster_;
  config::Identity identity_;
  boost::asio::io_context loop_;
  std::unique_ptr<net::Transport> link_;

  config::JobConfig job_;
  wire::JobOffer offer_;
  Answers answers_;
  RoundNumber round_;
  FlatParameters model_;
  EncodedParameters encoded_;  // borrows from model_
  coordinator::RoundPlan plan_;
  std::unique_ptr<coordinator::RoundStateMachine> machine_;  // while a round is played
  std::optional<TimePoint> wake_at_;
  bool over_ = false;
  Observations observed_;
  std::set<MemberId> fetched_;  // who asked for the end of the model
};

}  // namespace sotto::process_test
