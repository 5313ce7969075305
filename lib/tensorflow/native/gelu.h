// GELU (Hendrycks and Gimpel, 2016, arXiv:1606.08415) of x + bias, and its gradient: the exact one, x Φ(x), or the
// approximation with tanh. Each takes one pass over memory. The gated GELU is that of one half of a row times the other half.
#pragma once

#include "kernels.h"
#include "numbers.h"
#include "vector-math.h"

namespace {

struct ExactGelu {
  static float Value(float x) { return x * NormalAt(x).cumulative; }
  static float Derivative(float x) {
    const Normal normal = NormalAt(x);
    return normal.cumulative + x * normal.density;
  }
};

// x (1 + tanh(u)) / 2 = x / (1 + e^-2u) with u = sqrt(2 / π) (x + 0.044715 x³).
struct TanhGelu {
  static constexpr float kSlope = 2 * 0.7978845608028654f, kCubic = 0.044715f;
  static float Factor(float x) { return 1.0f / (1.0f + Exp(-kSlope * x * (1.0f + kCubic * x * x))); }
  static float Value(float x) { return x * Factor(x); }
  static float Derivative(float x) {
    const float factor = Factor(x);
    return factor + x * factor * (1.0f - factor) * kSlope * (1.0f + 3 * kCubic * x * x);
  }
};

template <typename Form, typename Number>
void GeluRows(const Number* x, const float* bias, Number* y, int64_t width, tunebook::Range rows) {
  for (int64_t row = rows.first; row < rows.last; row++) {
    const Number* in = x + row * width;
    Fill(y + row * width, width, [=](int64_t i) { return Form::Value(Load(in + i) + bias[i]); });
  }
}

template <typename Form, typename Number>
void GeluGradientRows(const Number* dy, const Number* x, const float* bias, Number* dx, float* __restrict dbias,
                      int64_t width, tunebook::Range rows) {
  for (int64_t row = rows.first; row < rows.last; row++) {
    const Number *in = x + row * width, *gradient = dy + row * width;
    Fill(dx + row * width, width, [=](int64_t i) {
      const float change = Load(gradient + i) * Form::Derivative(Load(in + i) + bias[i]);
      dbias[i] += change;
      return change;
    });
  }
}

template <typename Number>
void Gelu(const Number* x, const float* bias, bool tanh, Number* y, int64_t width, tunebook::Range rows) {
  tanh ? GeluRows<TanhGelu>(x, bias, y, width, rows) : GeluRows<ExactGelu>(x, bias, y, width, rows);
}

template <typename Number>
void GeluGradient(const Number* dy, const Number* x, const float* bias, bool tanh, Number* dx, float* dbias, int64_t width,
                  tunebook::Range rows) {
  tanh ? GeluGradientRows<TanhGelu>(dy, x, bias, dx, dbias, width, rows)
       : GeluGradientRows<ExactGelu>(dy, x, bias, dx, dbias, width, rows);
}

template <typename Number>
void GatedGelu(const Number* x, Number* y, int64_t width, tunebook::Range rows) {
  for (int64_t row = rows.first; row < rows.last; row++) {
    const Number *in = x + row * 2 * width, *gate = in + width;
    Fill(y + row * width, width, [=](int64_t i) { return ExactGelu::Value(Load(in + i)) * Load(gate + i); });
  }
}

template <typename Number>
void GatedGeluGradient(const Number* dy, const Number* x, Number* dx, int64_t width, tunebook::Range rows) {
  for (int64_t row = rows.first; row < rows.last; row++) {
    const Number *in = x + row * 2 * width, *gate = in + width, *gradient = dy + row * width;
    Number* const out = dx + row * 2 * width;
    Fill(out, width,
         [=](int64_t i) { return Load(gradient + i) * Load(gate + i) * ExactGelu::Derivative(Load(in + i)); });
    Fill(out + width, width, [=](int64_t i) { return Load(gradient + i) * ExactGelu::Value(Load(in + i)); });
  }
}

}  // namespace
