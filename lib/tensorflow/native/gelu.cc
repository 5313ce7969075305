// The exact GELU of x + bias, x Φ(x) (Hendrycks and Gimpel, 2016), and its gradient, each in one pass over memory.
#include "numbers.h"
#include "parallel.h"
#include "vector-math.h"

namespace tunebook {

REGISTER_OP("TunebookGelu")
    .Attr("T: {float, bfloat16}")
    .Input("x: T")         // [rows, width]
    .Input("bias: float")  // [width]
    .Output("y: T")        // [rows, width]
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

REGISTER_OP("TunebookGeluGrad")
    .Attr("T: {float, bfloat16}")
    .Input("dy: T")        // [rows, width]
    .Input("x: T")         // [rows, width]
    .Input("bias: float")  // [width]
    .Output("dx: T")       // [rows, width]
    .Output("dbias: float")
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* c) {
      c->set_output(0, c->input(1));
      c->set_output(1, c->input(2));
      return absl::OkStatus();
    });

template <typename T>
class Gelu : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, input.shape(), &output));
    const int64_t rows = input.dim_size(0), width = input.dim_size(1);
    const auto* x = NumbersOf<T>(input);
    const float* bias = context->input(1).flat<float>().data();
    auto* y = NumbersOf<T>(output);
    InParts(context, PartsOf(context, rows, rows * width), rows, [&](int, int64_t first, int64_t last) {
      for (int64_t row = first; row < last; row++) {
        const auto* in = x + row * width;
        auto* out = y + row * width;
        for (int64_t i = 0; i < width; i++) {
          const float value = Load(in + i) + bias[i];
          Store(value * NormalAt(value).cumulative, out + i);
        }
      }
    });
  }
};
TUNEBOOK_KERNEL("TunebookGelu", Gelu);

template <typename T>
class GeluGrad : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(1);
    const int64_t rows = input.dim_size(0), width = input.dim_size(1);
    Tensor *output, *total;
    OP_REQUIRES_OK(context, context->allocate_output(0, input.shape(), &output));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({width}), &total));
    const auto* dy = NumbersOf<T>(context->input(0));
    const auto* x = NumbersOf<T>(input);
    const float* bias = context->input(2).flat<float>().data();
    auto* dx = NumbersOf<T>(output);
    const int parts = PartsOf(context, rows, rows * width);
    PartialSums sums(parts, width);
    InParts(context, parts, rows, [&](int part, int64_t first, int64_t last) {
      float* sum = sums.of(part);
      for (int64_t row = first; row < last; row++) {
        const auto *in = x + row * width, *grad = dy + row * width;
        auto* out = dx + row * width;
        for (int64_t i = 0; i < width; i++) {
          const float value = Load(in + i) + bias[i];
          const Normal normal = NormalAt(value);
          const float change = Load(grad + i) * (normal.cumulative + value * normal.density);
          Store(change, out + i);
          sum[i] += change;
        }
      }
    });
    sums.Total(total->flat<float>().data());
  }
};
TUNEBOOK_KERNEL("TunebookGeluGrad", GeluGrad);

}  // namespace tunebook
