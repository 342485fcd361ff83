// Vectors of megabytes. The kernel makes the pages of fresh memory one by one when they are first
// written: for 4 MB that takes as long as encoding an update into them. In large pages it does not.
#pragma once

#include <cstddef>
#include <vector>

namespace sotto {

/// Asks the kernel for large pages in [begin, begin + bytes), before they are first written. A
/// wish: it changes speed alone, and nothing where it is not granted.
void ask_for_large_pages(void* begin, std::size_t bytes);

/// `length` zeros, in large pages where they fill some.
template <class T>
std::vector<T> large_vector(std::size_t length) {
  std::vector<T> out;
  out.reserve(length);
  ask_for_large_pages(out.data(), length * sizeof(T));
  out.resize(length);
  return out;
}

}  // namespace sotto
