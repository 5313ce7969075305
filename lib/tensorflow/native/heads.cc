// From rows to heads with the bias added on the way, and back with the bias's gradient summed on the way:
// [batch * tokens, heads * width] to and from [batch, heads, tokens, width].
#include "parallel.h"

namespace tunebook {

REGISTER_OP("TunebookSplitHeads")
    .Attr("batch: int")
    .Attr("heads: int")
    .Input("x: float")     // [batch * tokens, heads * width]
    .Input("bias: float")  // [heads * width]
    .Output("y: float")    // [batch, heads, tokens, width]
    .SetShapeFn(tensorflow::shape_inference::UnknownShape);

REGISTER_OP("TunebookSplitHeadsGrad")
    .Input("dy: float")    // [batch, heads, tokens, width]
    .Output("dx: float")   // [batch * tokens, heads * width]
    .Output("dbias: float")
    .SetShapeFn(tensorflow::shape_inference::UnknownShape);

class SplitHeads : public OpKernel {
 public:
  explicit SplitHeads(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("batch", &batch_));
    OP_REQUIRES_OK(context, context->GetAttr("heads", &heads_));
  }
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const int64_t rows = input.dim_size(0), all = input.dim_size(1), tokens = rows / batch_, width = all / heads_;
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({batch_, heads_, tokens, width}), &output));
    const float* x = input.flat<float>().data();
    const float* bias = context->input(1).flat<float>().data();
    float* y = output->flat<float>().data();
    InParts(context, PartsOf(context, rows, rows * all), rows, [&](int, int64_t first, int64_t last) {
      for (int64_t row = first; row < last; row++)
        for (int64_t head = 0; head < heads_; head++) {
          const float *in = x + row * all + head * width, *add = bias + head * width;
          float* out = y + ((row / tokens * heads_ + head) * tokens + row % tokens) * width;
          for (int64_t i = 0; i < width; i++) out[i] = in[i] + add[i];
        }
    });
  }

 private:
  int64_t batch_, heads_;
};
REGISTER_KERNEL_BUILDER(Name("TunebookSplitHeads").Device(tensorflow::DEVICE_CPU), SplitHeads);

class SplitHeadsGrad : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const int64_t heads = input.dim_size(1), tokens = input.dim_size(2), width = input.dim_size(3);
    const int64_t rows = input.dim_size(0) * tokens, all = heads * width;
    Tensor *output, *total;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({rows, all}), &output));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({all}), &total));
    const float* dy = input.flat<float>().data();
    float* dx = output->flat<float>().data();
    const int parts = PartsOf(context, rows, rows * all);
    PartialSums sums(parts, all);
    InParts(context, parts, rows, [&](int part, int64_t first, int64_t last) {
      float* sum = sums.of(part);
      for (int64_t row = first; row < last; row++) {
        float* out = dx + row * all;
        for (int64_t head = 0; head < heads; head++) {
          const float* in = dy + ((row / tokens * heads + head) * tokens + row % tokens) * width;
          for (int64_t i = 0; i < width; i++) out[head * width + i] = in[i];
        }
        for (int64_t i = 0; i < all; i++) sum[i] += out[i];
      }
    });
    sums.Total(total->flat<float>().data());
  }
};
REGISTER_KERNEL_BUILDER(Name("TunebookSplitHeadsGrad").Device(tensorflow::DEVICE_CPU), SplitHeadsGrad);

}  // namespace tunebook
