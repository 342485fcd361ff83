#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace sotto {

void check_failed(const char* condition, const char* file, int line, std::string_view reason) {
  std::fprintf(stderr, "sotto: internal error at %s:%d: %s: %.*s\n", file, line, condition,
               static_cast<int>(reason.size()), reason.data());
  std::abort();
}

}  // namespace sotto
