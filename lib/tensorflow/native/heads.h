// Adds a bias to rows and splits them into attention heads. Joins heads into rows and computes the sum over rows, which
// is the gradient of the bias.
#pragma once

#include "kernels.h"
#include "numbers.h"

namespace {

// Offset of a row's part of a head in [texts, heads, tokens, width].
inline int64_t HeadOffset(tunebook::HeadsShape shape, int64_t row, int64_t head) {
  return ((row / shape.tokens * shape.heads + head) * shape.tokens + row % shape.tokens) * shape.width;
}

template <typename Number>
void SplitHeads(const Number* x, const float* bias, Number* y, tunebook::HeadsShape shape, tunebook::Range rows) {
  for (int64_t row = rows.first; row < rows.last; row++)
    for (int64_t head = 0; head < shape.heads; head++) {
      const int64_t column = head * shape.width;
      const Number* in = x + row * shape.heads * shape.width + column;
      const float* add = bias + column;
      Fill(y + HeadOffset(shape, row, head), shape.width, [=](int64_t i) { return Load(in + i) + add[i]; });
    }
}

template <typename Number>
void JoinHeads(const Number* x, Number* y, float* __restrict sum, tunebook::HeadsShape shape, tunebook::Range rows) {
  const int64_t width = shape.heads * shape.width;
  for (int64_t row = rows.first; row < rows.last; row++) {
    Number* out = y + row * width;
    for (int64_t head = 0; head < shape.heads; head++)
      std::memcpy(out + head * shape.width, x + HeadOffset(shape, row, head), shape.width * sizeof(Number));
    for (int64_t i = 0; i < width; i++) sum[i] += Load(out + i);
  }
}

}  // namespace
