// Inside of Coordinator, shared by coordinator.cc (members, gathering, the end and what is shown)
// and coordinator_rounds.cc (attempts at rounds). Not for anybody else.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/identity/roster_expiry.h"
#include "common/wire/codec.h"
#include "coordinator/driver/coordinator.h"
#include "coordinator/driver/round_plan.h"
#include "coordinator/driver/run_folder.h"
#include "coordinator/driver/training_progress.h"
#include "coordinator/members/backoff.h"
#include "coordinator/members/members.h"
#include "coordinator/members/punctuality.h"
#include "coordinator/observability/round_board.h"
#include "coordinator/protocol/genesis.h"
#include "coordinator/protocol/round.h"

namespace sotto::coordinator {

struct Coordinator::Impl {
  Impl(CoordinatorOptions o, Host& h, const crypto::SigningKey& s, crypto::SecureRandom& r,
       const RunEvents& e);

  [[nodiscard]] const config::JobConfig& job() const { return options.job; }

  // ---- members

  void send(MemberId peer, RoundNumber about, const wire::Message& message);
  void log(std::string line);
  /// Nothing where there is no line: a repeated protocol violation is not logged each time.
  void warn(std::optional<std::string> line);
  void on_hello(MemberId peer, const wire::Hello& hello, TimePoint now);
  /// Tells a member which protocol and roster this coordinator works with.
  void send_hello(MemberId peer);
  void on_reply(MemberId peer, const wire::JobReply& reply);
  /// A member that is lost is a dropout of the round under way unless it returns in time.
  void lose_absent(TimePoint now);
  void lose(MemberId id, const std::string& why, TimePoint now);

  // ---- gathering

  void beat();
  void gather(TimePoint now);
  /// Those whose least sums a round of them can have.
  [[nodiscard]] std::vector<MemberId> could_join(std::vector<MemberId> ready) const;
  /// Those of `ready` whose least sums the next attempt will have.
  [[nodiscard]] std::vector<MemberId> joinable(const std::vector<MemberId>& ready) const;
  /// Names who is there and not in `kept`, once while it stays so.
  void note_demands(const std::vector<MemberId>& kept);
  /// "; aurora takes part in sums of 10 or more" of each one that is not in `kept`, which ascends.
  [[nodiscard]] std::string demands(const std::vector<MemberId>& of,
                                    const std::vector<MemberId>& kept) const;
  void apply(GenesisOutput output);

  // ---- rounds

  /// Fewest members that a round is begun with.
  [[nodiscard]] std::size_t needed() const;
  /// Fewest of those who are ready that a round is begun with, so that it has their least sums.
  [[nodiscard]] std::size_t fewest_of(const std::vector<MemberId>& ready) const;
  /// Of the cohort, those that are there and are not left out for their faults.
  [[nodiscard]] std::vector<MemberId> waited_for(const RoundPlan& plan,
                                                 const std::vector<MemberId>& ready) const;
  void start_round(std::vector<MemberId> ready, TimePoint now);
  Result<RoundPlan> plan_attempt(RoundNumber number, std::vector<MemberId>& ready,
                                 EvaluationCounters counters);
  [[nodiscard]] std::string why_unexpected(MemberId id, const std::vector<MemberId>& ready) const;
  Result<RoundPlan> plan_of(RoundNumber number, const RoundMembers& who,
                            EvaluationCounters counters);
  void begin_attempt(RoundPlan plan, const std::vector<MemberId>& unexpected, TimePoint now);
  /// The round that an earlier process left in its middle goes on where it was; what its members
  /// said and what it had decided stands.
  void take_up(UnfinishedAttempt attempt, TimePoint now);
  void apply(RoundOutput output);
  void open_sum(SumRequest request);
  void finish_attempt(RoundOutcome outcome, TimePoint now);
  /// The round was lost too often: the run ends, without its closing evaluation where training is
  /// over.
  void give_up(const RoundRecord& last);
  void close_round(RoundRecord& record, TimePoint now);
  /// Who kept it waiting is left out of later rounds.
  void settle_faults(const std::vector<MemberId>& survivors);
  void note_faults(const Status& kept, const std::vector<Fault>& faults);
  [[nodiscard]] double wall_s() const;

  // ---- who is left out (coordinator_exclusions.cc)

  /// Kept, said, and its member convicted where it proves something.
  void judge(const secagg::Evidence& evidence);
  /// What the end of an attempt says about who spoils sums; before the end is durable.
  void judge_sum(const RoundOutcome& outcome);
  /// Members as what is known about them has it.
  void show_exclusions();
  void emit_suspensions(const Suspicion::State& before, const Suspicion::State& after);
  /// Taken out of `ready`, `room` of them at most.
  void leave_out_suspects(std::vector<MemberId>& ready, std::size_t room);
  /// In a run without a genesis: how many of those who are ready a round can do without.
  [[nodiscard]] std::size_t room_among(const std::vector<MemberId>& ready) const;
  [[nodiscard]] bool is_left_out(MemberId id) const;
  /// That the attempt was lost ends the run, or does not.
  [[nodiscard]] bool count_lost(const RoundOutcome& outcome);

  // ---- the end

  void send_finished(MemberId peer);
  void end(RunState how, std::string why, RunEnd code);
  void complete();
  void stop();
  /// Members are told `public_why` where it is given: never what one of them said.
  void fail(const std::string& why, std::optional<std::string> public_why = std::nullopt);

  // ---- showing

  [[nodiscard]] RunStatus status(TimePoint now) const;
  /// A request of the operator that was to be written down: emitted and shown where it was.
  Status asked(Status written, OperatorAsked::What what);
  void show();
  void report(TimePoint now, bool at_once = false);
  void schedule();

  CoordinatorOptions options;
  Host& host;
  const crypto::SigningKey& signing;
  crypto::SecureRandom& random;
  const RunEvents& events;
  Members members;
  config::RosterExpiry expiry;
  RunFolder folder;
  TrainingProgress training;

  TimePoint started;
  RunState state = RunState::kGathering;
  std::string detail;               // for the operator
  std::optional<std::string> told;  // members, in its place
  bool ended = false;
  bool stop_after_round = false;
  bool withdrawn = false;  // a member, where that ends the run
  std::optional<TimePoint> gather_until;
  TimePoint not_before;
  std::string said_demands;  // of those that the next attempt leaves out, as the log has them
  TimePoint reported;

  std::optional<RunGenesis> genesis;  // when the job's rounds are drawn
  std::optional<RoundStateMachine> machine;
  std::optional<TimePoint> machine_wake;
  RoundNumber round;
  std::vector<MemberId> cohort;
  std::vector<MemberId> left_out;  // of the attempt under way: nobody listens to them
  bool convicted_now = false;      // somebody, by what it did in the attempt under way
  std::uint32_t failed_attempts = 0;
  std::uint32_t spoiled_attempts =
      0;  // lost for what somebody did; one after the other, like those
  std::optional<codec::NoisyEncoding> round_noise;  // of the attempt under way, where it trains
  RoundBoard board;
  Punctuality punctuality;  // in the attempt under way
  Backoff backoff;
};

}  // namespace sotto::coordinator
