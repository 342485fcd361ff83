#include "participant/training/learning_library.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include <dlfcn.h>

#include "common/base/version.h"

namespace sotto::training {
namespace {

bool has_avx512() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#else
  return false;
#endif
}

ModelProvider& load_or_throw() {
  return *load_learning_library(learning_library_path()).or_stop();
}

}  // namespace

std::filesystem::path learning_library_path() {
  const auto program = std::filesystem::read_symlink("/proc/self/exe");
  return program.parent_path().parent_path() / "lib" / "libsotto-learning.so";
}

Result<ModelProvider*> load_learning_library(const std::filesystem::path& path) {
  choose_openblas_kernel();
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return Error{"the learning library cannot be loaded: " + std::string(::dlerror())};
  const auto refused = [&](const std::string& why) {
    ::dlclose(library);
    return Error{path.string() + ": " + why};
  };
  const auto entry = reinterpret_cast<LearningEntry>(::dlsym(library, kLearningEntry));
  if (entry == nullptr) return refused("the file is not Sotto's learning library");
  const LearningLibrary found = entry();
  if (std::string_view(found.build_id) != build_id())
    return refused("the library belongs to build " + std::string(found.build_id) +
                   ", but this program to build " + build_id());
  return found.provider;
}

ModelProvider& learning_library() {
  static ModelProvider& provider = load_or_throw();
  return provider;
}

bool choose_openblas_kernel() {
  constexpr const char* kCoreType = "OPENBLAS_CORETYPE";
  if (!has_avx512() || std::getenv(kCoreType) != nullptr) return false;
  return ::setenv(kCoreType, "SkylakeX", 1) == 0;
}

}  // namespace sotto::training
