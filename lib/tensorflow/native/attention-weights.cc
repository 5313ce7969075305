// softmax(scale * scores + mask) with dropout, a row at a time in the processor's cache, and its gradient.
#include "chance.h"
#include "numbers.h"
#include "parallel.h"
#include "vector-math.h"

namespace tunebook {

REGISTER_OP("TunebookAttentionWeights")
    .Attr("rate: float")
    .Attr("scale: float")
    .Attr("T: {float, bfloat16}")
    .Input("scores: T")       // [batch, heads, asking, tokens]
    .Input("lengths: int32")  // [batch]: tokens of each text; what follows is padding and gets no weight
    .Input("seed: int32")     // [2]
    .Output("weights: T")     // before dropout
    .Output("used: T")        // after dropout
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(0));
      return absl::OkStatus();
    });

REGISTER_OP("TunebookAttentionWeightsGrad")
    .Attr("rate: float")
    .Attr("scale: float")
    .Attr("T: {float, bfloat16}")
    .Input("dused: T")
    .Input("weights: T")
    .Input("seed: int32")
    .Output("dscores: T")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

template <typename T>
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
    const auto* scores = NumbersOf<T>(context->input(0));
    const int32_t* lengths = context->input(1).flat<int32_t>().data();
    const Chance chance(context->input(2).flat<int32_t>().data(), rate_);
    auto* weights = NumbersOf<T>(weights_output);
    auto* used = rate_ > 0 ? NumbersOf<T>(used_output) : nullptr;
    InParts(context, PartsOf(context, rows, rows * tokens), rows, [&](int, int64_t first, int64_t last) {
      // A copy of its own: what is captured might be what is written to, for all the compiler knows.
      const Chance draw = chance;
      const float scale = scale_;
      std::vector<float> row_numbers(tokens);
      float* wide = row_numbers.data();
      for (int64_t row = first; row < last; row++) {
        const int64_t from = row * tokens, length = lengths[row / rows_of_text];
        const auto* in = scores + from;
        float highest = Load(in), total = 0;
#pragma omp simd reduction(max : highest)
        for (int64_t i = 0; i < length; i++) {
          wide[i] = Load(in + i);
          highest = wide[i] > highest ? wide[i] : highest;
        }
#pragma omp simd reduction(+ : total)
        for (int64_t i = 0; i < length; i++) {
          wide[i] = Exp((wide[i] - highest) * scale);
          total += wide[i];
        }
        const float inverse = 1.0f / total;
        for (int64_t i = 0; i < length; i++) wide[i] *= inverse;
        for (int64_t i = length; i < tokens; i++) wide[i] = 0;
        for (int64_t i = 0; i < tokens; i++) Store(wide[i], weights + from + i);
        if (used)
          for (int64_t i = 0; i < tokens; i++)
            Store(wide[i] * draw(static_cast<uint32_t>(from + i)), used + from + i);
      }
    });
  }

 private:
  float rate_, scale_;
};
TUNEBOOK_KERNEL("TunebookAttentionWeights", AttentionWeights);

template <typename T>
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
    const auto* dused = NumbersOf<T>(context->input(0));
    const auto* weights = NumbersOf<T>(context->input(1));
    const Chance chance(context->input(2).flat<int32_t>().data(), rate_);
    auto* dscores = NumbersOf<T>(output);
    InParts(context, PartsOf(context, rows, rows * tokens), rows, [&](int, int64_t first, int64_t last) {
      const Chance draw = chance;
      const float scale = scale_;
      std::vector<float> row_numbers(tokens);
      float* wide = row_numbers.data();
      for (int64_t row = first; row < last; row++) {
        const int64_t from = row * tokens;
        const auto *grad = dused + from, *weight = weights + from;
        auto* out = dscores + from;
        float along = 0;
        if (rate_ > 0)
          for (int64_t i = 0; i < tokens; i++) wide[i] = Load(grad + i) * draw(static_cast<uint32_t>(from + i));
        else
          for (int64_t i = 0; i < tokens; i++) wide[i] = Load(grad + i);
#pragma omp simd reduction(+ : along)
        for (int64_t i = 0; i < tokens; i++) along += wide[i] * Load(weight + i);
        for (int64_t i = 0; i < tokens; i++) Store((wide[i] - along) * Load(weight + i) * scale, out + i);
      }
    });
  }

 private:
  float rate_, scale_;
};
TUNEBOOK_KERNEL("TunebookAttentionWeightsGrad", AttentionWeightsGrad);

}  // namespace tunebook
