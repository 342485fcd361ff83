// Pulls the masked uploads of a round, a few members at once and the others in a queue: which
// ranges to ask for, of whom, and when. While others wait, a member that is silent loses its place,
// and so does one that has had it for its turn: members that trickle hold up nobody but themselves.
// Their bytes are the caller's. Sans-I/O. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "common/base/ids.h"
#include "common/wire/blob_transfer.h"
#include "common/wire/messages.h"

namespace sotto::coordinator {

class UploadCollector {
 public:
  struct Limits {
    std::uint64_t upload_bytes = 0;  // exact size of every upload
    std::uint32_t at_once = 4;
    wire::FetchLimits fetch;
  };

  explicit UploadCollector(Limits limits) : limits_(limits) {}

  /// `member` announced an upload with this hash. Once a member.
  void add(MemberId member, const Bytes32& hash_y, TimePoint now);
  /// Forgets the member: it left, or its bytes are no good.
  void drop(MemberId member);
  /// The member announced an upload that has not arrived yet.
  [[nodiscard]] bool expects(MemberId member) const;
  /// The link to the member came up again: its requests in flight are lost.
  void reconnected(MemberId member);

  /// Requests to send now. While others wait for a place, a member that sent nothing for patience()
  /// gives its own to the first of them, and so does one that has had it for turn(). It goes on
  /// where it was, after those that have had fewer turns.
  std::vector<wire::Envelope> due(RoundNumber round, TimePoint now);

  struct Taken {
    bool fresh = false;  // the range is new: its bytes belong at data.offset
    bool whole = false;  // and it was the last one; the hash is for the caller to check
  };

  /// An Error: the member broke the protocol or no longer has its upload.
  Result<Taken> accept(MemberId member, const wire::BlobData& data, TimePoint now);

  /// Bytes of some upload came within the last three retries: waiting for it is not in vain.
  [[nodiscard]] bool advancing(TimePoint now) const;

  /// How long an upload may stand still and count as advancing.
  [[nodiscard]] Duration patience() const { return 3 * limits_.fetch.retry_after; }

  /// How long a member has its place while others wait.
  [[nodiscard]] Duration turn() const { return limits_.at_once * patience(); }

  [[nodiscard]] std::optional<TimePoint> wake_at() const;
  /// Of the uploads that are not whole; whole ones are gone from here.
  [[nodiscard]] std::uint64_t partial_bytes() const;

 private:
  struct Upload {
    Bytes32 hash_y{};
    std::optional<wire::BlobRanges> fetch{};  // since its first turn
    std::uint32_t turns = 0;                  // the present one among them
    std::uint64_t queued = 0;                 // when, in the order of the queue
    TimePoint placed{};                       // when its turn began
    TimePoint last_progress{};
  };

  /// Fewest turns first, then in the order in which they came.
  using InQueue = std::tuple<std::uint32_t, std::uint64_t, MemberId>;

  [[nodiscard]] static InQueue place_in_queue(MemberId member, const Upload& upload) {
    return {upload.turns, upload.queued, member};
  }

  void end_turns(TimePoint now);
  void fill_places(TimePoint now);
  /// When a place is lost, if somebody waits for it and nothing more arrives.
  [[nodiscard]] TimePoint end_of_turn(const Upload& upload) const;

  Limits limits_;
  std::map<MemberId, Upload> uploads_;  // announced and not whole
  std::set<MemberId> active_;           // of these, those that have a place
  std::set<InQueue> queue_;             // and those that wait for one
  std::uint64_t next_in_queue_ = 0;
};

}  // namespace sotto::coordinator
