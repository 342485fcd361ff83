// Pulls the masked uploads of a round, a few members at once and the others in a queue: which
// ranges to ask for, of whom, and when. Their bytes are the caller's. Sans-I/O. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
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

  /// Requests to send now. A member that sent nothing for three retries gives its place to the next
  /// one in the queue and starts again behind it.
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

  [[nodiscard]] std::optional<TimePoint> wake_at() const;
  /// Of the uploads being fetched; whole ones are gone from here.
  [[nodiscard]] std::uint64_t partial_bytes() const;

 private:
  struct Waiting {
    MemberId member{};
    Bytes32 hash_y{};
  };

  struct Active {
    wire::BlobRanges fetch;
    TimePoint last_progress;
  };

  void rotate_stalled(TimePoint now);
  void fill_places(TimePoint now);

  Limits limits_;
  std::deque<Waiting> queue_;
  std::map<MemberId, Active> active_;
};

}  // namespace sotto::coordinator
