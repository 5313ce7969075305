// Selects the best instruction-set level of the kernels that the processor supports, once per process. Setup compiles
// level.cc to one table per level (listed in lib/setup/kernels.mjs).
#include <cstdlib>
#include <cstring>

#include "kernels.h"

namespace tunebook {

#if defined(__x86_64__)

extern const Kernels kernels_x86_64_v3, kernels_x86_64_v4, kernels_x86_64_v4_bf16;

const Kernels* const* SupportedKernels() {
  static const Kernels* supported[4] = {};
  static const bool filled = [] {
    __builtin_cpu_init();
    // The features of a level that compilers use. Features that every processor with these has are not checked.
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
    const Kernels** next = supported;
    if (v4 && __builtin_cpu_supports("avx512bf16")) *next++ = &kernels_x86_64_v4_bf16;
    if (v4) *next++ = &kernels_x86_64_v4;
    if (v3) *next++ = &kernels_x86_64_v3;
    return true;
  }();
  (void)filled;
  return supported;
}

#elif defined(__aarch64__)

extern const Kernels kernels_neon;

const Kernels* const* SupportedKernels() {
  // Every arm64 processor has NEON.
  static const Kernels* const supported[] = {&kernels_neon, nullptr};
  return supported;
}

#endif

const Kernels* SelectedKernels() {
  static const Kernels* const selected = []() -> const Kernels* {
    const Kernels* const* supported = SupportedKernels();
    const char* name = std::getenv("TUNEBOOK_KERNEL_LEVEL");
    if (name == nullptr || *name == '\0') return *supported;
    for (; *supported != nullptr; supported++)
      if (std::strcmp((*supported)->level, name) == 0) return *supported;
    return nullptr;
  }();
  return selected;
}

}  // namespace tunebook
