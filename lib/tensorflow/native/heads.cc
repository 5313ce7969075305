// From rows to heads with a bias added on the way, and from heads to rows with the sum over rows, which is the bias's
// gradient: [batch * tokens, heads * width] to and from [batch, heads, tokens, width].
#include "numbers.h"
#include "parallel.h"

namespace tunebook {

REGISTER_OP("TunebookSplitHeads")
    .Attr("batch: int")
    .Attr("heads: int")
    .Attr("T: {float, bfloat16}")
    .Input("x: T")         // [batch * tokens, heads * width]
    .Input("bias: float")  // [heads * width]
    .Output("y: T")        // [batch, heads, tokens, width]
    .SetShapeFn(tensorflow::shape_inference::UnknownShape);

REGISTER_OP("TunebookJoinHeads")
    .Attr("T: {float, bfloat16}")
    .Input("x: T")         // [batch, heads, tokens, width]
    .Output("y: T")        // [batch * tokens, heads * width]
    .Output("sum: float")  // [heads * width]
    .SetShapeFn(tensorflow::shape_inference::UnknownShape);

template <typename T>
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
    const auto* x = NumbersOf<T>(input);
    const float* bias = context->input(1).flat<float>().data();
    auto* y = NumbersOf<T>(output);
    InParts(context, PartsOf(context, rows, rows * all), rows, [&](int, int64_t first, int64_t last) {
      for (int64_t row = first; row < last; row++)
        for (int64_t head = 0; head < heads_; head++) {
          const auto* in = x + row * all + head * width;
          const float* add = bias + head * width;
          auto* out = y + ((row / tokens * heads_ + head) * tokens + row % tokens) * width;
          for (int64_t i = 0; i < width; i++) Store(Load(in + i) + add[i], out + i);
        }
    });
  }

 private:
  int64_t batch_, heads_;
};
TUNEBOOK_KERNEL("TunebookSplitHeads", SplitHeads);

template <typename T>
class JoinHeads : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const int64_t heads = input.dim_size(1), tokens = input.dim_size(2), width = input.dim_size(3);
    const int64_t rows = input.dim_size(0) * tokens, all = heads * width;
    Tensor *output, *total;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({rows, all}), &output));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({all}), &total));
    const auto* x = NumbersOf<T>(input);
    auto* y = NumbersOf<T>(output);
    const int parts = PartsOf(context, rows, rows * all);
    PartialSums sums(parts, all);
    InParts(context, parts, rows, [&](int part, int64_t first, int64_t last) {
      float* sum = sums.of(part);
      for (int64_t row = first; row < last; row++) {
        auto* out = y + row * all;
        for (int64_t head = 0; head < heads; head++) {
          const auto* in = x + ((row / tokens * heads + head) * tokens + row % tokens) * width;
          for (int64_t i = 0; i < width; i++) out[head * width + i] = in[i];
        }
        for (int64_t i = 0; i < all; i++) sum[i] += Load(out + i);
      }
    });
    sums.Total(total->flat<float>().data());
  }
};
TUNEBOOK_KERNEL("TunebookJoinHeads", JoinHeads);

}  // namespace tunebook
