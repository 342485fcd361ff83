// Functions that the commands of both programs share.
#pragma once

#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <utility>

#include "common/base/result.h"

namespace sotto::cli {

/// Returns the value of `result`; throws a StartupError with its message when it is an Error.
template <class T>
T or_stop(Result<T> result) {
  if (!result.ok()) throw StartupError(result.error().message);
  return std::move(result).value();
}

inline void stop_unless(const Status& done) {
  if (!done.ok()) throw StartupError(done.error().message);
}

/// Prints `text` to standard output and adds a newline if it does not end with one.
inline void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (!text.ends_with('\n')) std::fputc('\n', stdout);
  std::fflush(stdout);
}

inline std::uint64_t unix_now() {
  return static_cast<std::uint64_t>(std::time(nullptr));
}

}  // namespace sotto::cli
