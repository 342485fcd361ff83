// Backoff leaves members out of the next rounds because others had to wait for them in earlier
// ones, or because they went away there. A fault costs 1, 2, 4 ... rounds, at most kMostRounds.
// Rounds in which a member does its part in time take faults back, so that a member that fails
// occasionally misses few rounds and one that fails whenever it can takes part in few. It depends
// only on what happened in rounds. Durable, so that it outlives a restart of the coordinator. One
// thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace sotto::coordinator {

/// A failure of a member in a round, or in making the shared randomness that rounds are drawn from.
struct Fault {
  enum class Cost : std::uint8_t {
    kWaited,  // the others waited for it
    kLost     // it went away, which the others noticed at once: half the cost
  };
  MemberId member{};
  Cost cost{};
  std::string what;  // "silent in round 7, Upload"
};

class Backoff {
 public:
  static constexpr std::uint32_t kMostRounds = 64;
  /// The number of rounds, in which a member did its part in time, that take one fault back.
  static constexpr std::uint32_t kInTimeRoundsToRecover = 8;

  /// The record of a member that has a fault.
  struct Record {
    std::uint32_t faults = 0;
    std::uint32_t in_time = 0;   // rounds in time since a fault was last added or taken back
    std::uint32_t left_out = 0;  // of so many of the next rounds
    std::string what;            // the newest fault
    bool operator==(const Record&) const = default;
  };

  /// An empty list without a file: nothing is made durable.
  Backoff() = default;
  /// Reads `file`, backoff.json of the run folder, if it exists. An Error when it is damaged.
  static Result<Backoff> open(std::filesystem::path file);

  /// Returns the members of `ready` (ascending) that the next round takes, ascending: all that are
  /// not left out and, while these are fewer than `needed`, also those with the fewest faults and
  /// then with the fewest rounds still to miss. Members that are equal in both are taken together,
  /// as after an outage of all of them.
  [[nodiscard]] std::vector<MemberId> choose(const std::vector<MemberId>& ready,
                                             std::size_t needed) const;

  /// A round is over: it counts for each member that was left out of it, `faults` are added (the
  /// first one of each member counts), and the members in `in_time` did their part. Durable when it
  /// returns OK.
  Status round_over(const std::vector<Fault>& faults, const std::vector<MemberId>& in_time);
  /// Adds faults that belong to no round. Durable when it returns OK.
  Status add(const std::vector<Fault>& faults);

  [[nodiscard]] const std::map<MemberId, Record>& records() const { return records_; }

 private:
  void count(const std::vector<Fault>& faults);
  [[nodiscard]] Status save() const;

  std::filesystem::path file_;
  std::map<MemberId, Record> records_;
};

/// "left out of the next 4 rounds: silent in round 7, Upload"; empty for a member that is not left
/// out.
std::string describe(const Backoff::Record& record);

}  // namespace sotto::coordinator
