// Who is there: what each member of the roster answered to the job, and when it was last heard. One
// thread.
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
  static constexpr std::uint32_t kMostFrames = 10000;  // a second; a gigabyte takes half of it
  static constexpr std::uint32_t kMostAnswers = 8;     // that differ, in an hour
  static constexpr std::size_t kMostKinds = 64;

  /// The roster's participants, all absent.
  explicit Members(const config::Roster& roster);

  [[nodiscard]] bool contains(MemberId id) const { return members_.contains(id); }

  [[nodiscard]] std::size_t size() const { return members_.size(); }

  [[nodiscard]] std::string name_of(MemberId id) const;
  [[nodiscard]] std::vector<MemberStatus> status() const;

  /// Complaints of the rounds of this run: read when a run begins or goes on, then added to.
  Status open_conflicts(const std::filesystem::path& file);

  Status add_conflicts(RoundNumber round, const std::vector<secagg::Conflict>& conflicts) {
    return conflicts_.add(round, conflicts);
  }

  /// A sentence for the log that names both, at the 1st, 2nd, 4th, 8th time that it happens.
  [[nodiscard]] std::optional<std::string> line_about(const secagg::Conflict& conflict) const;

  /// Who left whom because of pre-shared keys, in attempts before `round`.
  [[nodiscard]] secagg::WhoLeft<MemberId> keys_before(RoundNumber round) const {
    return conflicts_.keys_before(round);
  }

  /// Of the roster that this run works with.
  [[nodiscard]] const Bytes32& roster_hash() const { return roster_hash_; }

  [[nodiscard]] bool shares_roster(const wire::Hello& hello) const {
    return hello.roster_hash == roster_hash_;
  }

  /// A Hello names another roster: until its next one the member is absent, and its status says
  /// why. A line for the log, for the same roster at the 1st, 2nd, 4th, 8th ... time.
  std::optional<std::string> has_other_roster(MemberId id, const wire::Hello& hello);

  /// True when the member was not there before this Hello, or its connection ended since the one
  /// before: what was sent to it last may be lost.
  bool heard(MemberId id, TimePoint now);
  [[nodiscard]] bool accepted(MemberId id) const;
  void offered(MemberId id);

  struct Answered {
    bool awaited = false;  // the member was offered the job and this is its first answer since
    std::optional<MemberAnswered> change{};  // it differs from the answer before, and holds
    std::optional<std::string> misdeed{};    // for the log
  };

  /// An answer whose signature was checked. Sites change their answer when time passes or a person
  /// there decides; more than kMostAnswers changes in an hour are a misdeed. Each change stands in
  /// the signed audit log, which a member must not fill: of the changes beyond that number only one
  /// that ends an acceptance holds, and the others are ignored until the hour is over.
  Answered answered(MemberId id, const wire::JobReply& reply, TimePoint now);
  /// The sum of what these members declared as the sizes of their evaluation splits. Nothing while
  /// one of them has not answered to the job since this process began.
  [[nodiscard]] std::optional<std::uint64_t> declared_evaluation(
      const std::vector<MemberId>& of) const;
  /// The same of each, 0 for one that has not answered; and back, over a restart, for those that
  /// have not answered since.
  [[nodiscard]] std::vector<std::uint64_t> declared_sizes(const std::vector<MemberId>& of) const;
  void remember_sizes(const std::vector<MemberId>& of, const std::vector<std::uint64_t>& sizes);

  /// By the newest accepting answers since this process began.
  [[nodiscard]] const LeastSums& least_sums() const { return least_sums_; }

  struct Admission {
    bool taken = true;
    std::optional<std::string> line{};  // for the log
  };

  /// Before a frame from the member that the transport names is looked at. Not taken when it is one
  /// of more in a second than anybody's work needs: the rest of that second is ignored.
  Admission admit(MemberId id, TimePoint now);
  /// A line for the log when the frame does not decode or names another sender.
  std::optional<std::string> came(MemberId id, const Result<wire::Decoded>& frame);
  /// Counts a misdeed. A line for the log at the 1st, 2nd, 4th, 8th ... time of the same one;
  /// `where` it was done and its `detail` stand in the line, before and behind, and make it no
  /// other one. Of a member's misdeeds the first kMostKinds are told apart, so that none can fill
  /// the log.
  std::optional<std::string> blame(MemberId id, const std::string& misdeed,
                                   const std::string& where = "", const std::string& detail = "");

  /// A connection of the member ended. A line for the log at the 1st, 2nd, 4th, 8th ... time. No
  /// misdeed: it may be its network. But a frame that is too long ends one, and nobody can tell.
  std::optional<std::string> link_ended(MemberId id);

  /// Counts a misdeed that is said elsewhere.
  void count_misdeed(MemberId id) { ++members_.at(id).status.misdeeds; }

  /// A Hello names another protocol than ours: blames the member.
  std::optional<std::string> speaks(MemberId id, std::uint32_t protocol);

  /// The member could not be reached just now; take_lost() reports it.
  void unreachable(MemberId id) { unreachable_.insert(id); }

  /// The member is not waited for; it is back with its next Hello.
  void forget(MemberId id) { members_.at(id).last_hello.reset(); }

  /// Who was in the cohort of a round and not among its survivors, where it has any.
  void forget_silent(const std::vector<MemberId>& cohort, const std::vector<MemberId>& survivors);

  /// Members that cannot be reached or have been silent for long, each once; they are forgotten.
  std::vector<MemberId> take_lost(TimePoint now);

  /// Members that are in no round, whatever they answer, with the state and the reason that people
  /// see: in place of those of before.
  struct Exclusion {
    MemberState state{};
    std::string reason;
  };

  /// `suspected` take part, and people see that they are.
  void exclude(std::map<MemberId, Exclusion> excluded, std::set<MemberId> suspected);

  /// Accepted, there and not excluded, ascending.
  [[nodiscard]] std::vector<MemberId> ready() const;
  /// Who refused or is excluded.
  [[nodiscard]] std::size_t refused() const;
  /// All that did not decline and are not excluded, there or not, ascending.
  [[nodiscard]] std::vector<MemberId> not_refused() const;
  /// "name: reason; name: reason" of all of them.
  [[nodiscard]] std::string refusals() const;

 private:
  [[nodiscard]] std::string sentence_about(const secagg::Conflict& conflict) const;

  struct Member {
    MemberStatus status;
    std::optional<std::uint64_t> evaluation_examples;  // of its newest answer
    std::optional<TimePoint> last_hello;
    bool offered = false;    // the job, and has not answered since
    TimePoint second_began;  // of the frames that are counted
    std::uint32_t frames = 0;
    TimePoint hour_began;  // of the answers that are counted
    std::uint32_t answers = 0;
    Repeats misdeeds{kMostKinds};
  };

  /// What the member is for people and for the choice of a cohort.
  [[nodiscard]] MemberStatus shown(const Member& member) const;

  std::uint32_t roster_version_;
  Bytes32 roster_hash_;
  std::map<MemberId, Member> members_;
  LeastSums least_sums_;
  std::map<MemberId, Exclusion> excluded_;
  std::set<MemberId> suspected_;
  ConflictLog conflicts_;
  std::set<MemberId> unreachable_;
  std::set<MemberId> ended_links_;  // of members that have not said Hello since
  Repeats other_rosters_;
};

/// Members of a cohort that the coordinator draws of so many: fraction_train of them, never fewer
/// than the job's minimum where there are so many.
std::size_t cohort_size(const config::RoundsSection& rounds, std::size_t ready);

/// So many of those who are ready, drawn by the coordinator, which knows the cohort anyway.
/// Ascending.
std::vector<MemberId> draw_cohort(const config::RoundsSection& rounds, std::vector<MemberId> ready,
                                  crypto::SecureRandom& random);

}  // namespace sotto::coordinator
