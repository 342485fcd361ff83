// Large pages for vectors of megabytes. The kernel creates the pages of fresh memory one by one
// when they are first written: for 4 MB that takes as long as encoding an update into them. Large
// pages avoid this cost.
#pragma once

#include <cstddef>
#include <vector>

namespace sotto {

/// Asks the kernel for large pages in [begin, begin + bytes), before they are first written. This
/// is a hint that affects speed alone; the kernel may ignore it.
void ask_for_large_pages(void* begin, std::size_t bytes);

/// Returns a vector of `length` zeros, in large pages where it is long enough to fill one.
template <class T>
std::vector<T> large_vector(std::size_t length) {
  std::vector<T> out;
  out.reserve(length);
  ask_for_large_pages(out.data(), length * sizeof(T));
  out.resize(length);
  return out;
}

}  // namespace sotto
