// The private state of Coordinator, shared by coordinator.cc (members, gathering, the end and the
// display), coordinator_rounds.cc (attempts at rounds) and coordinator_exclusions.cc. No other file
// includes it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/identity/roster_expiry.h"
#include "common/job/model_card.h"
#include "common/wire/codec.h"
#include "coordinator/driver/coordinator.h"
#include "coordinator/driver/round_plan.h"
#include "coordinator/driver/run_folder.h"
#include "coordinator/driver/training_progress.h"
#include "coordinator/members/backoff.h"
#include "coordinator/members/members.h"
#include "coordinator/members/punctuality.h"
#include "coordinator/observability/round_board.h"
#include "coordinator/protocol/randomness_exchange.h"
#include "coordinator/protocol/round.h"

namespace sotto::coordinator {

struct Coordinator::Impl {
  Impl(CoordinatorOptions o, Host& h, const crypto::SigningKey& s, crypto::SecureRandom& r,
       const RunEvents& e);

  [[nodiscard]] const config::JobConfig& job() const { return options.job; }

  // ---- members

  void send(MemberId peer, RoundNumber about, const wire::Message& message);
  void log(std::string line);
  /// Logs a warning, or nothing when `line` is empty: a repeated protocol violation is not logged
  /// each time.
  void warn(std::optional<std::string> line);
  void on_hello(MemberId peer, const wire::Hello& hello, TimePoint now);
  /// Tells a member which protocol and roster this coordinator uses.
  void send_hello(MemberId peer);
  void on_reply(MemberId peer, const wire::JobReply& reply);
  /// Takes members that are lost out of the round under way. They drop out unless they return in
  /// time.
  void lose_absent(TimePoint now);
  void lose(MemberId id, const std::string& why, TimePoint now);

  // ---- gathering

  void tick_members();
  void gather(TimePoint now);
  /// Returns the members of `ready` whose least sums a round of them can satisfy.
  [[nodiscard]] std::vector<MemberId> could_join(std::vector<MemberId> ready) const;
  /// Returns the members of `ready` whose least sums the next attempt will satisfy.
  [[nodiscard]] std::vector<MemberId> joinable(const std::vector<MemberId>& ready) const;
  /// Logs the members that are present and not in `kept`, once until they change.
  void log_demands(const std::vector<MemberId>& kept);
  /// "; aurora takes part in sums of 10 or more" for each member of `of` that is not in `kept`,
  /// which ascends.
  [[nodiscard]] std::string demands(const std::vector<MemberId>& of,
                                    const std::vector<MemberId>& kept) const;
  void apply(RandomnessOutput output);

  // ---- rounds

  /// The fewest members with which a round begins.
  [[nodiscard]] std::size_t needed() const;
  /// The fewest members with which a round begins that satisfies the least sums of those in
  /// `ready`.
  [[nodiscard]] std::size_t fewest_of(const std::vector<MemberId>& ready) const;
  /// Returns the members of the cohort that are present and not left out for their faults.
  [[nodiscard]] std::vector<MemberId> waited_for(const RoundPlan& plan,
                                                 const std::vector<MemberId>& ready) const;
  void start_round(std::vector<MemberId> ready, TimePoint now);
  Result<RoundPlan> plan_attempt(RoundNumber number, std::vector<MemberId>& ready,
                                 EvaluationCounters counters);
  [[nodiscard]] std::string why_unexpected(MemberId id, const std::vector<MemberId>& ready) const;
  Result<RoundPlan> plan_of(RoundNumber number, const RoundMembers& who,
                            EvaluationCounters counters);
  void begin_attempt(RoundPlan plan, const std::vector<MemberId>& unexpected, TimePoint now);
  /// Continues the attempt that an earlier process left unfinished. The messages that it received
  /// and the decisions that it made still hold.
  void take_up(UnfinishedAttempt attempt, TimePoint now);
  void apply(RoundOutput output);
  void open_sum(SumRequest request);
  void finish_attempt(RoundOutcome outcome, TimePoint now);
  /// The round was lost too often: the run ends, without its closing evaluation if training is
  /// complete and with a failure otherwise.
  void give_up(const RoundRecord& last);
  void close_round(RoundRecord& record, TimePoint now);
  /// Records the faults of the attempt: members that delayed it are left out of later rounds.
  void settle_faults(const std::vector<MemberId>& survivors);
  void log_faults(const Status& kept, const std::vector<Fault>& faults);
  [[nodiscard]] double wall_s() const;

  // ---- exclusions (coordinator_exclusions.cc)

  /// Keeps the evidence, emits an event about it and, if it proves a protocol violation of a
  /// member, convicts that member.
  void judge(const secagg::Evidence& evidence);
  /// Updates the suspicions about spoiled sums by the end of an attempt. Called before that end is
  /// durable.
  void judge_sum(const RoundOutcome& outcome);
  /// Updates `members` from the convictions and suspicions.
  void show_exclusions();
  void emit_suspensions(const Suspicion::State& before, const Suspicion::State& after);
  /// Removes suspended and suspected members from `ready`, at most `room` of them.
  void leave_out_suspects(std::vector<MemberId>& ready, std::size_t room);
  /// Returns how many members of `ready` a round can do without, in a run without shared
  /// randomness.
  [[nodiscard]] std::size_t room_among(const std::vector<MemberId>& ready) const;
  [[nodiscard]] bool is_left_out(MemberId id) const;
  /// Counts a lost attempt; returns true when the run ends because of it.
  [[nodiscard]] bool count_lost(const RoundOutcome& outcome);

  // ---- the end

  void send_finished(MemberId peer);
  void end(RunState how, std::string why, RunEnd code);
  /// Returns what the model card says about the run.
  [[nodiscard]] job::RunFacts run_facts() const;
  void complete();
  void stop();
  /// Ends the run as failed. Members are sent `public_why` where it is given, because `why` may
  /// contain the text of another member.
  void fail(const std::string& why, std::optional<std::string> public_why = std::nullopt);

  // ---- display

  [[nodiscard]] RunStatus status(TimePoint now) const;
  /// Completes a request of the operator. `written` is the result of making it durable: emitted and
  /// shown when OK, else logged.
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
  std::string detail;  // for the operator
  std::optional<std::string>
      public_reason;  // the reason that is sent to members in place of `detail`
  bool ended = false;
  bool stop_after_round = false;
  bool withdrawn = false;  // a member withdrew in a job that this ends
  std::optional<TimePoint> gather_until;
  TimePoint not_before;
  std::string logged_demands;  // the demands that were logged last
  TimePoint reported;

  std::optional<RandomnessExchange> shared_randomness;  // set when the job's rounds are drawn
  std::optional<RoundStateMachine> machine;
  std::optional<TimePoint> machine_wake;
  RoundNumber round;
  std::vector<MemberId> cohort;
  std::vector<MemberId> left_out;  // of the attempt under way; their messages are ignored
  bool offender_found = false;     // the attempt under way led to a conviction
  std::uint32_t failed_attempts = 0;
  /// Consecutive lost attempts after which a member can be left out; failed_attempts counts the
  /// other ones.
  std::uint32_t lost_sum_attempts = 0;
  std::optional<encoding::NoisyEncoding> round_noise;  // of the attempt under way, if it trains
  RoundBoard board;
  Punctuality punctuality;  // of the attempt under way
  Backoff backoff;
};

}  // namespace sotto::coordinator
