#include "participant/data/progress_clock.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <unistd.h>

namespace sotto::participant {

using std::chrono::steady_clock;

TimePoint steady_now() {
  return std::chrono::time_point_cast<Duration>(steady_clock::now());
}

ProgressBar::ProgressBar(std::string what)
    : what_(std::move(what)),
      next_(steady_clock::now() + std::chrono::seconds(2)),
      is_terminal_(::isatty(STDERR_FILENO) != 0) {}

ProgressBar::~ProgressBar() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
}

void ProgressBar::show(double part) {
  if (!is_terminal_ || steady_clock::now() < next_) return;
  next_ = steady_clock::now() + std::chrono::milliseconds(200);
  drawn_ = true;
  constexpr int kWidth = 40;
  const int full = static_cast<int>(std::clamp(part, 0.0, 1.0) * kWidth);
  std::fprintf(stderr, "\r%s [%s%s] %3.0f %%", what_.c_str(),
               std::string(static_cast<std::size_t>(full), '#').c_str(),
               std::string(static_cast<std::size_t>(kWidth - full), '.').c_str(), 100 * part);
  std::fflush(stderr);
}

}  // namespace sotto::participant
