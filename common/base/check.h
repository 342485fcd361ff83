// SOTTO_CHECK(condition, reason) checks an invariant of this code, in release builds too. When the
// condition is false it prints file, line and reason, and aborts the process.
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
