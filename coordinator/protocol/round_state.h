// Inside of RoundStateMachine, shared by round.cc (from the offer to the sum), round_settle.cc
// (complaints), round_intake.cc (uploads), round_burn.cc (the way out when there is no sum) and
// round_resume.cc. Not for anybody else.
#pragma once

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "common/secagg/shared/burn.h"
#include "coordinator/protocol/round.h"
#include "coordinator/protocol/round_uploads.h"

namespace sotto::coordinator {

using secagg::contains;
using secagg::IndexSet;
using secagg::Verdict;

// The phases of section 2.11. What has arrived is the secagg server's; here is only what time and
// transfer need.
struct AdvertisePhase {};

struct SharePhase {};

struct CheckPhase {};

struct SettlePhase {};

struct UploadPhase {
  UploadCollector collector;
  std::optional<TimePoint> last_call{};  // set when the phase is prolonged: no longer than to here
};

struct EndorsePhase {
  std::uint32_t sends = 1;
};

struct UnmaskPhase {
  std::uint32_t sends = 1;
  bool summing = false;  // the pool has the sum: nothing more is waited for
};

struct BurnPhase {
  secagg::BurnBallot ballot;
  std::string why;  // the round came to this
  std::uint32_t sends = 1;
};

struct ClosedPhase {};

// In the order of enum Phase.
using PhaseState = std::variant<AdvertisePhase, SharePhase, CheckPhase, SettlePhase, UploadPhase,
                                EndorsePhase, UnmaskPhase, BurnPhase, ClosedPhase>;

/// Frames about earlier rounds that a member may send in a round without being blamed: more than
/// what it can have in flight.
inline constexpr std::uint32_t kMostLateFrames = 64;

struct RoundStateMachine::State {
  State(RoundPlan round_plan, const crypto::SigningKey& signing);

  RoundPlan plan;
  const crypto::SigningKey* signing;
  secagg::Server server;
  wire::Offer offer;
  PhaseState phase;
  TimePoint deadline;
  std::set<MemberId> gone;                        // nobody waits for them in this round
  std::set<MemberId> left;                        // of these, those that said so themselves
  std::map<MemberId, std::uint32_t> late_frames;  // about earlier rounds
  codec::RingUpdate masked_sum;                   // over the complete uploads: S when it is fixed
  std::uint32_t survivors = 0;
  std::optional<wire::RoundStatus> ended;
  Bytes32 aggregate_hash{};
  std::optional<wire::RoundResult> m10;
  std::set<std::pair<MemberId, std::size_t>> convicted;  // by which message of whom
  std::map<MemberId, wire::BurnVote> votes;  // signed, of the cohort, asked for or not: evidence
  bool resuming = false;                     // facts are replayed: nobody hears of it
  RoundOutput out;                           // of the verb that is running

  [[nodiscard]] Phase current() const { return static_cast<Phase>(phase.index()); }

  template <class P>
  [[nodiscard]] P* in() {
    return std::get_if<P>(&phase);
  }

  [[nodiscard]] bool summing() const {
    const auto* unmask = std::get_if<UnmaskPhase>(&phase);
    return unmask && unmask->summing;
  }

  [[nodiscard]] MemberId id_at(std::uint32_t index) const { return server.cohort().at(index).id; }

  [[nodiscard]] IndexSet everybody() const {
    IndexSet all(server.cohort().size());
    std::iota(all.begin(), all.end(), 0U);
    return all;
  }

  void event(RoundEvent::Kind kind, MemberId member, std::string detail) {
    out.events.push_back({kind, current(), member, std::move(detail)});
  }

  void send(MemberId to, wire::Message message) {
    out.send.push_back({to, plan.header.round, std::move(message)});
  }

  // ---- what is said

  /// This phase's announcement for a member; nothing for one that the phase does not concern.
  [[nodiscard]] std::optional<wire::Message> announcement(std::uint32_t index) const;

  void announce(std::uint32_t index) {
    if (auto message = announcement(index)) send(id_at(index), std::move(*message));
  }

  void announce_to_all() {
    if (resuming) return;
    std::ranges::for_each(everybody(), [&](auto i) { announce(i); });
  }

  // ---- going on

  void enter(PhaseState next, TimePoint now);
  /// Everybody in `expected` has done its part or is gone.
  [[nodiscard]] bool settled(const IndexSet& expected, const IndexSet& done) const;
  void report_silent(const IndexSet& expected, const IndexSet& done);
  /// Nothing more is waited for in this phase.
  [[nodiscard]] bool complete() const;
  /// The phase is over, everything having arrived or its time being up.
  void end_phase(TimePoint now);
  void end_check(TimePoint now);
  /// Complaints are settled: fixes U2, or cancels the round.
  void begin_upload(TimePoint now);
  void end_upload(TimePoint now);
  /// How long a phase lasts: Settle as long as Check, a burn as long as the endorsements that it
  /// takes the place of.
  [[nodiscard]] Duration duration() const;
  void on_deadline(TimePoint now);
  /// The time is up but uploads still come in: the phase goes on, at most as long again.
  [[nodiscard]] bool prolong_upload(TimePoint now);
  void open_sum();

  // ---- burning (round_burn.cc)

  [[nodiscard]] wire::BurnRequest burn_request() const;
  void begin_burn(std::string why, TimePoint now);
  [[nodiscard]] bool burn_complete() const;
  [[nodiscard]] bool has_voted(MemberId member) const;
  void end_burn(TimePoint now);
  void receive_vote(MemberId from, const wire::BurnVote& vote);
  void receive_endorsement(MemberId from, const wire::Endorse& m7);

  void finish(wire::RoundStatus status, std::string reason);

  // ---- what is heard

  void judge(MemberId from, std::string_view what, const Verdict& verdict);
  /// As judge(); a message that counts is a fact.
  bool counts(MemberId from, const wire::Message& message, const Verdict& verdict);
  /// What a rejected message proves, once: a member cannot fill the disk with it.
  void keep_evidence(MemberId from, const wire::Message& rejected);
  /// The first piece of what was found by a message of this kind.
  void keep_evidence(MemberId from, std::size_t kind, std::vector<secagg::Evidence> found);
  void receive(MemberId from, const wire::Message& message, TimePoint now);
  void receive_upload(MemberId from, const wire::BlobData& data, TimePoint now);
  /// Every part of an upload in its order; false when the store failed.
  template <class Use>
  bool read_upload(std::uint32_t index, Use use);
  /// Its last range came, or it is in the store from before. Read twice, because nothing of it may
  /// be in the sum before all of it is what its header signed, and it is never whole in memory.
  void add_upload(MemberId from);
  void serve_model(MemberId to, const wire::BlobRequest& request);
  /// What was on its way when the round before ended is nobody's fault; a flood of it is.
  Verdict about_another_round(const wire::Envelope& envelope);
  /// Nobody waits for the member any more. Nothing happens when that is so already.
  void lose_member(MemberId member, std::string why);

  // ---- going on after a crash (round_resume.cc)

  /// Of what the phases before this one fixed.
  [[nodiscard]] Bytes32 digest_of_decisions() const;
  Status replay(const RoundFact& fact, TimePoint now);
  Status replay(const Heard& heard, TimePoint now);
  Status replay(const Left& one, TimePoint now);
  Status replay(const UploadWhole& whole, TimePoint now);
  Status replay(const Decided& decided, TimePoint now);
  Status replay(const EndedWithoutSum& ended, TimePoint now);

  /// Fills in wake_at and hands the verb's Output out.
  RoundOutput take_output(TimePoint now);
};

}  // namespace sotto::coordinator
