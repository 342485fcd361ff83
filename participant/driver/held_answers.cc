#include "participant/driver/held_answers.h"

#include <algorithm>
#include <utility>

namespace sotto::participant {

TimePoint HeldAnswers::due(TimePoint began, TimePoint now) const {
  if (every_ <= Duration(0)) return now;
  const Duration passed = std::max(now - began, Duration(0));
  const auto points = std::max<Duration::rep>((passed + every_ - Duration(1)) / every_, 1);
  return began + points * every_;
}

void HeldAnswers::hold(TimePoint began, TimePoint now, std::function<void()> answer) {
  const TimePoint at = due(began, now);
  if (at <= now) return answer();
  const auto behind = std::ranges::upper_bound(held_, at, {}, &Held::at);
  held_.insert(behind, {at, std::move(answer)});
}

void HeldAnswers::run_due(TimePoint now) {
  while (!held_.empty() && held_.front().at <= now) {
    const std::function<void()> answer = std::move(held_.front().answer);
    held_.erase(held_.begin());
    answer();
  }
}

std::optional<TimePoint> HeldAnswers::next() const {
  if (held_.empty()) return std::nullopt;
  return held_.front().at;
}

}  // namespace sotto::participant
