// UploadCollector pulls the masked uploads of a round, from a few members at a time while the
// others wait in a queue. It decides which ranges to request, from whom and when. While others
// wait, a member loses its place when it sends nothing for patience(), or when it has had the place
// for turn(), so that a slow member does not delay the others. The caller stores the bytes. Does no
// I/O. One thread.
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
    std::uint64_t upload_bytes = 0;  // the exact size of every upload
    std::uint32_t at_once = 4;
    wire::FetchLimits fetch;
  };

  explicit UploadCollector(Limits limits) : limits_(limits) {}

  /// `member` has announced an upload with this hash. At most once per member.
  void add(MemberId member, const Bytes32& hash_y, TimePoint now);
  /// Forgets the member, because it left or its bytes are wrong.
  void drop(MemberId member);
  /// Returns true when the member has announced an upload that has not arrived completely.
  [[nodiscard]] bool expects(MemberId member) const;
  /// The member has connected again: its requests in flight are lost and are repeated.
  void reconnected(MemberId member);

  /// Returns the requests to send now. While others wait for a place, a member that has sent
  /// nothing for patience(), or has had its place for turn(), gives it to the first in the queue.
  /// It continues later where it stopped, after the members that have had fewer turns.
  std::vector<wire::Envelope> due(RoundNumber round, TimePoint now);

  struct Taken {
    bool fresh = false;  // the range is new; its bytes belong at data.offset
    bool whole = false;  // the upload is complete; the caller checks its hash
  };

  /// An Error when the member broke the protocol or no longer has its upload.
  Result<Taken> accept(MemberId member, const wire::BlobData& data, TimePoint now);

  /// Returns true when bytes of some upload that has a place arrived within the last patience().
  [[nodiscard]] bool advancing(TimePoint now) const;

  /// How long an upload may receive nothing and still count as advancing.
  [[nodiscard]] Duration patience() const { return 3 * limits_.fetch.retry_after; }

  /// How long a member keeps its place while others wait.
  [[nodiscard]] Duration turn() const { return limits_.at_once * patience(); }

  [[nodiscard]] std::optional<TimePoint> wake_at() const;
  /// The received bytes of incomplete uploads.
  [[nodiscard]] std::uint64_t partial_bytes() const;

 private:
  struct Upload {
    Bytes32 hash_y{};
    std::optional<wire::BlobRanges> fetch{};  // set at its first turn
    std::uint32_t turns = 0;                  // the current one included
    std::uint64_t queued = 0;                 // its number in the order of entering the queue
    TimePoint placed{};                       // when its turn began
    TimePoint last_progress{};
  };

  /// Fewest turns first, then in the order of entering the queue.
  using InQueue = std::tuple<std::uint32_t, std::uint64_t, MemberId>;

  [[nodiscard]] static InQueue place_in_queue(MemberId member, const Upload& upload) {
    return {upload.turns, upload.queued, member};
  }

  void end_turns(TimePoint now);
  void fill_places(TimePoint now);
  /// When the member loses its place, if another one waits and no more bytes arrive.
  [[nodiscard]] TimePoint end_of_turn(const Upload& upload) const;

  Limits limits_;
  std::map<MemberId, Upload> uploads_;  // announced and incomplete
  std::set<MemberId> active_;           // those that have a place
  std::set<InQueue> queue_;             // those that wait for one
  std::uint64_t next_in_queue_ = 0;
};

}  // namespace sotto::coordinator
