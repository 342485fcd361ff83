#include "common/wire/blob_transfer.h"

#include <algorithm>
#include <functional>
#include <string>

#include "common/base/check.h"
#include "common/wire/codec.h"

namespace sotto::wire {

namespace {

constexpr int kMaxPatience = 8;  // times retry_after

std::string short_name(const Bytes32& blob) {
  return "blob " + to_hex(BytesView(blob).first(6));
}

}  // namespace

BlobRanges::BlobRanges(const Bytes32& blob, std::optional<std::uint64_t> expected_bytes,
                       std::uint64_t max_bytes, FetchLimits limits)
    : blob_(blob),
      total_(expected_bytes),
      max_bytes_(max_bytes),
      limits_(limits),
      patience_(limits.retry_after) {
  SOTTO_CHECK(limits_.chunk_bytes > 0 && limits_.in_flight > 0, "a fetch that can ask for nothing");
  SOTTO_CHECK(!total_ || *total_ <= max_bytes_, "a blob expected longer than allowed");
  if (total_)
    list_chunks();
  else
    missing_ = {0};  // the answer contains the length of the blob
}

void BlobRanges::list_chunks() {
  missing_.clear();
  const std::uint64_t chunks = *total_ / limits_.chunk_bytes + (*total_ % limits_.chunk_bytes != 0);
  missing_.reserve(chunks);
  for (std::uint64_t chunk = chunks; chunk > 0; --chunk)
    missing_.push_back((chunk - 1) * limits_.chunk_bytes);
}

std::uint32_t BlobRanges::length_at(std::uint64_t offset) const {
  if (!total_) return limits_.chunk_bytes;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(limits_.chunk_bytes, *total_ - offset));
}

std::vector<BlobRequest> BlobRanges::due(TimePoint now) {
  // Answers arrive one after the other on one link. While any of them arrives, the others are under
  // way, and to repeat their requests would only slow down a slow link.
  if (heard_) {
    for (Request& request : in_flight_)
      request.sent = now;
    patience_ = limits_.retry_after;
    heard_ = false;
  }
  std::vector<BlobRequest> requests;
  for (Request& request : in_flight_) {
    if (request.sent + patience_ > now) continue;
    request.sent = now;
    requests.push_back({blob_, request.offset, length_at(request.offset)});
  }
  if (!requests.empty()) patience_ = std::min(2 * patience_, kMaxPatience * limits_.retry_after);
  while (!missing_.empty() && in_flight_.size() < limits_.in_flight) {
    const std::uint64_t offset = missing_.back();
    missing_.pop_back();
    in_flight_.push_back({offset, now});
    requests.push_back({blob_, offset, length_at(offset)});
  }
  return requests;
}

void BlobRanges::reconnected() {
  for (const Request& request : in_flight_)
    missing_.push_back(request.offset);
  in_flight_.clear();
  patience_ = limits_.retry_after;
  std::sort(missing_.begin(), missing_.end(), std::greater<>());
}

Status BlobRanges::learn_total(std::uint64_t total) {
  if (total_) {
    if (total != *total_)
      return Error{short_name(blob_) + " has " + std::to_string(total) + " bytes instead of " +
                   std::to_string(*total_)};
    return {};
  }
  if (total > max_bytes_)
    return Error{short_name(blob_) + " has " + std::to_string(total) + " bytes, at most " +
                 std::to_string(max_bytes_) + " allowed"};
  total_ = total;
  list_chunks();
  // The request for offset 0 may still be in flight; forget() removes it.
  if (!in_flight_.empty()) missing_.pop_back();
  return {};
}

bool BlobRanges::forget(std::uint64_t offset) {
  const auto asked = std::find_if(in_flight_.begin(), in_flight_.end(),
                                  [&](const Request& r) { return r.offset == offset; });
  if (asked != in_flight_.end()) {
    in_flight_.erase(asked);
    return true;
  }
  // It was requested before a reconnection and is answered after it.
  const auto waiting = std::lower_bound(missing_.begin(), missing_.end(), offset, std::greater<>());
  if (waiting == missing_.end() || *waiting != offset) return false;
  missing_.erase(waiting);
  return true;
}

Result<bool> BlobRanges::accept(const BlobData& data) {
  if (data.blob != blob_)
    return Error{"an answer about " + short_name(data.blob) + " instead of " + short_name(blob_)};
  if (data.total == 0 && total_ != 0U) return Error{"the peer does not have " + short_name(blob_)};
  SOTTO_TRY(learn_total(data.total));
  if (*total_ == 0) return false;  // no request was made; at most a duplicate
  if (data.offset >= *total_ || data.offset % limits_.chunk_bytes != 0 ||
      data.data.size() != length_at(data.offset))
    return Error{short_name(blob_) + ": an answer of " + std::to_string(data.data.size()) +
                 " bytes at " + std::to_string(data.offset) + ", which was never asked for"};
  heard_ = true;
  if (!forget(data.offset)) return false;
  received_ += data.data.size();
  return true;
}

bool BlobRanges::complete() const {
  return total_ && received_ == *total_;
}

std::optional<TimePoint> BlobRanges::wake_at() const {
  if (complete()) return std::nullopt;
  if (!missing_.empty() && in_flight_.size() < limits_.in_flight) return TimePoint{};
  SOTTO_CHECK(!in_flight_.empty(), "an incomplete blob that waits for nothing");
  const auto first = std::min_element(in_flight_.begin(), in_flight_.end(),
                                      [](auto& a, auto& b) { return a.sent < b.sent; });
  return first->sent + patience_;
}

BlobFetch::BlobFetch(const Bytes32& blob, std::optional<std::uint64_t> expected_bytes,
                     std::uint64_t max_bytes, FetchLimits limits)
    : ranges_(blob, expected_bytes, max_bytes, limits), data_(expected_bytes.value_or(0)) {}

Status BlobFetch::accept(const BlobData& data) {
  SOTTO_ASSIGN_OR_RETURN(const bool fresh, ranges_.accept(data));
  data_.resize(ranges_.total().value_or(0));
  if (fresh)
    std::copy(data.data.begin(), data.data.end(),
              data_.begin() + static_cast<std::ptrdiff_t>(data.offset));
  return {};
}

Bytes BlobFetch::take() {
  SOTTO_CHECK(complete(), "take() of a blob that is not complete");
  return std::move(data_);
}

Result<BlobData> answer(const BlobRequest& request, BytesView blob_bytes) {
  return answer(request, blob_bytes, {});
}

Result<BlobData> answer(const BlobRequest& request, BytesView head, BytesView rest) {
  const std::uint64_t total = head.size() + rest.size();
  if (request.length == 0 || request.length > Limits{}.blob_chunk_bytes)
    return Error{"a request for " + std::to_string(request.length) + " bytes of " +
                 short_name(request.blob)};
  if (request.offset >= total)
    return Error{"a request at " + std::to_string(request.offset) + " of " +
                 short_name(request.blob) + ", which has " + std::to_string(total) + " bytes"};
  const std::uint64_t end = std::min<std::uint64_t>(request.offset + request.length, total);
  const std::uint64_t cut = head.size();
  Bytes range;
  range.reserve(end - request.offset);
  const auto take = [&](BytesView from, std::uint64_t first, std::uint64_t last) {
    const BytesView part = from.subspan(first, last - first);
    range.insert(range.end(), part.begin(), part.end());
  };
  if (request.offset < cut) take(head, request.offset, std::min(end, cut));
  if (end > cut) take(rest, std::max(request.offset, cut) - cut, end - cut);
  return BlobData{request.blob, total, request.offset, std::move(range)};
}

BlobData absent(const BlobRequest& request) {
  return BlobData{request.blob, 0, 0, {}};
}

}  // namespace sotto::wire
