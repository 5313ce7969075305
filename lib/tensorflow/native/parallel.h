// Divides work among TensorFlow's threads, and computes sums over rows without data races.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "kernels.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace tunebook {

// The number of parts into which `count` rows or elements are divided; `numbers` is the total number of values.
inline int PartsOf(tensorflow::OpKernelContext* context, int64_t count, int64_t numbers) {
  // Starting a thread costs about as much as 10,000 additions.
  const int64_t useful = std::max<int64_t>(1, numbers / 16384);
  const int threads = context->device()->tensorflow_cpu_worker_threads()->num_threads;
  return static_cast<int>(std::max<int64_t>(1, std::min<int64_t>({threads, count, useful})));
}

// Calls work(part, range) for each of `parts` ranges of [0, count), in parallel.
inline void InParts(tensorflow::OpKernelContext* context, int parts, int64_t count,
                    const std::function<void(int, Range)>& work) {
  const auto run = [&](int part) { work(part, {count * part / parts, count * (part + 1) / parts}); };
  if (parts == 1) return run(0);
  absl::BlockingCounter waiting(parts - 1);
  auto* workers = context->device()->tensorflow_cpu_worker_threads()->workers;
  for (int part = 1; part < parts; part++)
    workers->Schedule([&, part] {
      run(part);
      waiting.DecrementCount();
    });
  run(0);
  waiting.Wait();
}

// One sum of `width` values per part, so that each is written by one thread only.
class PartialSums {
 public:
  PartialSums(int parts, int64_t width) : width_(width), sums_(parts * width, 0.0f) {}
  float* Part(int part) { return sums_.data() + part * width_; }
  void AddUp(float* total) const {
    std::copy(sums_.begin(), sums_.begin() + width_, total);
    for (size_t from = width_; width_ > 0 && from < sums_.size(); from += width_)
      for (int64_t i = 0; i < width_; i++) total[i] += sums_[from + i];
  }

 private:
  const int64_t width_;
  std::vector<float> sums_;
};

}  // namespace tunebook
