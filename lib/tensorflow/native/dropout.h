// Dropout without a stored mask: a hash of seed and position decides whether an element is kept. The backward pass
// therefore repeats the decision, and results do not depend on the number of threads. The hash is Wellons' lowbias32
// (public domain), a bijection of 32-bit integers with near-ideal avalanche, which compilers can vectorize.
#pragma once

#include "kernels.h"

namespace {

inline uint32_t Hash(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

// The factor of the element at a position: 0 or dropout.scale.
inline float DropoutFactor(tunebook::Dropout dropout, int64_t position) {
  const uint32_t hash = Hash(static_cast<uint32_t>(position) * 0x9e3779b1u ^ dropout.key);
  return hash >= dropout.threshold ? dropout.scale : 0.0f;
}

}  // namespace
