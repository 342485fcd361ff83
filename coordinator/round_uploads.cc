#include "coordinator/round_uploads.h"

#include <algorithm>
#include <utility>

namespace sotto::coordinator {

void UploadCollector::add(MemberId member, const Bytes32& hash_y, TimePoint now) {
  queue_.push_back({member, hash_y});
  fill_places(now);
}

void UploadCollector::drop(MemberId member) {
  active_.erase(member);
  std::erase_if(queue_, [&](const Waiting& waiting) { return waiting.member == member; });
}

bool UploadCollector::expects(MemberId member) const {
  return active_.contains(member) ||
         std::ranges::any_of(queue_, [&](const Waiting& w) { return w.member == member; });
}

void UploadCollector::reconnected(MemberId member) {
  if (auto at = active_.find(member); at != active_.end()) at->second.fetch.reconnected();
}

void UploadCollector::fill_places(TimePoint now) {
  while (active_.size() < limits_.at_once && !queue_.empty()) {
    const Waiting next = queue_.front();
    queue_.pop_front();
    active_.emplace(next.member, Active{wire::BlobRanges(next.hash_y, limits_.upload_bytes,
                                                         limits_.upload_bytes, limits_.fetch),
                                        now});
  }
}

void UploadCollector::rotate_stalled(TimePoint now) {
  auto waiting = queue_.size();
  for (auto at = active_.begin(); at != active_.end() && waiting > 0;) {
    if (now - at->second.last_progress < patience()) {
      ++at;
      continue;
    }
    queue_.push_back({at->first, at->second.fetch.blob()});
    at = active_.erase(at);
    --waiting;
  }
}

std::vector<wire::Envelope> UploadCollector::due(RoundNumber round, TimePoint now) {
  rotate_stalled(now);
  fill_places(now);
  std::vector<wire::Envelope> send;
  for (auto& [member, active] : active_)
    for (auto& request : active.fetch.due(now))
      send.push_back({member, round, std::move(request)});
  return send;
}

Result<UploadCollector::Taken> UploadCollector::accept(MemberId member, const wire::BlobData& data,
                                                       TimePoint now) {
  const auto at = active_.find(member);
  if (at == active_.end()) return Taken{};  // an answer from before a rotation
  const auto fresh = at->second.fetch.accept(data);
  if (!fresh.ok()) return fresh.error();
  if (*fresh) at->second.last_progress = now;
  const bool whole = at->second.fetch.complete();
  if (whole) active_.erase(at);
  return Taken{.fresh = *fresh, .whole = whole};
}

bool UploadCollector::advancing(TimePoint now) const {
  return std::ranges::any_of(active_, [&](const auto& entry) {
    const Active& active = entry.second;
    return active.fetch.received_bytes() > 0 && now - active.last_progress < patience();
  });
}

std::optional<TimePoint> UploadCollector::wake_at() const {
  std::optional<TimePoint> earliest;
  const auto consider = [&](TimePoint time) {
    if (!earliest || time < *earliest) earliest = time;
  };
  for (const auto& [member, active] : active_) {
    if (const auto retry = active.fetch.wake_at()) consider(*retry);
    if (!queue_.empty()) consider(active.last_progress + patience());
  }
  return earliest;
}

std::uint64_t UploadCollector::partial_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [member, active] : active_)
    bytes += active.fetch.received_bytes();
  return bytes;
}

}  // namespace sotto::coordinator
