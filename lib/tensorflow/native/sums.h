// Sums that would lose precision in bfloat16: sums of bfloat16 arrays in float32, and sums of squares.
#pragma once

#include "kernels.h"
#include "numbers.h"

namespace {

void WideSum(const uint16_t* const* parts, int64_t count, float* __restrict sum, tunebook::Range elements) {
  const uint16_t* start = parts[0];
  for (int64_t i = elements.first; i < elements.last; i++) sum[i] = Load(start + i);
  for (int64_t part = 1; part < count; part++) {
    const uint16_t* more = parts[part];
    for (int64_t i = elements.first; i < elements.last; i++) sum[i] += Load(more + i);
  }
}

template <typename Number>
float ShortSquareSum(const Number* x, int64_t count) {
  // Several independent sums, since each addition to a single sum would wait for the previous one.
  constexpr int64_t kLanes = 64;
  float sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; lane++) sums[lane] += Load(x + i + lane) * Load(x + i + lane);
  float total = 0;
  for (; i < count; i++) total += Load(x + i) * Load(x + i);
  for (int64_t lane = 0; lane < kLanes; lane++) total += sums[lane];
  return total;
}

template <typename Number>
double SquareSum(const Number* x, tunebook::Range elements) {
  // float32 is precise enough for short stretches. Their sums are added up in float64.
  constexpr int64_t kStretch = 4096;
  double sum = 0;
  for (int64_t from = elements.first; from < elements.last; from += kStretch) {
    const int64_t left = elements.last - from;
    sum += ShortSquareSum(x + from, left < kStretch ? left : kStretch);
  }
  return sum;
}

}  // namespace
