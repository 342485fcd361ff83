#include "participant/data/progress_clock.h"

#include <algorithm>
#include <array>
#include <cmath>
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
      begin_(steady_clock::now()),
      next_(begin_ + std::chrono::seconds(2)),
      is_terminal_(::isatty(STDERR_FILENO) != 0) {}

ProgressBar::~ProgressBar() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
}

void ProgressBar::show(double part, const std::string& note) {
  if (!is_terminal_ || steady_clock::now() < next_) return;
  next_ = steady_clock::now() + std::chrono::milliseconds(200);
  drawn_ = true;
  std::string bar;
  if (part >= 0) {
    constexpr std::size_t kWidth = 40;
    const double shown = std::clamp(part, 0.0, 1.0);
    const auto full = static_cast<std::size_t>(shown * static_cast<double>(kWidth));
    std::array<char, 16> share{};
    std::snprintf(share.data(), share.size(), " %3.0f %%", 100 * shown);
    bar = " [" + std::string(full, '#') + std::string(kWidth - full, '.') + "]" + share.data();
  }
  std::fprintf(stderr, "\r%s%s%s\x1b[K", what_.c_str(), bar.c_str(), note.c_str());
  std::fflush(stderr);
}

void ProgressBar::show(double part, std::uint64_t done, const char* units) {
  if (!is_terminal_ || steady_clock::now() < next_) return;
  const std::chrono::duration<double> passed = steady_clock::now() - begin_;
  std::string note = "  " + std::to_string(done) + " " + units + ", " +
                     std::to_string(std::llround(static_cast<double>(done) / passed.count())) +
                     " a second";
  if (part > 0)
    note += ", " + std::to_string(std::llround(passed.count() * (1 - part) / part)) + " s left";
  show(part, note);
}

}  // namespace sotto::participant
