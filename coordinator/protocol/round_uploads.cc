#include "coordinator/protocol/round_uploads.h"

#include <algorithm>

namespace sotto::coordinator {

void UploadCollector::add(MemberId member, const Bytes32& hash_y, TimePoint now) {
  const auto [at, is_new] =
      uploads_.emplace(member, Upload{.hash_y = hash_y, .queued = next_in_queue_++});
  if (is_new) queue_.insert(place_in_queue(member, at->second));
  fill_places(now);
}

void UploadCollector::drop(MemberId member) {
  const auto at = uploads_.find(member);
  if (at == uploads_.end()) return;
  queue_.erase(place_in_queue(member, at->second));
  active_.erase(member);
  uploads_.erase(at);
}

bool UploadCollector::expects(MemberId member) const {
  return uploads_.contains(member);
}

void UploadCollector::reconnected(MemberId member) {
  if (active_.contains(member)) uploads_.at(member).fetch->reconnected();
}

void UploadCollector::fill_places(TimePoint now) {
  while (active_.size() < limits_.at_once && !queue_.empty()) {
    const MemberId next = std::get<MemberId>(*queue_.begin());
    queue_.erase(queue_.begin());
    active_.insert(next);
    Upload& upload = uploads_.at(next);
    if (!upload.fetch)
      upload.fetch.emplace(upload.hash_y, limits_.upload_bytes, limits_.upload_bytes,
                           limits_.fetch);
    ++upload.turns;
    upload.placed = upload.last_progress = now;
  }
}

TimePoint UploadCollector::end_of_turn(const Upload& upload) const {
  return std::min(upload.placed + turn(), upload.last_progress + patience());
}

void UploadCollector::end_turns(TimePoint now) {
  auto waiting = queue_.size();
  for (auto at = active_.begin(); at != active_.end() && waiting > 0;) {
    Upload& upload = uploads_.at(*at);
    if (now < end_of_turn(upload)) {
      ++at;
      continue;
    }
    upload.queued = next_in_queue_++;
    upload.fetch->reconnected();  // ranges in flight still count; the others are requested again
    queue_.insert(place_in_queue(*at, upload));
    at = active_.erase(at);
    --waiting;
  }
}

std::vector<wire::Envelope> UploadCollector::due(RoundNumber round, TimePoint now) {
  end_turns(now);
  fill_places(now);
  std::vector<wire::Envelope> send;
  for (MemberId member : active_)
    for (auto& request : uploads_.at(member).fetch->due(now))
      send.push_back({member, round, std::move(request)});
  return send;
}

Result<UploadCollector::Taken> UploadCollector::accept(MemberId member, const wire::BlobData& data,
                                                       TimePoint now) {
  const auto at = uploads_.find(member);
  // The data belong to an upload that is complete or dropped, or were requested by an earlier
  // process.
  if (at == uploads_.end() || !at->second.fetch) return Taken{};
  Upload& upload = at->second;
  SOTTO_ASSIGN_OR_RETURN(const auto fresh, upload.fetch->accept(data));
  if (fresh) upload.last_progress = now;
  const bool whole = upload.fetch->complete();
  if (whole) drop(member);
  return Taken{.fresh = fresh, .whole = whole};
}

bool UploadCollector::advancing(TimePoint now) const {
  return std::ranges::any_of(active_, [&](MemberId member) {
    const Upload& upload = uploads_.at(member);
    return upload.fetch->received_bytes() > 0 && now - upload.last_progress < patience();
  });
}

std::optional<TimePoint> UploadCollector::wake_at() const {
  std::optional<TimePoint> earliest;
  const auto consider = [&](TimePoint time) {
    if (!earliest || time < *earliest) earliest = time;
  };
  for (MemberId member : active_) {
    const Upload& upload = uploads_.at(member);
    if (const auto retry = upload.fetch->wake_at()) consider(*retry);
    if (!queue_.empty()) consider(end_of_turn(upload));
  }
  return earliest;
}

std::uint64_t UploadCollector::partial_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [member, upload] : uploads_)
    if (upload.fetch) bytes += upload.fetch->received_bytes();
  return bytes;
}

}  // namespace sotto::coordinator
