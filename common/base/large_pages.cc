#include "common/base/large_pages.h"

#include <memory>

#include <sys/mman.h>

namespace sotto {

void ask_for_large_pages(void* begin, std::size_t bytes) {
  constexpr std::size_t kLargePage = std::size_t{2} << 20;
  std::size_t room = bytes;
  void* inside = std::align(kLargePage, kLargePage, begin, room);
  if (inside == nullptr) return;  // the range contains no whole large page
  // The result is ignored because the call is only a hint.
  static_cast<void>(::madvise(inside, room / kLargePage * kLargePage, MADV_HUGEPAGE));
}

}  // namespace sotto
