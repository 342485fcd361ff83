// What the commands of sotto-participant have in common.
#pragma once

#include <cstdio>
#include <ctime>
#include <string>
#include <utility>

#include "common/base/result.h"

namespace sotto::participant {

/// The value, or the one line with which the program ends.
template <class T>
T or_stop(Result<T> result) {
  if (!result.ok()) throw StartupError(result.error().message);
  return std::move(result).value();
}

inline void stop_unless(const Status& done) {
  if (!done.ok()) throw StartupError(done.error().message);
}

inline void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

inline std::uint64_t unix_now() {
  return static_cast<std::uint64_t>(std::time(nullptr));
}

}  // namespace sotto::participant
