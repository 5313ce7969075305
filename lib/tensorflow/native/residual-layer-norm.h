// Layer norm of a + dropout(b + bias), which follows every attention and feed-forward block of BERT, and its gradient. Layer
// norm without it has the same gradient. One pass forward and one backward replace about thirty of TensorFlow's kernels.
#pragma once

#include "dropout.h"
#include "numbers.h"

namespace {

// statistics: mean and 1 / standard deviation of the row.
inline void NormalizeRow(const float* __restrict x, const float* scale, const float* shift, float epsilon,
                         float* __restrict y, float* statistics, int64_t width) {
  float mean = 0, variance = 0;
#pragma omp simd reduction(+ : mean)
  for (int64_t i = 0; i < width; i++) mean += x[i];
  mean /= width;
#pragma omp simd reduction(+ : variance)
  for (int64_t i = 0; i < width; i++) variance += (x[i] - mean) * (x[i] - mean);
  const float inverse = 1.0f / __builtin_sqrtf(variance / width + epsilon);
  for (int64_t i = 0; i < width; i++) y[i] = (x[i] - mean) * inverse * scale[i] + shift[i];
  statistics[0] = mean;
  statistics[1] = inverse;
}

template <typename Number>
void ResidualLayerNorm(const float* a, const Number* b, const float* bias, const float* scale, const float* shift,
                       tunebook::Dropout dropout, float epsilon, float* __restrict y, float* __restrict sum,
                       float* __restrict statistics, int64_t width, tunebook::Range rows) {
  for (int64_t row = rows.first; row < rows.last; row++) {
    const int64_t from = row * width;
    float* __restrict s = sum + from;
    if (dropout.threshold > 0)
      for (int64_t i = 0; i < width; i++)
        s[i] = a[from + i] + (Load(b + from + i) + bias[i]) * DropoutFactor(dropout, from + i);
    else
      for (int64_t i = 0; i < width; i++) s[i] = a[from + i] + (Load(b + from + i) + bias[i]);
    NormalizeRow(s, scale, shift, epsilon, y + from, statistics + 2 * row, width);
  }
}

inline void LayerNorm(const float* x, const float* scale, const float* shift, float epsilon, float* y, float* statistics,
                      int64_t width, tunebook::Range rows) {
  for (int64_t row = rows.first; row < rows.last; row++)
    NormalizeRow(x + row * width, scale, shift, epsilon, y + row * width, statistics + 2 * row, width);
}

template <typename Number>
void ResidualLayerNormGradient(const float* dy, const float* sum, const float* statistics, const float* scale,
                               tunebook::Dropout dropout, float* __restrict da, Number* db, float* __restrict dbias,
                               float* __restrict dscale, float* __restrict dshift, int64_t width, tunebook::Range rows) {
  for (int64_t row = rows.first; row < rows.last; row++) {
    const int64_t from = row * width;
    const float mean = statistics[2 * row], inverse = statistics[2 * row + 1];
    const float *gradient = dy + from, *s = sum + from;
    float level = 0, along = 0;
#pragma omp simd reduction(+ : level, along)
    for (int64_t i = 0; i < width; i++) {
      const float normalized = (s[i] - mean) * inverse;
      const float scaled = gradient[i] * scale[i];
      level += scaled;
      along += scaled * normalized;
      dscale[i] += gradient[i] * normalized;
      dshift[i] += gradient[i];
    }
    level /= width;
    along /= width;
    float* __restrict out = da + from;
    for (int64_t i = 0; i < width; i++)
      out[i] = inverse * (gradient[i] * scale[i] - level - (s[i] - mean) * inverse * along);
    if (dropout.threshold > 0)
      Fill(db + from, width, [=](int64_t i) {
        const float change = out[i] * DropoutFactor(dropout, from + i);
        dbias[i] += change;
        return change;
      });
    else {
      if (db) StoreRow(out, db + from, width);
      if (dbias)
        for (int64_t i = 0; i < width; i++) dbias[i] += out[i];
    }
  }
}

}  // namespace
