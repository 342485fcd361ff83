#include "participant/learning/heap.h"

#include <fstream>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace sotto::learning {
namespace {

using at::Tensor;

double resident_mib() {
  std::ifstream statm("/proc/self/statm");
  double total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

Tensor two_mib() {
  return at::zeros({1 << 19});
}

#if defined(__GLIBC__)
TEST(Heap, AFreedTensorLeavesNoHoleBetweenOthers) {
  give_large_blocks_own_pages();
  two_mib();  // the first that is freed is what glibc takes as a reason to keep others
  std::vector<Tensor> tensors;
  for (int i = 0; i < 64; ++i)
    tensors.push_back(two_mib());
  const double full = resident_mib();
  for (std::size_t i = 0; i < tensors.size(); i += 2)
    tensors[i] = Tensor();
  EXPECT_LT(resident_mib(), full - 56) << "32 tensors of 2 MiB were freed";
}
#endif

}  // namespace
}  // namespace sotto::learning
