// Reads and writes float32 and bfloat16. bfloat16 is handled as integers, which compilers vectorize for every
// instruction set.
//
// Everything that is compiled per level has internal linkage. Otherwise the linker would merge equal inline functions,
// and a processor without AVX-512 could run the one compiled for AVX-512.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace {

inline float Load(const float* from) { return *from; }

inline float Load(const uint16_t* from) {
  const uint32_t bits = static_cast<uint32_t>(*from) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// Rounds to the nearest bfloat16, ties to even.
inline uint16_t Rounded(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline void StoreRow(const float* from, float* to, int64_t count) { std::memcpy(to, from, count * sizeof(float)); }

inline void StoreRow(const float* from, uint16_t* to, int64_t count) {
  int64_t i = 0;
#if defined(__AVX512BF16__)
  for (; i + 16 <= count; i += 16) {
    const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_loadu_ps(from + i));
    std::memcpy(to + i, &rounded, 32);
  }
#endif
  for (; i < count; i++) to[i] = Rounded(from[i]);
}

// Stores value(i) for i in [0, count). The values must not depend on each other.
template <typename Value>
inline void Fill(float* __restrict to, int64_t count, Value value) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++) to[i] = value(i);
}

// For bfloat16, blocks in the first-level cache are computed in one vector loop and rounded in another.
template <typename Value>
inline void Fill(uint16_t* __restrict to, int64_t count, Value value) {
  constexpr int64_t kBlock = 128;
  float block[kBlock];
  int64_t from = 0;
  for (; from + kBlock <= count; from += kBlock) {
#pragma omp simd
    for (int64_t i = 0; i < kBlock; i++) block[i] = value(from + i);
    StoreRow(block, to + from, kBlock);
  }
  for (int64_t i = 0; i < count - from; i++) block[i] = value(from + i);
  StoreRow(block, to + from, count - from);
}

}  // namespace
