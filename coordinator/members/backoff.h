// Who is left out of the next rounds because others had to wait for it, or lost it, in earlier
// ones. A fault costs 1, 2, 4 ... rounds, kMostRounds at most; rounds in which a member does its
// part in time take faults back, so that who fails now and then pays little and who fails as often
// as it can takes part in few rounds. A function of what happened in rounds alone. Durable, so that
// a restart of the coordinator forgets nobody. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace sotto::coordinator {

/// What a member did to a round, or to the shared randomness that rounds are drawn from.
struct Fault {
  enum class Cost : std::uint8_t {
    kWaited,  // the others waited for it, a phase of its own
    kLost     // it went away, which the others noticed at once: half of it
  };
  MemberId member{};
  Cost cost{};
  std::string what;  // "silent in round 7, Upload"
};

class Backoff {
 public:
  static constexpr std::uint32_t kMostRounds = 64;
  /// So many rounds in which a member did its part in time take one fault back.
  static constexpr std::uint32_t kRoundsToForgive = 8;

  /// Of a member that has a fault.
  struct Record {
    std::uint32_t faults = 0;
    std::uint32_t in_time = 0;   // rounds since the last fault was added or taken back
    std::uint32_t left_out = 0;  // of so many rounds from now on
    std::string what;            // the newest fault
    bool operator==(const Record&) const = default;
  };

  /// Empty and nowhere: nothing is kept.
  Backoff() = default;
  /// Reads `file` when it is there: backoff.json of the run folder. An Error when it is damaged.
  static Result<Backoff> open(std::filesystem::path file);

  /// Of `ready` (ascending) those that the next round takes, ascending: everybody who is not left
  /// out, and while these are fewer than `needed` also those who have the fewest faults and then
  /// the fewest rounds before them; all of them that are equal, as after an outage of everybody.
  [[nodiscard]] std::vector<MemberId> choose(const std::vector<MemberId>& ready,
                                             std::size_t needed) const;

  /// A round is over: it counts for everybody who was left out of it, `faults` are added (the first
  /// of a member counts), and those `in_time` did their part. Durable when it returns OK.
  Status round_over(const std::vector<Fault>& faults, const std::vector<MemberId>& in_time);
  /// Faults apart from a round. Durable when it returns OK.
  Status add(const std::vector<Fault>& faults);

  [[nodiscard]] const std::map<MemberId, Record>& records() const { return records_; }

 private:
  void count(const std::vector<Fault>& faults);
  [[nodiscard]] Status save() const;

  std::filesystem::path file_;
  std::map<MemberId, Record> records_;
};

/// "left out of the next 4 rounds: silent in round 7, Upload"; empty for one that is not left out.
std::string describe(const Backoff::Record& record);

}  // namespace sotto::coordinator
