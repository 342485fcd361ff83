#include "participant/learning/blas.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include <ATen/Parallel.h>
#include <dlfcn.h>

namespace sotto::learning {
namespace {

/// Returns a symbol of the libraries that this code was loaded with. dlsym() searches the scope of
/// its caller, also if that was loaded with RTLD_LOCAL.
template <class Function>
Function symbol(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

std::string library_of(const char* name) {
  Dl_info info{};
  void* address = dlsym(RTLD_DEFAULT, name);
  if (address == nullptr || dladdr(address, &info) == 0 || info.dli_fname == nullptr) return {};
  char real[4096];
  return realpath(info.dli_fname, real) != nullptr ? real : info.dli_fname;
}

}  // namespace

training::BlasDescription blas_description() {
  training::BlasDescription out;
  const std::string library = library_of("sgemm_");
  if (const auto config = symbol<char* (*)()>("openblas_get_config"); config != nullptr) {
    out.text = config();
    if (const auto core = symbol<char* (*)()>("openblas_get_corename"); core != nullptr)
      out.text += std::string(", kernel ") + core();
  } else {
    out.text = library.empty() ? "inside torch" : library;
    out.is_slow = library.find("/blas/libblas") != std::string::npos;
  }
  out.text += ", " + std::to_string(at::get_num_threads()) + " threads";
  return out;
}

void use_threads(std::uint32_t threads) {
  const int count = static_cast<int>(std::max<std::uint32_t>(threads, 1));
  at::set_num_threads(count);
  if (const auto set = symbol<void (*)(int)>("openblas_set_num_threads"); set != nullptr)
    set(count);
}

}  // namespace sotto::learning
