// exp and the normal distribution as plain arithmetic, which compilers vectorize, unlike calls of the C library.
#pragma once

#include <cstdint>
#include <cstring>

namespace {

// e^x to 2 units in the last place for x in [-87, 88], clamped outside. Cephes' polynomial (Moshier, 1992).
inline float Exp(float x) {
  x = -87.0f < x ? x : -87.0f;
  x = x < 88.0f ? x : 88.0f;
  const float n = __builtin_rintf(x * 1.44269504088896341f);
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  int32_t bits;
  std::memcpy(&bits, &p, 4);
  bits += static_cast<int32_t>(n) << 23;
  std::memcpy(&p, &bits, 4);
  return p;
}

// Arrays are padded to a multiple of this number, so that loops run over whole vectors.
constexpr int64_t kLanes = 16;

// The maximum of `count` values; `count` is a multiple of kLanes.
inline float Maximum(const float* x, int64_t count) {
#if defined(__clang__)
  // clang does not vectorize a maximum by itself, since the order of comparisons decides between 0 and -0.
  float lanes[kLanes];
  for (int64_t lane = 0; lane < kLanes; lane++) lanes[lane] = x[lane];
  for (int64_t i = kLanes; i < count; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; lane++) lanes[lane] = x[i + lane] > lanes[lane] ? x[i + lane] : lanes[lane];
  for (int64_t width = kLanes / 2; width > 0; width /= 2)
    for (int64_t lane = 0; lane < width; lane++)
      lanes[lane] = lanes[lane + width] > lanes[lane] ? lanes[lane + width] : lanes[lane];
  return lanes[0];
#else
  float maximum = x[0];
#pragma omp simd reduction(max : maximum)
  for (int64_t i = 0; i < count; i++) maximum = x[i] > maximum ? x[i] : maximum;
  return maximum;
#endif
}

struct Normal {
  float density;
  float cumulative;
};

// The standard normal distribution at x. The tail is density times a polynomial in t = 1 / (1 + p |x|) (Abramowitz and
// Stegun, 26.2.17) with an error of 7.5e-8, about float32's rounding error near 1.
inline Normal NormalAt(float x) {
  const float density = 0.3989422804014327f * Exp(-0.5f * x * x);
  const float t = 1.0f / (1.0f + 0.2316419f * (x < 0 ? -x : x));
  const float tail =
      density *
      (t * (0.319381530f + t * (-0.356563782f + t * (1.781477937f + t * (-1.821255978f + t * 1.330274429f)))));
  return {density, x < 0 ? tail : 1.0f - tail};
}

}  // namespace
