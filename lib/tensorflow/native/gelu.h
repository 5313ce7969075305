// The exact GELU, x Φ(x) (Hendrycks and Gimpel, 2016, arXiv:1606.08415), of x + bias, and its gradient. Each takes one
// pass over memory.
#pragma once

#include "kernels.h"
#include "numbers.h"
#include "vector-math.h"

namespace {

template <typename Number>
void Gelu(const Number* x, const float* bias, Number* y, int64_t width, tunebook::Range rows) {
  for (int64_t row = rows.first; row < rows.last; row++) {
    const Number* in = x + row * width;
    Fill(y + row * width, width, [=](int64_t i) {
      const float value = Load(in + i) + bias[i];
      return value * NormalAt(value).cumulative;
    });
  }
}

template <typename Number>
void GeluGradient(const Number* dy, const Number* x, const float* bias, Number* dx, float* __restrict dbias, int64_t width,
                  tunebook::Range rows) {
  for (int64_t row = rows.first; row < rows.last; row++) {
    const Number *in = x + row * width, *gradient = dy + row * width;
    Fill(dx + row * width, width, [=](int64_t i) {
      const float value = Load(in + i) + bias[i];
      const Normal normal = NormalAt(value);
      const float change = Load(gradient + i) * (normal.cumulative + value * normal.density);
      dbias[i] += change;
      return change;
    });
  }
}

}  // namespace
