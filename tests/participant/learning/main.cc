// The main function of test programs that link libtorch. They compute with the kernels of OpenBLAS
// that Sotto's programs choose: OpenBLAS reads the choice when it is loaded, so a program that
// links it starts itself again.
#include <gtest/gtest.h>
#include <unistd.h>

#include "participant/training/learning_library.h"

int main(int argc, char** argv) {
  if (sotto::training::choose_openblas_kernel()) ::execv("/proc/self/exe", argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
