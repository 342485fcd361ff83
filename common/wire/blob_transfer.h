// Transfer of a large payload in ranges: a receiver that bounds the data in flight, and the
// sender's answer. The classes do no I/O; they return and take messages.
#pragma once

#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/wire/messages.h"

namespace sotto::wire {

struct FetchLimits {
  std::uint32_t chunk_bytes = 256 * 1024;
  std::uint32_t in_flight = 8;  // requests outstanding
  // Requests are sent again when no answer has arrived for this long. The time doubles with each
  // repetition, up to 8 times this, until an answer arrives.
  Duration retry_after{5000};
};

/// BlobRanges records which ranges of one blob have been received, requested, or neither. The
/// caller keeps the bytes and checks the whole against its hash. A blob of 0 bytes has to be
/// expected as such: it is complete at once, while a total of 0 in an answer means that the sender
/// does not have the blob.
class BlobRanges {
 public:
  /// `expected_bytes` is the exact size where it is known in advance; otherwise the size is at most
  /// `max_bytes`.
  BlobRanges(const Bytes32& blob, std::optional<std::uint64_t> expected_bytes,
             std::uint64_t max_bytes, FetchLimits limits = {});

  /// Returns the requests to send now: first ones, those that refill the window, and repetitions
  /// that are due. Call it after every accept() and at wake_at().
  std::vector<BlobRequest> due(TimePoint now);
  /// Forgets the requests in flight, so that due() makes them again. Call it after a reconnection.
  void reconnected();
  /// Returns true when the bytes are new; they belong at data.offset. Returns false for a
  /// duplicate. An Error means that the peer violated the protocol (wrong blob, size or range) or
  /// does not have the blob.
  Result<bool> accept(const BlobData& data);
  [[nodiscard]] bool complete() const;
  /// Returns when due() has requests to send again: a time in the past when it has some now,
  /// nothing once the blob is complete.
  [[nodiscard]] std::optional<TimePoint> wake_at() const;

  [[nodiscard]] std::uint64_t received_bytes() const { return received_; }

  /// The length of the blob, once it is known.
  [[nodiscard]] std::optional<std::uint64_t> total() const { return total_; }

  [[nodiscard]] const Bytes32& blob() const { return blob_; }

 private:
  struct Request {
    std::uint64_t offset;
    TimePoint sent;
  };

  Status learn_total(std::uint64_t total);
  void list_chunks();
  [[nodiscard]] std::uint32_t length_at(std::uint64_t offset) const;
  bool forget(std::uint64_t offset);

  Bytes32 blob_;
  std::optional<std::uint64_t> total_;
  std::uint64_t max_bytes_;
  FetchLimits limits_;
  std::vector<std::uint64_t> missing_;  // offsets neither received nor in flight, descending
  std::vector<Request> in_flight_;
  std::uint64_t received_ = 0;
  Duration patience_;
  bool heard_ = false;  // an answer was accepted since the last due()
};

/// BlobFetch receives one blob into memory: BlobRanges and the bytes.
class BlobFetch {
 public:
  BlobFetch(const Bytes32& blob, std::optional<std::uint64_t> expected_bytes,
            std::uint64_t max_bytes, FetchLimits limits = {});

  std::vector<BlobRequest> due(TimePoint now) { return ranges_.due(now); }

  void reconnected() { ranges_.reconnected(); }

  Status accept(const BlobData& data);

  [[nodiscard]] bool complete() const { return ranges_.complete(); }

  [[nodiscard]] std::optional<TimePoint> wake_at() const { return ranges_.wake_at(); }

  [[nodiscard]] std::uint64_t received_bytes() const { return ranges_.received_bytes(); }

  [[nodiscard]] const Bytes32& blob() const { return ranges_.blob(); }

  /// Returns the blob. Requires complete().
  Bytes take();

 private:
  BlobRanges ranges_;
  Bytes data_;
};

/// Answers a request with the bytes of the blob that lie in the range. Errors: the range is empty,
/// starts at or after the end, or is longer than Limits::blob_chunk_bytes.
Result<BlobData> answer(const BlobRequest& request, BytesView blob_bytes);
/// The same for a blob whose bytes are in two places, one after the other.
Result<BlobData> answer(const BlobRequest& request, BytesView head, BytesView rest);
/// Returns the answer of a sender that does not have the blob.
BlobData absent(const BlobRequest& request);

}  // namespace sotto::wire
