// Layer norm of a sum: LN(a + dropout(b + bias)), what follows every attention and every feed-forward block. One pass
// forward, one back, where single kernels take some thirty.
#include <cmath>
#include <type_traits>

#include "chance.h"
#include "numbers.h"
#include "parallel.h"

namespace tunebook {

REGISTER_OP("TunebookResidualLayerNorm")
    .Attr("rate: float")
    .Attr("epsilon: float")
    .Attr("T: {float, bfloat16}")
    .Input("a: float")     // [rows, width]
    .Input("b: T")         // [rows, width]
    .Input("bias: float")  // [width]
    .Input("scale: float")
    .Input("shift: float")
    .Input("seed: int32")        // [2]
    .Output("y: float")          // [rows, width]
    .Output("sum: float")        // [rows, width]
    .Output("statistics: float") // [rows, 2]: mean, 1 / deviation
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(0));
      c->set_output(2, c->Matrix(c->Dim(c->input(0), 0), 2));
      return absl::OkStatus();
    });

REGISTER_OP("TunebookResidualLayerNormGrad")
    .Attr("rate: float")
    .Attr("T: {float, bfloat16}")
    .Input("dy: float")
    .Input("sum: float")
    .Input("statistics: float")
    .Input("scale: float")
    .Input("seed: int32")
    .Output("da: float")  // [rows, width]
    .Output("db: T")      // [rows, width]
    .Output("dbias: float")
    .Output("dscale: float")
    .Output("dshift: float")
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(0));
      for (int i = 2; i < 5; i++) c->set_output(i, c->input(3));
      return absl::OkStatus();
    });

template <typename T>
class ResidualLayerNorm : public OpKernel {
 public:
  explicit ResidualLayerNorm(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("rate", &rate_));
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &epsilon_));
  }
  void Compute(OpKernelContext* context) override {
    const TensorShape& shape = context->input(0).shape();
    const int64_t rows = shape.dim_size(0), width = shape.dim_size(1);
    Tensor *output, *sum_output, *statistics_output;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &output));
    OP_REQUIRES_OK(context, context->allocate_output(1, shape, &sum_output));
    OP_REQUIRES_OK(context, context->allocate_output(2, TensorShape({rows, 2}), &statistics_output));
    const float* a = context->input(0).flat<float>().data();
    const auto* b = NumbersOf<T>(context->input(1));
    const float* bias = context->input(2).flat<float>().data();
    const float* scale = context->input(3).flat<float>().data();
    const float* shift = context->input(4).flat<float>().data();
    const Chance chance(context->input(5).flat<int32_t>().data(), rate_);
    float* y = output->flat<float>().data();
    float* sum = sum_output->flat<float>().data();
    float* statistics = statistics_output->flat<float>().data();
    InParts(context, PartsOf(context, rows, rows * width), rows, [&](int, int64_t first, int64_t last) {
      // A copy of its own: what is captured might be what is written to, for all the compiler knows.
      const Chance draw = chance;
      for (int64_t row = first; row < last; row++) {
        const int64_t from = row * width;
        float* s = sum + from;
        if (rate_ > 0)
          for (int64_t i = 0; i < width; i++)
            s[i] = a[from + i] + (Load(b + from + i) + bias[i]) * draw(static_cast<uint32_t>(from + i));
        else
          for (int64_t i = 0; i < width; i++) s[i] = a[from + i] + (Load(b + from + i) + bias[i]);
        float mean = 0, variance = 0;
#pragma omp simd reduction(+ : mean)
        for (int64_t i = 0; i < width; i++) mean += s[i];
        mean /= width;
#pragma omp simd reduction(+ : variance)
        for (int64_t i = 0; i < width; i++) variance += (s[i] - mean) * (s[i] - mean);
        const float inverse = 1.0f / std::sqrt(variance / width + epsilon_);
        for (int64_t i = 0; i < width; i++) y[from + i] = (s[i] - mean) * inverse * scale[i] + shift[i];
        statistics[2 * row] = mean;
        statistics[2 * row + 1] = inverse;
      }
    });
  }

 private:
  float rate_, epsilon_;
};
TUNEBOOK_KERNEL("TunebookResidualLayerNorm", ResidualLayerNorm);

template <typename T>
class ResidualLayerNormGrad : public OpKernel {
 public:
  explicit ResidualLayerNormGrad(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("rate", &rate_));
  }
  void Compute(OpKernelContext* context) override {
    const TensorShape& shape = context->input(0).shape();
    const int64_t rows = shape.dim_size(0), width = shape.dim_size(1);
    Tensor *da_output, *db_output, *totals[3];
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &da_output));
    // Without dropout both summands have the same gradient: one piece of memory serves both, if they are of one type.
    const bool same = rate_ == 0 && std::is_same<T, float>::value;
    if (!same)
      OP_REQUIRES_OK(context, context->allocate_output(1, shape, &db_output));
    else
      context->set_output(1, *da_output);
    for (int i = 0; i < 3; i++)
      OP_REQUIRES_OK(context, context->allocate_output(2 + i, TensorShape({width}), &totals[i]));
    const float* dy = context->input(0).flat<float>().data();
    const float* sum = context->input(1).flat<float>().data();
    const float* statistics = context->input(2).flat<float>().data();
    const float* scale = context->input(3).flat<float>().data();
    const Chance chance(context->input(4).flat<int32_t>().data(), rate_);
    float* da = da_output->flat<float>().data();
    auto* db = same ? reinterpret_cast<typename Stored<T>::Type*>(da) : NumbersOf<T>(db_output);
    const int parts = PartsOf(context, rows, rows * width);
    PartialSums bias_sums(parts, width), scale_sums(parts, width), shift_sums(parts, width);
    InParts(context, parts, rows, [&](int part, int64_t first, int64_t last) {
      const Chance draw = chance;
      float *dbias = bias_sums.of(part), *dscale = scale_sums.of(part), *dshift = shift_sums.of(part);
      for (int64_t row = first; row < last; row++) {
        const int64_t from = row * width;
        const float mean = statistics[2 * row], inverse = statistics[2 * row + 1];
        const float *grad = dy + from, *s = sum + from;
        float level = 0, along = 0;
#pragma omp simd reduction(+ : level, along)
        for (int64_t i = 0; i < width; i++) {
          const float normalized = (s[i] - mean) * inverse;
          const float scaled = grad[i] * scale[i];
          level += scaled;
          along += scaled * normalized;
          dscale[i] += grad[i] * normalized;
          dshift[i] += grad[i];
        }
        level /= width;
        along /= width;
        float* out_a = da + from;
        auto* out_b = db + from;
        for (int64_t i = 0; i < width; i++)
          out_a[i] = inverse * (grad[i] * scale[i] - level - (s[i] - mean) * inverse * along);
        if (rate_ > 0)
          for (int64_t i = 0; i < width; i++) {
            const float change = out_a[i] * draw(static_cast<uint32_t>(from + i));
            Store(change, out_b + i);
            dbias[i] += change;
          }
        else
          for (int64_t i = 0; i < width; i++) {
            if (!same) Store(out_a[i], out_b + i);
            dbias[i] += out_a[i];
          }
      }
    });
    bias_sums.Total(totals[0]->flat<float>().data());
    scale_sums.Total(totals[1]->flat<float>().data());
    shift_sums.Total(totals[2]->flat<float>().data());
  }

 private:
  float rate_;
};
TUNEBOOK_KERNEL("TunebookResidualLayerNormGrad", ResidualLayerNormGrad);

}  // namespace tunebook
