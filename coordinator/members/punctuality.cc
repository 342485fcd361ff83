#include "coordinator/members/punctuality.h"

#include <algorithm>
#include <utility>

#include "common/base/printable.h"
#include "coordinator/observability/run_report.h"

namespace sotto::coordinator {

namespace {

/// Returns the index of the phase's deadline in an offer; nothing for a phase that ends when a part
/// of its members has answered, because the last of them are not waited for.
std::optional<std::size_t> deadline_of(Phase phase) {
  switch (phase) {
    case Phase::kAdvertise:
      return 0;
    case Phase::kShare:
      return 1;
    case Phase::kCheck:
      return 2;
    case Phase::kUpload:
      return 3;
    default:
      return std::nullopt;
  }
}

/// Returns true for the event by which a member has done its part of the phase.
bool does_its_part(const RoundEvent& event) {
  return event.kind == (event.phase == Phase::kUpload ? RoundEvent::Kind::kUploadProgress
                                                      : RoundEvent::Kind::kAccepted);
}

}  // namespace

void Punctuality::begin(Attempt attempt, const std::vector<MemberId>& unexpected) {
  attempt_ = std::move(attempt);
  absent_ = {unexpected.begin(), unexpected.end()};
  timed_.reset();
  faults_.clear();
}

void Punctuality::on_event(const RoundEvent& event, TimePoint now) {
  using Kind = RoundEvent::Kind;
  if (event.kind == Kind::kPhase) {
    end_phase();
    if (const auto at = deadline_of(event.phase))
      timed_ = Timed{.phase = event.phase, .most = Duration(attempt_.deadline_ms.at(*at))};
  } else if (event.kind == Kind::kSilent) {
    add(event.member, Fault::Cost::kWaited, "silent in " + where(event.phase));
  } else if (event.kind == Kind::kGone) {
    add(event.member, Fault::Cost::kLost,
        "gone in " + where(event.phase) + " (" + printable(event.detail, 100) + ")");
    absent_.insert(event.member);
  } else if (timed_ && timed_->phase == event.phase && does_its_part(event) &&
             !absent_.contains(event.member)) {
    timed_->done.emplace(event.member, now);
  }
}

void Punctuality::end_phase() {
  const auto timed = std::exchange(timed_, std::nullopt);
  if (!timed) return;
  std::vector<TimePoint> times;
  for (const auto& [member, when] : timed->done)
    times.push_back(when);
  std::ranges::sort(times);
  // All members but the colluders are "the others". Only so many uploads are pulled at a time that
  // the last ones may have waited for their turn.
  const std::size_t excused = timed->phase == Phase::kUpload
                                  ? std::min(attempt_.colluders, attempt_.uploads_at_once)
                                  : attempt_.colluders;
  if (times.size() <= excused) return;
  const TimePoint others_done = times[times.size() - 1 - excused];
  for (const auto& [member, when] : timed->done)
    if (when - others_done >= timed->most / kLateShare)
      add(member, Fault::Cost::kWaited,
          "late in " + where(timed->phase) + ": the other members waited " +
              std::to_string((when - others_done).count() / 1000) + " s for it");
}

std::string Punctuality::where(Phase phase) const {
  return "round " + label(attempt_.round) + ", " + std::string(name(phase));
}

void Punctuality::add(MemberId member, Fault::Cost cost, const std::string& what) {
  if (absent_.contains(member)) return;
  faults_.push_back({.member = member, .cost = cost, .what = what});
}

std::vector<Fault> Punctuality::end() {
  end_phase();
  return std::exchange(faults_, {});
}

}  // namespace sotto::coordinator
