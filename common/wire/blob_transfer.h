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
  Duration retry_after{5000};   // a request unanswered for this long is sent again
};

/// Receives one blob into memory. The caller checks the whole against its hash.
class BlobFetch {
 public:
  /// `expected_bytes`: exact size where known in advance, else at most `max_bytes`.
  BlobFetch(const Bytes32& blob, std::optional<std::uint64_t> expected_bytes,
            std::uint64_t max_bytes, FetchLimits limits = {});

  /// Requests to send now: first ones, refills of the window, retries that are due.
  std::vector<BlobRequest> due(TimePoint now);
  /// Forgets what was in flight, so that due() asks again: after a reconnection.
  void reconnected();
  /// An Error: the peer broke the protocol (wrong blob, size, range) or does not have it.
  /// Duplicates are ignored.
  Status accept(const BlobData& data);
  [[nodiscard]] bool complete() const;
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

  Bytes32 blob_;
  std::optional<std::uint64_t> total_;
  std::uint64_t max_bytes_;
  FetchLimits limits_;
  Bytes data_;
  std::vector<std::uint64_t> missing_;  // offsets not yet received nor in flight, descending
  std::vector<Request> in_flight_;
  std::uint64_t received_ = 0;
};

/// The answer to a request about `blob`'s bytes; an Error when the range is not inside it or too
/// long.
Result<BlobData> answer(const BlobRequest& request, BytesView blob_bytes);
/// The answer when the blob is not here.
BlobData absent(const BlobRequest& request);

}  // namespace sotto::wire
