// The exact GELU of x + bias, x Φ(x) (Hendrycks and Gimpel, 2016), and its gradient, each in one pass over memory.
#include "parallel.h"
#include "vector-math.h"

namespace tunebook {

REGISTER_OP("TunebookGelu")
    .Input("x: float")     // [rows, width]
    .Input("bias: float")  // [width]
    .Output("y: float")    // [rows, width]
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

REGISTER_OP("TunebookGeluGrad")
    .Input("dy: float")    // [rows, width]
    .Input("x: float")     // [rows, width]
    .Input("bias: float")  // [width]
    .Output("dx: float")   // [rows, width]
    .Output("dbias: float")
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* c) {
      c->set_output(0, c->input(1));
      c->set_output(1, c->input(2));
      return absl::OkStatus();
    });

class Gelu : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, input.shape(), &output));
    const int64_t rows = input.dim_size(0), width = input.dim_size(1);
    const float* x = input.flat<float>().data();
    const float* bias = context->input(1).flat<float>().data();
    float* y = output->flat<float>().data();
    InParts(context, PartsOf(context, rows, rows * width), rows, [&](int, int64_t first, int64_t last) {
      for (int64_t row = first; row < last; row++) {
        const float* in = x + row * width;
        float* out = y + row * width;
        for (int64_t i = 0; i < width; i++) {
          const float value = in[i] + bias[i];
          out[i] = value * NormalAt(value).cumulative;
        }
      }
    });
  }
};
REGISTER_KERNEL_BUILDER(Name("TunebookGelu").Device(tensorflow::DEVICE_CPU), Gelu);

class GeluGrad : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(1);
    const int64_t rows = input.dim_size(0), width = input.dim_size(1);
    Tensor *output, *total;
    OP_REQUIRES_OK(context, context->allocate_output(0, input.shape(), &output));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({width}), &total));
    const float* dy = context->input(0).flat<float>().data();
    const float* x = input.flat<float>().data();
    const float* bias = context->input(2).flat<float>().data();
    float* dx = output->flat<float>().data();
    const int parts = PartsOf(context, rows, rows * width);
    PartialSums sums(parts, width);
    InParts(context, parts, rows, [&](int part, int64_t first, int64_t last) {
      float* sum = sums.of(part);
      for (int64_t row = first; row < last; row++) {
        const float *in = x + row * width, *grad = dy + row * width;
        float* out = dx + row * width;
        for (int64_t i = 0; i < width; i++) {
          const float value = in[i] + bias[i];
          const Normal normal = NormalAt(value);
          out[i] = grad[i] * (normal.cumulative + value * normal.density);
          sum[i] += out[i];
        }
      }
    });
    sums.Total(total->flat<float>().data());
  }
};
REGISTER_KERNEL_BUILDER(Name("TunebookGeluGrad").Device(tensorflow::DEVICE_CPU), GeluGrad);

}  // namespace tunebook
