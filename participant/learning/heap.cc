#include "participant/learning/heap.h"

#include <malloc.h>

namespace sotto::learning {

void give_large_blocks_own_pages() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 1 << 20);  // setting the threshold also stops glibc from raising it
#endif
}

}  // namespace sotto::learning
