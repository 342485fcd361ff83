// The participant's guard (docs/secure-aggregation.md, "Guard"): an append-only file without
// secrets that outlives restarts and decides what may still be said in a round. A record is durable
// before the first byte of its message leaves; a torn last record counts as written (fail closed).
// Locked exclusively.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace sotto::participant {

enum class GuardStep : std::uint8_t {
  kJoined = 1,
  kUploaded = 2,
  kEndorsed = 3,
  kBurned = 4,
  kUnmasked = 5
};

struct GuardRecord {
  RunId run{};
  RoundNumber round;
  GuardStep step{};
  Bytes32 h{};
  Bytes32 d_u2{};    // kUploaded
  Bytes32 hash_y{};  // kUploaded
  Bytes32 d_s{};     // kEndorsed, kUnmasked
  bool operator==(const GuardRecord&) const = default;
};

/// The rules over a history of records, pure: what a new record may be.
class GuardState {
 public:
  /// Refuses: a round not greater than the last of its run (kJoined); a step without the one before
  /// it, out of order, or a second time with other content. The very same record again is allowed
  /// (retransmission).
  [[nodiscard]] Status allows(const GuardRecord& record) const;
  void apply(const GuardRecord& record);
  /// Greatest round of the run that was ever joined; 0 if none. After a torn tail, every run's
  /// rounds up to and including the torn record's are closed.
  [[nodiscard]] RoundNumber last_round(const RunId& run) const;

 private:
  friend class Guard;

  struct Round {
    RunId run{};
    RoundNumber round;
    std::vector<GuardRecord> steps;
  };

  std::vector<Round> last_;  // the newest round of each run: older ones are closed
  bool torn_ = false;        // the newest record was cut: its round is closed
};

class Guard {
 public:
  static Result<Guard> open(const std::filesystem::path& file);
  Guard(Guard&&) noexcept;
  Guard& operator=(Guard&&) noexcept;
  ~Guard();

  [[nodiscard]] const GuardState& state() const;
  /// allows() + append + fsync + apply(). An Error: the message must not leave.
  Status record(const GuardRecord& record);

 private:
  struct Impl;
  explicit Guard(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sotto::participant
