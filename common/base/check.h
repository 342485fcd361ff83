// SOTTO_CHECK: an invariant of ours. Stays on in release builds; prints file, line and reason,
// aborts.
#pragma once

#include <string_view>

namespace sotto {

[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               std::string_view reason);

}  // namespace sotto

#define SOTTO_CHECK(condition, reason)                                               \
  do {                                                                               \
    if (!(condition)) ::sotto::check_failed(#condition, __FILE__, __LINE__, reason); \
  } while (false)
