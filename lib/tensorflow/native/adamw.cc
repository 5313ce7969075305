// AdamW's update of one parameter in one pass: decay, both moments and the step, in place.
#include <cmath>

#include "numbers.h"
#include "parallel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"

namespace tunebook {

REGISTER_OP("TunebookAdamW")
    .Attr("decayed: bool")
    .Input("parameter: resource")
    .Input("first: resource")
    .Input("second: resource")
    .Attr("T: {float, bfloat16}")
    .Input("gradient: T")
    // [8]: 0 for no step at all, learning rate, epsilon, what decay leaves of the parameter; then of both averages how
    // much stays and how much of the gradient, or its square, comes in.
    .Input("scalars: float")
    .SetIsStateful()
    .SetShapeFn(tensorflow::shape_inference::NoOutputs);

template <typename T>
class AdamW : public OpKernel {
 public:
  explicit AdamW(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("decayed", &decayed_));
  }
  void Compute(OpKernelContext* context) override {
    const float* scalars = context->input(4).flat<float>().data();
    if (scalars[0] == 0) return;
    tensorflow::core::RefCountPtr<tensorflow::Var> variables[3];
    float* values[3];
    const Tensor& gradient = context->input(3);
    for (int i = 0; i < 3; i++) {
      OP_REQUIRES_OK(context, tensorflow::LookupResource(context, tensorflow::HandleFromInput(context, i), &variables[i]));
      Tensor* value = variables[i]->tensor();
      OP_REQUIRES(context, value->shape() == gradient.shape(),
                  absl::InvalidArgumentError("A gradient must have its parameter's shape."));
      // Somebody holds what was read: it must not change under them.
      if (!value->RefCountIsOne()) {
        Tensor copy;
        OP_REQUIRES_OK(context, context->allocate_temp(tensorflow::DT_FLOAT, value->shape(), &copy));
        std::copy_n(value->flat<float>().data(), value->NumElements(), copy.flat<float>().data());
        *value = copy;
      }
      values[i] = value->flat<float>().data();
    }
    float *parameter = values[0], *first_moment = values[1], *second_moment = values[2];
    const auto* g = NumbersOf<T>(gradient);
    const int64_t count = gradient.NumElements();
    InParts(context, PartsOf(context, count, count), count, [&](int, int64_t from, int64_t to) {
      // A copy of its own: what is captured might be what is written to, for all the compiler knows.
      const float rate = scalars[1], epsilon = scalars[2], keep = decayed_ ? scalars[3] : 1.0f;
      const float first_stays = scalars[4], first_comes = scalars[5];
      const float second_stays = scalars[6], second_comes = scalars[7];
#pragma omp simd
      for (int64_t i = from; i < to; i++) {
        const float change = Load(g + i);
        const float m = first_stays * first_moment[i] + first_comes * change;
        const float v = second_stays * second_moment[i] + second_comes * change * change;
        first_moment[i] = m;
        second_moment[i] = v;
        parameter[i] = parameter[i] * keep - rate * m / (std::sqrt(v) + epsilon);
      }
    });
  }

 private:
  bool decayed_;
};
TUNEBOOK_KERNEL("TunebookAdamW", AdamW);

}  // namespace tunebook
