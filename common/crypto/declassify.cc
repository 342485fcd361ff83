#include "common/crypto/declassify.h"

#ifdef SOTTO_MEMCHECK
#include <valgrind/memcheck.h>
#endif

namespace sotto::crypto {

void declassify([[maybe_unused]] std::span<const std::uint8_t> bytes) {
#ifdef SOTTO_MEMCHECK
  VALGRIND_MAKE_MEM_DEFINED(bytes.data(), bytes.size());
#endif
}

bool declassified(bool decision) {
#ifdef SOTTO_MEMCHECK
  VALGRIND_MAKE_MEM_DEFINED(&decision, sizeof decision);
#endif
  return decision;
}

}  // namespace sotto::crypto
