// Dropout in one pass and without a mask; the gradient is the same operation on the incoming gradient.
#include "chance.h"
#include "parallel.h"

namespace tunebook {

REGISTER_OP("TunebookDropout")
    .Attr("rate: float")
    .Input("x: float")
    .Input("seed: int32")  // [2]
    .Output("y: float")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

class Dropout : public OpKernel {
 public:
  explicit Dropout(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("rate", &rate_));
  }
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, input.shape(), &output));
    const Chance chance(context->input(1).flat<int32_t>().data(), rate_);
    const float* x = input.flat<float>().data();
    float* y = output->flat<float>().data();
    const int64_t count = input.NumElements();
    InParts(context, PartsOf(context, count, count), count, [&](int, int64_t first, int64_t last) {
      // A copy of its own: what is captured might be what is written to, for all the compiler knows.
      const Chance draw = chance;
      for (int64_t i = first; i < last; i++) y[i] = x[i] * draw(static_cast<uint32_t>(i));
    });
  }

 private:
  float rate_;
};
REGISTER_KERNEL_BUILDER(Name("TunebookDropout").Device(tensorflow::DEVICE_CPU), Dropout);

}  // namespace tunebook
