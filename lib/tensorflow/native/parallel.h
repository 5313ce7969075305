// What every kernel here needs: rows shared out among TensorFlow's own threads, and sums over rows without a race.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace tunebook {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

// Calls work(part, first, last) for as many runs of [0, count) as there are threads, at once.
inline int PartsOf(OpKernelContext* context, int64_t count, int64_t numbers) {
  // A thread's start costs as much as some ten thousand additions.
  const int64_t useful = std::max<int64_t>(1, numbers / 16384);
  const int threads = context->device()->tensorflow_cpu_worker_threads()->num_threads;
  return static_cast<int>(std::max<int64_t>(1, std::min<int64_t>({threads, count, useful})));
}

inline void InParts(OpKernelContext* context, int parts, int64_t count,
                    const std::function<void(int, int64_t, int64_t)>& work) {
  const auto range = [&](int part) { work(part, count * part / parts, count * (part + 1) / parts); };
  if (parts == 1) return range(0);
  absl::BlockingCounter waiting(parts - 1);
  auto* workers = context->device()->tensorflow_cpu_worker_threads()->workers;
  for (int part = 1; part < parts; part++)
    workers->Schedule([&, part] {
      range(part);
      waiting.DecrementCount();
    });
  range(0);
  waiting.Wait();
}

// Sums of `width` numbers, one row a part, so that no two threads write the same; Total adds them up.
class PartialSums {
 public:
  PartialSums(int parts, int64_t width) : width_(width), sums_(parts * width, 0.0f) {}
  float* of(int part) { return sums_.data() + part * width_; }
  void Total(float* total) const {
    std::copy(sums_.begin(), sums_.begin() + width_, total);
    for (size_t from = width_; from < sums_.size(); from += width_)
      for (int64_t i = 0; i < width_; i++) total[i] += sums_[from + i];
  }

 private:
  const int64_t width_;
  std::vector<float> sums_;
};

}  // namespace tunebook
