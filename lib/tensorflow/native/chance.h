// Dropout's yes or no, as a function of seed and place alone: the same on the way back as on the way forward, so no mask
// is stored, and the same for any number of threads. The mixing is Wellons' lowbias32 (public domain), a bijection of 32
// bits with near-ideal avalanche, which compilers turn into vector code.
#pragma once

#include <cmath>
#include <cstdint>

namespace tunebook {

inline uint32_t Mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

struct Chance {
  uint32_t key;
  uint32_t least;  // Kept are draws of at least this.
  float factor;    // 1 / (1 - rate): kept numbers grow, so that sums stay on average.

  // seed: 2 numbers. A rate of 0 keeps all.
  Chance(const int32_t* seed, float rate)
      : key(Mix(static_cast<uint32_t>(seed[0]) ^ Mix(static_cast<uint32_t>(seed[1]) + 0x9e3779b9u))),
        least(static_cast<uint32_t>(std::llround(static_cast<double>(rate) * 4294967296.0))),
        factor(1.0f / (1.0f - rate)) {}

  // What the number at `place` is multiplied by: 0 or factor.
  float operator()(uint32_t place) const { return Mix(place * 0x9e3779b1u ^ key) >= least ? factor : 0.0f; }
};

}  // namespace tunebook
