// Back to float32: the sum of bfloat16 tensors, added up in float32 in one pass; and the square sum of a gradient of
// either type, which bfloat16 arithmetic would lose most of.
#include "numbers.h"
#include "parallel.h"

namespace tunebook {

REGISTER_OP("TunebookWideSum")
    .Attr("N: int >= 1")
    .Input("parts: N * bfloat16")
    .Output("sum: float")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

REGISTER_OP("TunebookSquareSum")
    .Attr("T: {float, bfloat16}")
    .Input("x: T")
    .Output("sum: float")  // a scalar
    .SetShapeFn(tensorflow::shape_inference::ScalarShape);

class WideSum : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* context) override {
    const TensorShape& shape = context->input(0).shape();
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &output));
    std::vector<const uint16_t*> parts;
    for (int i = 0; i < context->num_inputs(); i++) {
      OP_REQUIRES(context, context->input(i).shape() == shape,
                  absl::InvalidArgumentError("Tensors to be added up must have the same shape."));
      parts.push_back(NumbersOf<tensorflow::bfloat16>(context->input(i)));
    }
    float* sum = output->flat<float>().data();
    const int64_t count = shape.num_elements();
    InParts(context, PartsOf(context, count, count), count, [&](int, int64_t first, int64_t last) {
      const uint16_t* start = parts[0];
      for (int64_t i = first; i < last; i++) sum[i] = Load(start + i);
      for (size_t part = 1; part < parts.size(); part++) {
        const uint16_t* more = parts[part];
        for (int64_t i = first; i < last; i++) sum[i] += Load(more + i);
      }
    });
  }
};
REGISTER_KERNEL_BUILDER(Name("TunebookWideSum").Device(tensorflow::DEVICE_CPU), WideSum);

template <typename Number>
float SquareSumOf(const Number* x, int64_t count) {
  // Several sums side by side: one would wait for itself at every addition.
  constexpr int64_t kLanes = 64;
  float sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t lane = 0; lane < kLanes; lane++) sums[lane] += Load(x + i + lane) * Load(x + i + lane);
  float total = 0;
  for (; i < count; i++) total += Load(x + i) * Load(x + i);
  for (float sum : sums) total += sum;
  return total;
}

template <typename T>
class SquareSum : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* context) override {
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({}), &output));
    const auto* x = NumbersOf<T>(context->input(0));
    const int64_t count = context->input(0).NumElements();
    const int parts = PartsOf(context, count, count);
    std::vector<double> sums(parts, 0.0);
    InParts(context, parts, count, [&](int part, int64_t first, int64_t last) {
      // In float32 over stretches short enough for it, and of those in float64.
      constexpr int64_t kStretch = 4096;
      double sum = 0;
      for (int64_t from = first; from < last; from += kStretch)
        sum += SquareSumOf(x + from, std::min(last - from, kStretch));
      sums[part] = sum;
    });
    double total = 0;
    for (double sum : sums) total += sum;
    output->scalar<float>()() = static_cast<float>(total);
  }
};
TUNEBOOK_KERNEL("TunebookSquareSum", SquareSum);

}  // namespace tunebook
