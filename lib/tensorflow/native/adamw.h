// The AdamW step of one parameter in one pass: weight decay, both moments and the update, in place.
#pragma once

#include "kernels.h"
#include "numbers.h"

namespace {

template <typename Number>
void AdamW(float* __restrict parameter, float* __restrict first_moment, float* __restrict second_moment,
           const Number* __restrict gradient, tunebook::AdamWScalars scalars, tunebook::Range elements) {
#pragma omp simd
  for (int64_t i = elements.first; i < elements.last; i++) {
    const float g = Load(gradient + i);
    const float m = scalars.first_decay * first_moment[i] + scalars.first_gain * g;
    const float v = scalars.second_decay * second_moment[i] + scalars.second_gain * g * g;
    first_moment[i] = m;
    second_moment[i] = v;
    parameter[i] =
        parameter[i] * scalars.keep - scalars.learning_rate * m / (__builtin_sqrtf(v) + scalars.epsilon);
  }
}

}  // namespace
