// Members tracks what each member of the roster answered to the job, whether it is present, and
// whether it is excluded. One thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/repeats.h"
#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/crypto/secure_random.h"
#include "common/wire/codec.h"
#include "coordinator/members/conflict_log.h"
#include "coordinator/members/least_sums.h"
#include "coordinator/observability/run_events.h"

namespace sotto::coordinator {

class Members {
 public:
  /// Frames per second. A gigabyte of blob data takes about half of them.
  static constexpr std::uint32_t kMostFrames = 10000;
  static constexpr std::uint32_t kMostAnswers = 8;  // changes of an answer per hour
  static constexpr std::size_t kMostKinds = 64;

  /// Begins with the participants of the roster, all absent.
  explicit Members(const config::Roster& roster);

  [[nodiscard]] bool contains(MemberId id) const { return members_.contains(id); }

  [[nodiscard]] std::size_t size() const { return members_.size(); }

  [[nodiscard]] std::string name_of(MemberId id) const;
  [[nodiscard]] std::vector<MemberStatus> status() const;

  /// Opens the file of the complaints of this run's rounds. Called when a run begins or continues,
  /// before add_conflicts().
  Status open_conflicts(const std::filesystem::path& file);

  Status add_conflicts(RoundNumber round, const std::vector<secagg::Conflict>& conflicts) {
    return conflicts_.add(round, conflicts);
  }

  /// Returns a sentence for the log that names both members, when the conflict happens for the 1st,
  /// 2nd, 4th, 8th ... time.
  [[nodiscard]] std::optional<std::string> line_about(const secagg::Conflict& conflict) const;

  /// Returns which member of a pair left because of pre-shared keys that differ, in attempts before
  /// `round`.
  [[nodiscard]] secagg::WhoLeft<MemberId> keys_before(RoundNumber round) const {
    return conflicts_.keys_before(round);
  }

  /// The hash of the roster that this run uses.
  [[nodiscard]] const Bytes32& roster_hash() const { return roster_hash_; }

  [[nodiscard]] bool shares_roster(const wire::Hello& hello) const {
    return hello.roster_hash == roster_hash_;
  }

  /// Called when a Hello names another roster. The member is absent until its next Hello, and its
  /// status has the reason. Returns a line for the log at the 1st, 2nd, 4th, 8th ... time for the
  /// same roster.
  std::optional<std::string> has_other_roster(MemberId id, const wire::Hello& hello);

  /// Called for a Hello. Returns true when the member was absent before it, or when its connection
  /// ended since the Hello before: what was sent to it last may be lost.
  bool on_message(MemberId id, TimePoint now);
  [[nodiscard]] bool accepted(MemberId id) const;
  void offered(MemberId id);

  struct Answered {
    bool awaited = false;  // the first answer after an offer of the job
    /// Set when the answer differs from the previous one and takes effect.
    std::optional<MemberAnswered> change{};
    std::optional<std::string> violation{};  // for the log
  };

  /// Called for an answer whose signature was checked. Sites change their answer when time passes
  /// or a person there decides; more than kMostAnswers changes in an hour are a protocol violation.
  /// Each change is written to the signed audit log, which a member must not be able to fill. Of
  /// the changes beyond that number, only one that ends an acceptance takes effect; the others are
  /// ignored until the hour is over.
  Answered answered(MemberId id, const wire::JobReply& reply, TimePoint now);
  /// Returns the sum of the sizes that these members declared for their evaluation splits. Nothing
  /// while one of them has not answered the job since this process began.
  [[nodiscard]] std::optional<std::uint64_t> declared_evaluation(
      const std::vector<MemberId>& of) const;
  /// declared_sizes() returns the declared size of each member, 0 for one that has not answered.
  /// remember_sizes() restores them after a restart, for members that have not answered since.
  [[nodiscard]] std::vector<std::uint64_t> declared_sizes(const std::vector<MemberId>& of) const;
  void remember_sizes(const std::vector<MemberId>& of, const std::vector<std::uint64_t>& sizes);

  /// The least sums in the newest accepting answers since this process began.
  [[nodiscard]] const LeastSums& least_sums() const { return least_sums_; }

  struct Admission {
    bool taken = true;
    std::optional<std::string> line{};  // for the log
  };

  /// Called before a frame is processed; `id` is the member that the transport authenticated. Not
  /// taken when the member sends more than kMostFrames in a second: the rest of that second is
  /// ignored.
  Admission admit(MemberId id, TimePoint now);
  /// Returns a line for the log when the frame does not decode or names another sender.
  std::optional<std::string> on_frame(MemberId id, const Result<wire::Decoded>& frame);
  /// Counts a protocol violation and returns a line for the log at the 1st, 2nd, 4th, 8th ... time
  /// of the same one. `where` and `detail` stand before and after it in the line and do not make it
  /// a different one. The first kMostKinds violations of a member are distinguished, so that no
  /// member can fill the log.
  std::optional<std::string> report_violation(MemberId id, const std::string& violation,
                                              const std::string& where = "",
                                              const std::string& detail = "");

  /// A connection of the member ended. Returns a line for the log at the 1st, 2nd, 4th, 8th ...
  /// time. It is not counted as a protocol violation, because the cause may be the member's
  /// network; a frame that is too long also ends a connection, and the two cannot be told apart.
  std::optional<std::string> link_ended(MemberId id);

  /// Counts a protocol violation that is logged elsewhere.
  void count_violation(MemberId id) { ++members_.at(id).status.violations; }

  /// Called when a Hello names another protocol version: reports a protocol violation of the
  /// member.
  std::optional<std::string> report_other_protocol(MemberId id, std::uint32_t protocol);

  /// A message to the member could not be sent; take_lost() returns the member.
  void unreachable(MemberId id) { unreachable_.insert(id); }

  /// Marks the member as absent until its next Hello.
  void forget(MemberId id) { members_.at(id).last_hello.reset(); }

  /// Marks as absent the members of the cohort that are not among the survivors, if the round has
  /// survivors.
  void mark_silent_absent(const std::vector<MemberId>& cohort,
                          const std::vector<MemberId>& survivors);

  /// Returns the members that cannot be reached or have sent no Hello for 20 s, each once, and
  /// marks them as absent.
  std::vector<MemberId> take_lost(TimePoint now);

  /// A member that takes part in no round, whatever it answers, with the state and the reason that
  /// its status has in place of those of its answer.
  struct Exclusion {
    MemberState state{};
    std::string reason;
  };

  /// Replaces all exclusions. Members in `suspected` take part, and their status says that they are
  /// suspected.
  void exclude(std::map<MemberId, Exclusion> excluded, std::set<MemberId> suspected);

  /// Returns the members that accepted, are present and are not excluded, ascending.
  [[nodiscard]] std::vector<MemberId> ready() const;
  /// Returns the number of members that declined or are excluded.
  [[nodiscard]] std::size_t refused() const;
  /// Returns the members that did not decline and are not excluded, present or not, ascending.
  [[nodiscard]] std::vector<MemberId> not_refused() const;
  /// "name: reason; name: reason" of the members that refused() counts.
  [[nodiscard]] std::string refusals() const;

 private:
  [[nodiscard]] std::string sentence_about(const secagg::Conflict& conflict) const;

  struct Member {
    MemberStatus status;
    std::optional<std::uint64_t> evaluation_examples;  // by its newest acceptance
    std::optional<TimePoint> last_hello;
    bool offered = false;    // was offered the job and has not answered since
    TimePoint second_began;  // in which `frames` are counted
    std::uint32_t frames = 0;
    TimePoint hour_began;  // in which `answers` are counted
    std::uint32_t answers = 0;
    Repeats violations{kMostKinds};
  };

  /// The member's status with its exclusion applied, for display and for the choice of a cohort.
  [[nodiscard]] MemberStatus shown(const Member& member) const;

  std::uint32_t roster_version_;
  Bytes32 roster_hash_;
  std::map<MemberId, Member> members_;
  LeastSums least_sums_;
  std::map<MemberId, Exclusion> excluded_;
  std::set<MemberId> suspected_;
  ConflictLog conflicts_;
  std::set<MemberId> unreachable_;
  std::set<MemberId> ended_links_;  // members without a Hello since their connection ended
  Repeats other_rosters_;
};

/// Returns the size of a cohort that the coordinator draws from `ready` members: fraction_train of
/// them, but not fewer than the job's minimum where there are so many.
std::size_t cohort_size(const config::RoundsSection& rounds, std::size_t ready);

/// Draws cohort_size() of the members in `ready` and returns them ascending. The coordinator draws
/// because it knows the cohort in any case.
std::vector<MemberId> draw_cohort(const config::RoundsSection& rounds, std::vector<MemberId> ready,
                                  crypto::SecureRandom& random);

}  // namespace sotto::coordinator
