// The private state of RoundStateMachine, shared by round.cc (from the offer to the sum),
// round_settle.cc (complaints), round_intake.cc (uploads), round_abort.cc (the abort of a round)
// and round_resume.cc. No other file includes it.
#pragma once

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "common/secagg/shared/abort.h"
#include "coordinator/protocol/round.h"
#include "coordinator/protocol/round_uploads.h"

namespace sotto::coordinator {

using secagg::contains;
using secagg::IndexSet;
using secagg::MessageResult;

// The phases of docs/secure-aggregation.md, 2.11. secagg::Server keeps the messages that have
// arrived; these structs hold what timing and transfer need.
struct AdvertisePhase {};

struct SharePhase {};

struct CheckPhase {};

struct SettlePhase {};

struct UploadPhase {
  UploadCollector collector;
  /// The latest end of the phase, set when it is first extended.
  std::optional<TimePoint> last_call{};
};

struct EndorsePhase {
  std::uint32_t sends = 1;
};

struct UnmaskPhase {
  std::uint32_t sends = 1;
  bool summing = false;  // masks are being removed; the phase waits for no message
};

struct AbortPhase {
  secagg::AbortBallot ballot;
  std::string why;  // why the round is aborted
  std::uint32_t sends = 1;
};

struct ClosedPhase {};

// In the order of enum Phase.
using PhaseState = std::variant<AdvertisePhase, SharePhase, CheckPhase, SettlePhase, UploadPhase,
                                EndorsePhase, UnmaskPhase, AbortPhase, ClosedPhase>;

/// The number of frames about earlier rounds that a member may send in a round before they count as
/// protocol violations. It is more than a member can have in flight.
inline constexpr std::uint32_t kMostLateFrames = 64;

struct RoundStateMachine::State {
  State(RoundPlan round_plan, const crypto::SigningKey& signing);

  RoundPlan plan;
  const crypto::SigningKey* signing;
  secagg::Server server;
  wire::Offer offer;
  PhaseState phase;
  TimePoint deadline;
  std::set<MemberId> gone;                        // not waited for in this round
  std::set<MemberId> left;                        // members of `gone` that sent LeaveRound
  std::map<MemberId, std::uint32_t> late_frames;  // about earlier rounds
  encoding::RingUpdate
      masked_sum;  // over the complete uploads, whose members are S once it is fixed
  std::uint32_t survivors = 0;
  std::optional<wire::RoundStatus> ended;
  Bytes32 aggregate_hash{};
  std::optional<wire::RoundResult> m10;
  /// The sender and the kind of message of each piece of evidence so far.
  std::set<std::pair<MemberId, std::size_t>> offenders;
  /// The verified abort votes of the cohort, requested or not, as evidence.
  std::map<MemberId, wire::AbortVote> votes;
  bool resuming = false;  // facts are being replayed; nothing is sent
  RoundOutput out;        // the output of the call under way

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

  // ---- announcements

  /// Returns this phase's announcement for a member, or nothing when the phase does not concern it.
  [[nodiscard]] std::optional<wire::Message> announcement(std::uint32_t index) const;

  void announce(std::uint32_t index) {
    if (auto message = announcement(index)) send(id_at(index), std::move(*message));
  }

  void announce_to_all() {
    if (resuming) return;
    std::ranges::for_each(everybody(), [&](auto i) { announce(i); });
  }

  // ---- phases

  void enter(PhaseState next, TimePoint now);
  /// Returns true when every member of `expected` is in `done` or gone.
  [[nodiscard]] bool settled(const IndexSet& expected, const IndexSet& done) const;
  void report_silent(const IndexSet& expected, const IndexSet& done);
  /// Returns true when this phase waits for nothing more.
  [[nodiscard]] bool complete() const;
  /// Ends the phase, because everything has arrived or its time is over.
  void end_phase(TimePoint now);
  void end_check(TimePoint now);
  /// Called when complaints are settled: fixes U2, or cancels the round.
  void begin_upload(TimePoint now);
  void end_upload(TimePoint now);
  /// Returns how long the phase lasts. Settle lasts as long as Check, and the abort (Burn) as long
  /// as Endorse, which it replaces.
  [[nodiscard]] Duration duration() const;
  void on_deadline(TimePoint now);
  /// When the time is over but uploads are still arriving, extends the phase and returns true. All
  /// extensions together are at most as long as the phase itself.
  [[nodiscard]] bool prolong_upload(TimePoint now);
  void open_sum();

  // ---- abort of the round (round_abort.cc)

  [[nodiscard]] wire::AbortRequest abort_request() const;
  void begin_abort(std::string why, TimePoint now);
  [[nodiscard]] bool abort_complete() const;
  [[nodiscard]] bool has_voted(MemberId member) const;
  void end_abort(TimePoint now);
  void receive_vote(MemberId from, const wire::AbortVote& vote);
  void receive_endorsement(MemberId from, const wire::Endorse& m7);

  void finish(wire::RoundStatus status, std::string reason);

  // ---- messages

  void record_result(MemberId from, std::string_view what, const MessageResult& result);
  /// Reports the verdict as judge() does. An accepted message becomes a fact; returns true for it.
  bool counts(MemberId from, const wire::Message& message, const MessageResult& result);
  /// Keeps the evidence that a rejected message gives, once per member and kind of message, so that
  /// a member cannot fill the disk.
  void keep_evidence(MemberId from, const wire::Message& rejected);
  /// Keeps the first piece of `found`, unless there is evidence by a message of this kind already.
  void keep_evidence(MemberId from, std::size_t kind, std::vector<secagg::Evidence> found);
  void receive(MemberId from, const wire::Message& message, TimePoint now);
  void receive_upload(MemberId from, const wire::BlobData& data, TimePoint now);
  /// Calls `use` for the parts of an upload in order; returns false when the store failed.
  template <class Use>
  bool read_upload(std::uint32_t index, Use use);
  /// Called when the last range of an upload has arrived, or when an earlier process stored it. The
  /// upload is read twice, because no part may enter the sum before the whole has the hash that its
  /// header signed, and the upload is never in memory as a whole.
  void add_upload(MemberId from);
  void serve_model(MemberId to, const wire::BlobRequest& request);
  /// The verdict on a frame about another round. Frames that were in flight when an earlier round
  /// ended are ignored; more than kMostLateFrames of them are rejected.
  MessageResult about_another_round(const wire::Envelope& envelope);
  /// The member is not waited for any more. No effect when it is gone already.
  void lose_member(MemberId member, std::string why);

  // ---- resuming after a crash (round_resume.cc)

  /// The digest of the sets that the phases before this one fixed.
  [[nodiscard]] Bytes32 digest_of_decisions() const;
  Status replay(const RoundFact& fact, TimePoint now);
  Status replay(const ReceivedMessage& received, TimePoint now);
  Status replay(const Left& one, TimePoint now);
  Status replay(const UploadWhole& whole, TimePoint now);
  Status replay(const Decided& decided, TimePoint now);
  Status replay(const EndedWithoutSum& ended, TimePoint now);

  /// Ends phases that are complete, adds the requests for uploads that are due, sets wake_at and
  /// returns the output of the call.
  RoundOutput take_output(TimePoint now);
};

}  // namespace sotto::coordinator
