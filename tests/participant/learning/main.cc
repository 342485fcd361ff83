// The main function of test programs that link libtorch. They compute with the kernels of OpenBLAS
// that Sotto's programs choose where the environment chooses none, whatever the caller's
// environment says. OpenBLAS reads the choice when it is loaded, so the program starts itself
// again.
#include <cstdlib>

#include <gtest/gtest.h>
#include <unistd.h>

#include "participant/training/learning_library.h"

int main(int argc, char** argv) {
  constexpr const char* kChosen = "SOTTO_TEST_KERNELS_CHOSEN";
  if (std::getenv(kChosen) == nullptr) {
    ::setenv(kChosen, "1", 1);
    ::unsetenv("OPENBLAS_CORETYPE");
    sotto::training::choose_openblas_kernel();
    ::execv("/proc/self/exe", argv);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
