// Pulling a big payload in ranges: a receiver that bounds what is in flight, and the sender's
// answer. Sans-I/O: they make and take messages.
#pragma once

#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/wire/messages.h"

namespace sotto::wire {

struct FetchLimits {
  std::uint32_t chunk_bytes = 256 * 1024;
  std::uint32_t in_flight = 8;  // requests outstanding
  Duration retry_after{5000};   // after this long with no answer at all, requests are sent again;
                                // then after twice as long, up to 8 times, until an answer comes
};

/// Receives one blob into memory. The caller checks the whole against its hash. A blob of 0 bytes
/// has to be expected as such: it is complete at once, and on the wire 0 bytes means "not here".
class BlobFetch {
 public:
  /// `expected_bytes`: exact size where known in advance, else at most `max_bytes`.
  BlobFetch(const Bytes32& blob, std::optional<std::uint64_t> expected_bytes,
            std::uint64_t max_bytes, FetchLimits limits = {});

  /// Requests to send now: first ones, refills of the window, retries that are due. Call after
  /// every accept() and at wake_at().
  std::vector<BlobRequest> due(TimePoint now);
  /// Forgets what was in flight, so that due() asks again: after a reconnection.
  void reconnected();
  /// An Error: the peer broke the protocol (wrong blob, size, range) or does not have it.
  /// Duplicates are ignored.
  Status accept(const BlobData& data);
  [[nodiscard]] bool complete() const;
  /// When due() has something to say again; the past when it has already.
  [[nodiscard]] std::optional<TimePoint> wake_at() const;

  [[nodiscard]] std::uint64_t received_bytes() const { return received_; }

  [[nodiscard]] const Bytes32& blob() const { return blob_; }

  /// Once complete().
  Bytes take();

 private:
  struct Request {
    std::uint64_t offset;
    TimePoint sent;
  };

  Status learn_total(std::uint64_t total);
  void allocate();
  [[nodiscard]] std::uint32_t length_at(std::uint64_t offset) const;
  bool forget(std::uint64_t offset);

  Bytes32 blob_;
  std::optional<std::uint64_t> total_;
  std::uint64_t max_bytes_;
  FetchLimits limits_;
  Bytes data_;
  std::vector<std::uint64_t> missing_;  // offsets not yet received nor in flight, descending
  std::vector<Request> in_flight_;
  std::uint64_t received_ = 0;
  Duration patience_;
  bool heard_ = false;  // an answer came since the last due()
};

/// The answer to a request about `blob`'s bytes: what there is of the range. An Error when it is
/// empty, starts behind the end or is longer than Limits::blob_chunk_bytes.
Result<BlobData> answer(const BlobRequest& request, BytesView blob_bytes);
/// The answer when the blob is not here.
BlobData absent(const BlobRequest& request);

}  // namespace sotto::wire
