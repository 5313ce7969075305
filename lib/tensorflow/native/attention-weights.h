// softmax(scale * scores) without padding, with dropout, and its gradient, row by row in the first-level cache.
#pragma once

#include "dropout.h"
#include "numbers.h"
#include "vector-math.h"

namespace {

template <typename Number>
void AttentionWeights(const Number* scores, const int32_t* lengths, tunebook::Dropout dropout, float scale, Number* weights,
                      Number* used, tunebook::AttentionShape shape, float* __restrict scratch, tunebook::Range rows) {
  const int64_t tokens = shape.tokens;
  for (int64_t row = rows.first; row < rows.last; row++) {
    const int64_t from = row * tokens, length = lengths[row / shape.rows_per_text];
    const Number* in = scores + from;
    // Loops run over whole vectors. The padding of the last vector adds less to the sum, which is at least 1, than the
    // resolution of float32.
    const int64_t filled = (length + kLanes - 1) / kLanes * kLanes;
    for (int64_t i = 0; i < length; i++) scratch[i] = Load(in + i);
    for (int64_t i = length; i < filled; i++) scratch[i] = -1e30f;
    const float maximum = Maximum(scratch, filled);
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < filled; i++) {
      scratch[i] = Exp((scratch[i] - maximum) * scale);
      total += scratch[i];
    }
    const float inverse = 1.0f / total;
    for (int64_t i = 0; i < length; i++) scratch[i] *= inverse;
    for (int64_t i = length; i < tokens; i++) scratch[i] = 0;
    StoreRow(scratch, weights + from, tokens);
    if (used) Fill(used + from, tokens, [=](int64_t i) { return scratch[i] * DropoutFactor(dropout, from + i); });
  }
}

template <typename Number>
void AttentionWeightsGradient(const Number* dused, const Number* weights, tunebook::Dropout dropout, float scale,
                              Number* dscores, int64_t tokens, float* __restrict scratch, tunebook::Range rows) {
  for (int64_t row = rows.first; row < rows.last; row++) {
    const int64_t from = row * tokens;
    const Number *gradient = dused + from, *weight = weights + from;
    if (dropout.threshold > 0)
      for (int64_t i = 0; i < tokens; i++) scratch[i] = Load(gradient + i) * DropoutFactor(dropout, from + i);
    else
      for (int64_t i = 0; i < tokens; i++) scratch[i] = Load(gradient + i);
    float mean = 0;  // Mean of the gradient, weighted by the attention weights.
#pragma omp simd reduction(+ : mean)
    for (int64_t i = 0; i < tokens; i++) mean += scratch[i] * Load(weight + i);
    Fill(dscores + from, tokens, [=](int64_t i) { return (scratch[i] - mean) * Load(weight + i) * scale; });
  }
}

}  // namespace
