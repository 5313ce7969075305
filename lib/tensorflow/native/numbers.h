// Kernels read and write float32 or bfloat16 and compute in float32. bfloat16 is float32's upper half; as plain integers it
// turns into vector code, which Eigen's type does not.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensorflow/core/framework/tensor.h"

namespace tunebook {

inline float Load(const float* at) { return *at; }
inline void Store(float value, float* at) { *at = value; }

inline float Load(const uint16_t* at) {
  const uint32_t bits = static_cast<uint32_t>(*at) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
// To the nearest, a tie to the even one.
inline void Store(float value, uint16_t* at) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  *at = static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// How a kernel for tensors of T holds their numbers.
template <typename T>
struct Stored {
  using Type = T;
};
template <>
struct Stored<tensorflow::bfloat16> {
  using Type = uint16_t;
};

template <typename T>
const typename Stored<T>::Type* NumbersOf(const tensorflow::Tensor& tensor) {
  return reinterpret_cast<const typename Stored<T>::Type*>(tensor.flat<T>().data());
}
template <typename T>
typename Stored<T>::Type* NumbersOf(tensorflow::Tensor* tensor) {
  return reinterpret_cast<typename Stored<T>::Type*>(tensor->flat<T>().data());
}

}  // namespace tunebook

// Registers KERNEL<T> under NAME for both types.
#define TUNEBOOK_KERNEL(NAME, KERNEL)                                                                                    \
  REGISTER_KERNEL_BUILDER(Name(NAME).Device(tensorflow::DEVICE_CPU).TypeConstraint<float>("T"), KERNEL<float>);           \
  REGISTER_KERNEL_BUILDER(Name(NAME).Device(tensorflow::DEVICE_CPU).TypeConstraint<tensorflow::bfloat16>("T"),            \
                          KERNEL<tensorflow::bfloat16>)
