// softmax(scale * scores + mask) with dropout, a row at a time in the processor's cache, and its gradient.
#include "chance.h"
#include "parallel.h"
#include "vector-math.h"

namespace tunebook {

REGISTER_OP("TunebookAttentionWeights")
    .Attr("rate: float")
    .Attr("scale: float")
    .Input("scores: float")   // [batch, heads, asking, tokens]
    .Input("lengths: int32")  // [batch]: tokens of each text; what follows is padding and gets no weight
    .Input("seed: int32")     // [2]
    .Output("weights: float") // before dropout
    .Output("used: float")    // after dropout
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(0));
      return absl::OkStatus();
    });

REGISTER_OP("TunebookAttentionWeightsGrad")
    .Attr("rate: float")
    .Attr("scale: float")
    .Input("dused: float")
    .Input("weights: float")
    .Input("seed: int32")
    .Output("dscores: float")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

class AttentionWeights : public OpKernel {
 public:
  explicit AttentionWeights(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("rate", &rate_));
    OP_REQUIRES_OK(context, context->GetAttr("scale", &scale_));
  }
  void Compute(OpKernelContext* context) override {
    const TensorShape& shape = context->input(0).shape();
    const int64_t tokens = shape.dim_size(3), rows_of_text = shape.dim_size(1) * shape.dim_size(2);
    const int64_t rows = shape.dim_size(0) * rows_of_text;
    Tensor *weights_output, *used_output;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &weights_output));
    // Without dropout both are the same: one piece of memory serves both.
    if (rate_ > 0)
      OP_REQUIRES_OK(context, context->allocate_output(1, shape, &used_output));
    else
      context->set_output(1, *weights_output);
    const float* scores = context->input(0).flat<float>().data();
    const int32_t* lengths = context->input(1).flat<int32_t>().data();
    const Chance chance(context->input(2).flat<int32_t>().data(), rate_);
    float* weights = weights_output->flat<float>().data();
    float* used = rate_ > 0 ? used_output->flat<float>().data() : nullptr;
    InParts(context, PartsOf(context, rows, rows * tokens), rows, [&](int, int64_t first, int64_t last) {
      // A copy of its own: what is captured might be what is written to, for all the compiler knows.
      const Chance draw = chance;
      const float scale = scale_;
      for (int64_t row = first; row < last; row++) {
        const int64_t from = row * tokens, length = lengths[row / rows_of_text];
        const float* in = scores + from;
        float* out = weights + from;
        float highest = in[0], total = 0;
#pragma omp simd reduction(max : highest)
        for (int64_t i = 1; i < length; i++) highest = in[i] > highest ? in[i] : highest;
#pragma omp simd reduction(+ : total)
        for (int64_t i = 0; i < length; i++) {
          out[i] = Exp((in[i] - highest) * scale);
          total += out[i];
        }
        const float inverse = 1.0f / total;
        for (int64_t i = 0; i < length; i++) out[i] *= inverse;
        for (int64_t i = length; i < tokens; i++) out[i] = 0;
        if (used)
          for (int64_t i = 0; i < tokens; i++) used[from + i] = out[i] * draw(static_cast<uint32_t>(from + i));
      }
    });
  }

 private:
  float rate_, scale_;
};
REGISTER_KERNEL_BUILDER(Name("TunebookAttentionWeights").Device(tensorflow::DEVICE_CPU), AttentionWeights);

class AttentionWeightsGrad : public OpKernel {
 public:
  explicit AttentionWeightsGrad(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("rate", &rate_));
    OP_REQUIRES_OK(context, context->GetAttr("scale", &scale_));
  }
  void Compute(OpKernelContext* context) override {
    const TensorShape& shape = context->input(1).shape();
    const int64_t tokens = shape.dim_size(3), rows = shape.num_elements() / tokens;
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &output));
    const float* dused = context->input(0).flat<float>().data();
    const float* weights = context->input(1).flat<float>().data();
    const Chance chance(context->input(2).flat<int32_t>().data(), rate_);
    float* dscores = output->flat<float>().data();
    InParts(context, PartsOf(context, rows, rows * tokens), rows, [&](int, int64_t first, int64_t last) {
      const Chance draw = chance;
      const float scale = scale_;
      for (int64_t row = first; row < last; row++) {
        const int64_t from = row * tokens;
        const float *grad = dused + from, *weight = weights + from;
        float* out = dscores + from;
        float along = 0;
        if (rate_ > 0)
          for (int64_t i = 0; i < tokens; i++) out[i] = grad[i] * draw(static_cast<uint32_t>(from + i));
        else
          for (int64_t i = 0; i < tokens; i++) out[i] = grad[i];
#pragma omp simd reduction(+ : along)
        for (int64_t i = 0; i < tokens; i++) along += out[i] * weight[i];
        for (int64_t i = 0; i < tokens; i++) out[i] = (out[i] - along) * weight[i] * scale;
      }
    });
  }

 private:
  float rate_, scale_;
};
REGISTER_KERNEL_BUILDER(Name("TunebookAttentionWeightsGrad").Device(tensorflow::DEVICE_CPU), AttentionWeightsGrad);

}  // namespace tunebook
