// Loads the learning library while a program runs. libtorch and what it needs are about 290 shared
// libraries, which take most of a second to load; commands that need no model do without them.
//
// libsotto-learning.so and the program that loads it each contain their own copy of the torch-free
// code that they use. So each has its own arena of secrets: a crypto::Secret must not be moved
// across training::ModelProvider, and no type there holds one. Errors, exceptions and containers
// may cross it, because both were built from the same commit and share the C++ library.
#pragma once

#include <filesystem>

#include "common/base/result.h"
#include "participant/training/model_provider.h"

namespace sotto::training {

/// The result of the one exported function of the library.
struct LearningLibrary {
  const char* build_id;  // common/base/version.h, of the library
  ModelProvider* provider;
};

/// The name and the type of that function.
inline constexpr const char* kLearningEntry = "sotto_learning";
using LearningEntry = LearningLibrary (*)();

/// The path at which the running program looks for the library: lib/libsotto-learning.so beside the
/// folder of the program, in the build tree as in an installed tree.
std::filesystem::path learning_library_path();

/// Loads a library and keeps it for the life of the process. Errors, which name `path`: it cannot
/// be loaded, it is no learning library, or it belongs to another build than this program.
Result<ModelProvider*> load_learning_library(const std::filesystem::path& path);

/// The provider of the library at learning_library_path(), which the first call loads. Throws
/// StartupError with load_learning_library()'s message. The first call sets an environment variable
/// (see choose_openblas_kernel()), so make it before other threads start.
ModelProvider& learning_library();

/// OpenBLAS selects its kernels when it is loaded. Version 0.3.21 identifies a Zen 5 processor as a
/// Haswell, which makes training several times slower. On an x86 processor with AVX-512 this sets
/// OPENBLAS_CORETYPE, unless it is set already, and returns whether it did.
bool choose_openblas_kernel();

}  // namespace sotto::training
