#include "participant/learning/loss_watch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace sotto::learning {

namespace {

constexpr std::uint64_t kParts = 8;  // parts of a run

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string shown(double loss) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", loss);
  return text.data();
}

std::string steps_text(std::uint64_t first, std::uint64_t last) {
  return "steps " + std::to_string(first + 1) + " to " + std::to_string(last + 1);
}

}  // namespace

LossWatch::LossWatch(std::uint64_t steps)
    : steps_(steps),
      start_(steps >= 5 * kParts ? 5 : 3),
      window_(std::clamp<std::size_t>(steps / kParts, 3, 25)) {}

std::optional<std::string> LossWatch::add(std::uint64_t step, double mean_loss) {
  while (!points_.empty() && points_.back().step >= step)
    points_.pop_back();
  points_.push_back({step, mean_loss});
  if (points_.size() < start_ + window_ || 4 * (step + 1) < steps_) return std::nullopt;
  // Due at the last step of each eighth.
  const bool due = (step + 1) * kParts / steps_ != step * kParts / steps_;
  return due ? judge() : std::nullopt;
}

std::optional<std::string> LossWatch::judge() const {
  std::vector<double> first, last, changes;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    if (i < start_) first.push_back(points_[i].loss);
    if (i + window_ >= points_.size()) last.push_back(points_[i].loss);
    if (i > 0) changes.push_back(std::abs(points_[i].loss - points_[i - 1].loss));
  }
  const double before = median(first), now = median(last);
  // The deviation is taken from step to step, so that a trend does not count as spread: the
  // difference of two normal losses has sqrt(2) times their deviation, and its absolute value has a
  // median of 0.6745 deviations. The deviation of a median is 1.2533 times that of a mean.
  const double deviation = median(changes) / (0.6745 * std::sqrt(2.0));
  const double spread =
      1.2533 * deviation *
      std::sqrt(1 / static_cast<double>(start_) + 1 / static_cast<double>(window_));
  const bool from_the_start = points_.front().step == 0;
  const bool early = 2 * (points_.back().step + 1) < steps_;  // slow progress is accepted in the
                                                              // first half
  if (from_the_start ? now < before - (early ? 0 : spread) : now <= before + 3 * spread)
    return std::nullopt;
  return "the training loss has " + std::string(from_the_start ? "not fallen" : "risen") +
         ": median " + shown(before) + " over " +
         steps_text(points_.front().step, points_[start_ - 1].step) + ", " + shown(now) + " over " +
         steps_text(points_[points_.size() - window_].step, points_.back().step) + " of " +
         std::to_string(steps_);
}

}  // namespace sotto::learning
