// The participant's guard (docs/secure-aggregation.md, "Guard"): an append-only file without
// secrets that outlives restarts and decides what may still be said in a round. A record is durable
// before the first byte of its message leaves; a torn last record counts as written (fail closed).
// Locked exclusively.
#pragma once

#include <filesystem>
#include <map>
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
  kUnmasked = 5,
  kFreed = 6  // this member verified the burn certificate of the round it uploaded the input in
};

/// Names a trained update before it is encoded: random, drawn when training ends.
using InputId = Bytes32;

struct GuardRecord {
  RunId run{};
  RoundNumber round;
  GuardStep step{};
  Bytes32 h{};
  Bytes32 d_u2{};    // kUploaded
  Bytes32 hash_y{};  // kUploaded
  Bytes32 d_s{};     // kEndorsed, kUnmasked
  InputId input{};   // kUploaded, kFreed; zero in files of before inputs had ids
  bool operator==(const GuardRecord&) const = default;
};

/// The rules over a history of records, pure: what a new record may be.
class GuardState {
 public:
  /// Refuses: a round not greater than the last of its run (kJoined); a step without the one before
  /// it, out of order, or a second time with other content; everything in a round that
  /// close_newest_rounds() closed; an input that left before and was not freed since; freeing an
  /// input under another h than the one it left under. The very same record again is allowed
  /// (retransmission).
  [[nodiscard]] Status allows(const GuardRecord& record) const;
  /// SOTTO_CHECKs that it is allowed.
  void apply(const GuardRecord& record);
  /// True when this very record was applied before.
  [[nodiscard]] bool holds(const GuardRecord& record) const;

  /// It left the site, and no burn certificate has freed it: it is never submitted again.
  [[nodiscard]] bool is_locked(const InputId& input) const { return left_.contains(input); }

  /// This member endorsed survivors in an attempt at that server round of the run, and has no burn
  /// certificate for it: the attempt's sum may have been opened, with this member's share or
  /// without. The newest server round of the run that it joined is the only one that is remembered;
  /// older ones cannot be joined any more.
  [[nodiscard]] bool may_be_open(const RunId& run, std::uint64_t server_round) const;

  /// Greatest round of the run that was ever joined; 0 if none.
  [[nodiscard]] RoundNumber last_round(const RunId& run) const;
  /// A record was lost and may have been any step of any newest round: nothing more is allowed in
  /// those, and those with an upload count as endorsed. (A lost kJoined cannot be told: its M1 had
  /// not left, since that waits for fsync, and its secrets are gone; joining that round with fresh
  /// keys releases nothing twice.)
  void close_newest_rounds();

 private:
  struct Round {
    RunId run{};
    RoundNumber round;
    bool closed = false;
    std::vector<GuardRecord> steps;
  };

  /// An attempt that was endorsed.
  struct Endorsed {
    RunId run{};
    std::uint64_t server_round = 0;
    Bytes32 h{};
  };

  [[nodiscard]] const Round* newest(const RunId& run) const;
  void keep_endorsed(const GuardRecord& record);
  [[nodiscard]] Status allows_freeing(const GuardRecord& record) const;

  std::vector<Round> last_;          // the newest round of each run: older ones are closed
  std::map<InputId, Bytes32> left_;  // locked inputs, with the h they left under
  std::vector<Endorsed> endorsed_;   // of the newest server round of each run
};

class Guard {
 public:
  /// Creates the file when it is missing and locks it. A torn tail closes the newest round of every
  /// run, durably, before this returns. An Error: locked by another process, damaged before its
  /// end, not writable.
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
