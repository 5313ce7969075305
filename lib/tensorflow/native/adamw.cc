// AdamW's update of one parameter in one pass: decay, both moments and the step, in place.
#include <cmath>

#include "parallel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"

namespace tunebook {

REGISTER_OP("TunebookAdamW")
    .Attr("decayed: bool")
    .Input("parameter: resource")
    .Input("first: resource")
    .Input("second: resource")
    .Input("gradient: float")
    .Input("scalars: float")  // [5]: learning rate, beta1, beta2, epsilon, what decay leaves
    .SetIsStateful()
    .SetShapeFn(tensorflow::shape_inference::NoOutputs);

class AdamW : public OpKernel {
 public:
  explicit AdamW(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("decayed", &decayed_));
  }
  void Compute(OpKernelContext* context) override {
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
    const float* g = gradient.flat<float>().data();
    const float* scalars = context->input(4).flat<float>().data();
    const int64_t count = gradient.NumElements();
    InParts(context, PartsOf(context, count, count), count, [&](int, int64_t from, int64_t to) {
      // A copy of its own: what is captured might be what is written to, for all the compiler knows.
      const float rate = scalars[0], beta1 = scalars[1], beta2 = scalars[2], epsilon = scalars[3];
      const float keep = decayed_ ? scalars[4] : 1.0f;
#pragma omp simd
      for (int64_t i = from; i < to; i++) {
        const float m = beta1 * first_moment[i] + (1 - beta1) * g[i];
        const float v = beta2 * second_moment[i] + (1 - beta2) * g[i] * g[i];
        first_moment[i] = m;
        second_moment[i] = v;
        parameter[i] = parameter[i] * keep - rate * m / (std::sqrt(v) + epsilon);
      }
    });
  }

 private:
  bool decayed_;
};
REGISTER_KERNEL_BUILDER(Name("TunebookAdamW").Device(tensorflow::DEVICE_CPU), AdamW);

}  // namespace tunebook
