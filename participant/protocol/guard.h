// The participant's guard (docs/secure-aggregation.md, "Guard"): an append-only file without
// secrets that outlives restarts and decides what the participant may still sign in a round. A
// record is durable before the first byte of its message leaves. A torn last record counts as
// written (fail closed). The file is locked exclusively.
#pragma once

#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/storage/append_log.h"

namespace sotto::participant {

enum class GuardStep : std::uint8_t {
  kJoined = 1,
  kUploaded = 2,
  kEndorsed = 3,
  kVotedAbort = 4,
  kUnmasked = 5,
  kFreed = 6  // this member verified the abort certificate (AbortCertificate) of the round in which
              // it uploaded the input
};

/// Identifies a trained update before it is encoded. It is random and drawn when training ends.
using InputId = Bytes32;

struct GuardRecord {
  RunId run{};
  RoundNumber round;
  GuardStep step{};
  Bytes32 h{};
  Bytes32 d_u2{};    // kUploaded
  Bytes32 hash_y{};  // kUploaded
  Bytes32 d_s{};     // kEndorsed, kUnmasked
  InputId input{};   // kUploaded, kFreed; zero in older files
  bool operator==(const GuardRecord&) const = default;
};

/// GuardState applies the rules to a history of records and decides which record may follow. It
/// does no input or output.
class GuardState {
 public:
  /// Returns an Error for: a round not greater than the last of its run (kJoined); a step without
  /// the one before it, out of order, or a second time with other content; everything in a round
  /// that close_newest_rounds() closed; an input that left before and was not freed since; freeing
  /// an input under another h than the one it left under. A record identical to one that was
  /// applied is allowed (retransmission).
  [[nodiscard]] Status allows(const GuardRecord& record) const;
  /// Applies a record. SOTTO_CHECKs that it is allowed.
  void apply(const GuardRecord& record);
  /// True if an identical record was applied before.
  [[nodiscard]] bool holds(const GuardRecord& record) const;

  /// True if the input left the site and no abort certificate has freed it: it is never submitted
  /// again.
  [[nodiscard]] bool is_locked(const InputId& input) const { return left_.contains(input); }

  /// True if this member endorsed survivors in an attempt at that server round of the run and has
  /// no abort certificate for it. The attempt's sum may have been opened, with or without this
  /// member's share. Only the newest server round of the run that the member joined is remembered;
  /// older ones cannot be joined any more.
  [[nodiscard]] bool may_be_open(const RunId& run, std::uint64_t server_round) const;

  /// The greatest round of the run that was ever joined; 0 if none.
  [[nodiscard]] RoundNumber last_round(const RunId& run) const;
  /// Handles a lost record, which may have been any step of any newest round: nothing more is
  /// allowed in those rounds, and those with an upload count as endorsed. (A lost kJoined cannot be
  /// told apart: its M1 had not left, since that waits for fsync, and its secrets are gone; joining
  /// that round with fresh keys releases nothing twice.)
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
  /// Creates the file if it is missing and locks it. A torn tail closes the newest round of every
  /// run, durably, before this returns. Errors: the file is locked by another process, damaged
  /// before its end, or not writable.
  static Result<Guard> open(const std::filesystem::path& file);

  [[nodiscard]] const GuardState& state() const { return state_; }

  /// Does allows(), append, fsync and apply(). After an Error the message must not leave.
  Status record(const GuardRecord& record);

 private:
  Guard(storage::AppendLog log, GuardState state)
      : log_(std::move(log)), state_(std::move(state)) {}

  storage::AppendLog log_;
  GuardState state_;
};

}  // namespace sotto::participant
