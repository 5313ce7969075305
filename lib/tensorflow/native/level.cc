// The inner loops at one instruction-set level. Setup compiles this file once per level, with the compiler flags of the
// level and, for example,
//   -DTUNEBOOK_LEVEL="x86-64-v3" -DTUNEBOOK_KERNELS=kernels_x86_64_v3
// The object file exports only the table, see numbers.h.
#include "adamw.h"
#include "attention.h"
#include "dropout.h"
#include "gelu.h"
#include "kernels.h"
#include "residual-layer-norm.h"
#include "sums.h"

namespace {

void ApplyDropout(const float* x, tunebook::Dropout dropout, float* __restrict y, tunebook::Range elements) {
  for (int64_t i = elements.first; i < elements.last; i++) y[i] = x[i] * DropoutFactor(dropout, i);
}

template <typename Number>
constexpr tunebook::TypedKernels<Number> Typed() {
  return {Gelu<Number>,
          GeluGradient<Number>,
          GatedGelu<Number>,
          GatedGeluGradient<Number>,
          Attention<Number>,
          AttentionGradient<Number>,
          ResidualLayerNorm<Number>,
          LayerNorm,
          ResidualLayerNormGradient<Number>,
          SquareSum<Number>,
          AdamW<Number>};
}

}  // namespace

namespace tunebook {

extern const Kernels TUNEBOOK_KERNELS;
const Kernels TUNEBOOK_KERNELS = {TUNEBOOK_LEVEL, Typed<float>(), Typed<uint16_t>(), ApplyDropout, WideSum};

}  // namespace tunebook
