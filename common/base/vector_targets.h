// These macros compile the source of a hot loop for three register widths, one of which is chosen
// at run time, so that no global -march is needed. The choice uses function pointers and not
// target_clones, whose resolvers run before the sanitizers have started. Loops work on blocks of a
// constant length, which every compiler turns into vector instructions at -O2.
#pragma once

#define SOTTO_INLINE __attribute__((always_inline)) inline

#if defined(__x86_64__)
#define SOTTO_AVX2 __attribute__((target("avx2")))
#if defined(__clang__)  // it has no such target, and chooses the width itself
#define SOTTO_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq")))
#else
#define SOTTO_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,prefer-vector-width=512")))
#endif
#endif

namespace sotto {

/// Returns the function with the widest registers that this processor supports.
template <class Function>
Function widest(Function baseline, [[maybe_unused]] Function avx2,
                [[maybe_unused]] Function avx512) {
#if defined(SOTTO_AVX2)
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) return avx512;
  if (__builtin_cpu_supports("avx2")) return avx2;
#endif
  return baseline;
}

}  // namespace sotto

// On other processors all three are the same code.
#if !defined(SOTTO_AVX2)
#define SOTTO_AVX2
#define SOTTO_AVX512
#endif
