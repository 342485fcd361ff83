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

/// Which ranges of one blob are here, asked for or missing; its bytes are the caller's, who checks
/// the whole against its hash. A blob of 0 bytes has to be expected as such: it is complete at
/// once, and on the wire 0 bytes means "not here".
class BlobRanges {
 public:
  /// `expected_bytes`: exact size where known in advance, else at most `max_bytes`.
  BlobRanges(const Bytes32& blob, std::optional<std::uint64_t> expected_bytes,
             std::uint64_t max_bytes, FetchLimits limits = {});

  /// Requests to send now: first ones, refills of the window, retries that are due. Call after
  /// every accept() and at wake_at().
  std::vector<BlobRequest> due(TimePoint now);
  /// Forgets what was in flight, so that due() asks again: after a reconnection.
  void reconnected();
  /// True when the bytes are new: they belong at data.offset. An Error: the peer broke the protocol
  /// (wrong blob, size, range) or does not have it. Duplicates are ignored.
  Result<bool> accept(const BlobData& data);
  [[nodiscard]] bool complete() const;
  /// When due() has something to say again; the past when it has already.
  [[nodiscard]] std::optional<TimePoint> wake_at() const;

  [[nodiscard]] std::uint64_t received_bytes() const { return received_; }

  /// Its length, once that is known.
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
  std::vector<std::uint64_t> missing_;  // offsets not yet received nor in flight, descending
  std::vector<Request> in_flight_;
  std::uint64_t received_ = 0;
  Duration patience_;
  bool heard_ = false;  // an answer came since the last due()
};

/// Receives one blob into memory: BlobRanges and the bytes.
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

  /// Once complete().
  Bytes take();

 private:
  BlobRanges ranges_;
  Bytes data_;
};

/// The answer to a request about `blob`'s bytes: what there is of the range. An Error when it is
/// empty, starts behind the end or is longer than Limits::blob_chunk_bytes.
Result<BlobData> answer(const BlobRequest& request, BytesView blob_bytes);
/// A blob whose bytes lie in two places, one behind the other.
Result<BlobData> answer(const BlobRequest& request, BytesView head, BytesView rest);
/// The answer when the blob is not here.
BlobData absent(const BlobRequest& request);

}  // namespace sotto::wire
