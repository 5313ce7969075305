// The project's TensorFlow operations: names, types, shapes and memory. Their inner loops are in the header files of
// this directory, compiled once per instruction-set level. Only this file and parallel.h include TensorFlow's headers.
#include <cmath>
#include <type_traits>
#include <vector>

#include "dropout.h"
#include "kernels.h"
#include "parallel.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace tunebook {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::shape_inference::InferenceContext;

namespace {

// The kernels' type for values of T.
template <typename T>
using NumberOf = std::conditional_t<std::is_same_v<T, float>, float, uint16_t>;

template <typename T>
const NumberOf<T>* NumbersOf(const Tensor& tensor) {
  return reinterpret_cast<const NumberOf<T>*>(tensor.flat<T>().data());
}
template <typename T>
NumberOf<T>* NumbersOf(Tensor* tensor) {
  return reinterpret_cast<NumberOf<T>*>(tensor->flat<T>().data());
}

template <typename T>
const TypedKernels<NumberOf<T>>& KernelsOf() {
  if constexpr (std::is_same_v<T, float>)
    return SelectedKernels()->float32;
  else
    return SelectedKernels()->bfloat16;
}

// Derives the parameters of dropout from seed [2] and rate.
Dropout DropoutOf(const Tensor& seed, float rate) {
  const int32_t* numbers = seed.flat<int32_t>().data();
  return {Hash(static_cast<uint32_t>(numbers[0]) ^ Hash(static_cast<uint32_t>(numbers[1]) + 0x9e3779b9u)),
          static_cast<uint32_t>(std::llround(static_cast<double>(rate) * 4294967296.0)), 1.0f / (1.0f - rate)};
}

// Base class of operations that use the kernels of the selected level. TensorFlow constructs one per use in a graph.
class LevelOpKernel : public OpKernel {
 public:
  explicit LevelOpKernel(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES(context, SelectedKernels() != nullptr,
                absl::FailedPreconditionError("No kernel level of this processor is selected."));
  }
};

// Registers KERNEL<T> as NAME for float32 and bfloat16.
#define TUNEBOOK_KERNEL(NAME, KERNEL)                                                                          \
  REGISTER_KERNEL_BUILDER(Name(NAME).Device(tensorflow::DEVICE_CPU).TypeConstraint<float>("T"), KERNEL<float>); \
  REGISTER_KERNEL_BUILDER(Name(NAME).Device(tensorflow::DEVICE_CPU).TypeConstraint<tensorflow::bfloat16>("T"),  \
                          KERNEL<tensorflow::bfloat16>)

// --- Levels ----------------------------------------------------------------------------------------------------------

REGISTER_OP("TunebookKernelLevels")
    .Output("selected: string")   // Empty if no level is selected.
    .Output("supported: string")  // [n], best first.
    .SetIsStateful()
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->Scalar());
      c->set_output(1, c->Vector(InferenceContext::kUnknownDim));
      return absl::OkStatus();
    });

class KernelLevels : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* context) override {
    int64_t count = 0;
    while (SupportedKernels()[count] != nullptr) count++;
    Tensor *selected, *supported;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({}), &selected));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({count}), &supported));
    selected->scalar<tensorflow::tstring>()() = SelectedKernels() != nullptr ? SelectedKernels()->level : "";
    for (int64_t i = 0; i < count; i++) supported->vec<tensorflow::tstring>()(i) = SupportedKernels()[i]->level;
  }
};
REGISTER_KERNEL_BUILDER(Name("TunebookKernelLevels").Device(tensorflow::DEVICE_CPU), KernelLevels);

// --- GELU ------------------------------------------------------------------------------------------------------------

REGISTER_OP("TunebookGelu")
    .Attr("T: {float, bfloat16}")
    .Input("x: T")         // [rows, width]
    .Input("bias: float")  // [width]
    .Output("y: T")        // [rows, width]
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

template <typename T>
class GeluOp : public LevelOpKernel {
 public:
  using LevelOpKernel::LevelOpKernel;
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const int64_t rows = input.dim_size(0), width = input.dim_size(1);
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, input.shape(), &output));
    const auto* x = NumbersOf<T>(input);
    const float* bias = context->input(1).flat<float>().data();
    auto* y = NumbersOf<T>(output);
    InParts(context, PartsOf(context, rows, rows * width), rows,
            [&](int, Range range) { KernelsOf<T>().gelu(x, bias, y, width, range); });
  }
};
TUNEBOOK_KERNEL("TunebookGelu", GeluOp);

REGISTER_OP("TunebookGeluGrad")
    .Attr("T: {float, bfloat16}")
    .Input("dy: T")          // [rows, width]
    .Input("x: T")           // [rows, width]
    .Input("bias: float")    // [width]
    .Output("dx: T")         // [rows, width]
    .Output("dbias: float")  // [width]
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(1));
      c->set_output(1, c->input(2));
      return absl::OkStatus();
    });

template <typename T>
class GeluGradOp : public LevelOpKernel {
 public:
  using LevelOpKernel::LevelOpKernel;
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
    InParts(context, parts, rows, [&](int part, Range range) {
      KernelsOf<T>().gelu_gradient(dy, x, bias, dx, sums.Part(part), width, range);
    });
    sums.AddUp(total->flat<float>().data());
  }
};
TUNEBOOK_KERNEL("TunebookGeluGrad", GeluGradOp);

// --- Attention -------------------------------------------------------------------------------------------------------

REGISTER_OP("TunebookAttentionWeights")
    .Attr("rate: float")
    .Attr("scale: float")
    .Attr("T: {float, bfloat16}")
    .Input("scores: T")       // [texts, heads, query tokens, tokens]
    .Input("lengths: int32")  // [texts]: tokens of each text; the rest is padding and gets no weight
    .Input("seed: int32")     // [2]
    .Output("weights: T")     // before dropout
    .Output("used: T")        // after dropout
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(0));
      return absl::OkStatus();
    });

template <typename T>
class AttentionWeightsOp : public LevelOpKernel {
 public:
  explicit AttentionWeightsOp(OpKernelConstruction* context) : LevelOpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("rate", &rate_));
    OP_REQUIRES_OK(context, context->GetAttr("scale", &scale_));
  }
  void Compute(OpKernelContext* context) override {
    const TensorShape& shape = context->input(0).shape();
    const int64_t tokens = shape.dim_size(3), rows_per_text = shape.dim_size(1) * shape.dim_size(2);
    const int64_t rows = shape.dim_size(0) * rows_per_text;
    Tensor *weights_output, *used_output;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &weights_output));
    // Without dropout both outputs are equal and share their memory.
    if (rate_ > 0)
      OP_REQUIRES_OK(context, context->allocate_output(1, shape, &used_output));
    else
      context->set_output(1, *weights_output);
    const auto* scores = NumbersOf<T>(context->input(0));
    const int32_t* lengths = context->input(1).flat<int32_t>().data();
    const Dropout dropout = DropoutOf(context->input(2), rate_);
    auto* weights = NumbersOf<T>(weights_output);
    auto* used = rate_ > 0 ? NumbersOf<T>(used_output) : nullptr;
    InParts(context, PartsOf(context, rows, rows * tokens), rows, [&](int, Range range) {
      std::vector<float> scratch((tokens + 15) / 16 * 16);
      KernelsOf<T>().attention_weights(scores, lengths, dropout, scale_, weights, used, {tokens, rows_per_text},
                                       scratch.data(), range);
    });
  }

 private:
  float rate_, scale_;
};
TUNEBOOK_KERNEL("TunebookAttentionWeights", AttentionWeightsOp);

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
class AttentionWeightsGradOp : public LevelOpKernel {
 public:
  explicit AttentionWeightsGradOp(OpKernelConstruction* context) : LevelOpKernel(context) {
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
    const Dropout dropout = DropoutOf(context->input(2), rate_);
    auto* dscores = NumbersOf<T>(output);
    InParts(context, PartsOf(context, rows, rows * tokens), rows, [&](int, Range range) {
      std::vector<float> scratch(tokens);
      KernelsOf<T>().attention_weights_gradient(dused, weights, dropout, scale_, dscores, tokens, scratch.data(), range);
    });
  }

 private:
  float rate_, scale_;
};
TUNEBOOK_KERNEL("TunebookAttentionWeightsGrad", AttentionWeightsGradOp);

// --- Residual connection with layer norm -----------------------------------------------------------------------------

REGISTER_OP("TunebookResidualLayerNorm")
    .Attr("rate: float")
    .Attr("epsilon: float")
    .Attr("T: {float, bfloat16}")
    .Input("a: float")     // [rows, width]
    .Input("b: T")         // [rows, width]
    .Input("bias: float")  // [width]
    .Input("scale: float")
    .Input("shift: float")
    .Input("seed: int32")         // [2]
    .Output("y: float")           // [rows, width]
    .Output("sum: float")         // [rows, width]
    .Output("statistics: float")  // [rows, 2]: mean, 1 / standard deviation
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(0));
      c->set_output(2, c->Matrix(c->Dim(c->input(0), 0), 2));
      return absl::OkStatus();
    });

template <typename T>
class ResidualLayerNormOp : public LevelOpKernel {
 public:
  explicit ResidualLayerNormOp(OpKernelConstruction* context) : LevelOpKernel(context) {
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
    const Dropout dropout = DropoutOf(context->input(5), rate_);
    float* y = output->flat<float>().data();
    float* sum = sum_output->flat<float>().data();
    float* statistics = statistics_output->flat<float>().data();
    InParts(context, PartsOf(context, rows, rows * width), rows, [&](int, Range range) {
      KernelsOf<T>().residual_layer_norm(a, b, bias, scale, shift, dropout, epsilon_, y, sum, statistics, width, range);
    });
  }

 private:
  float rate_, epsilon_;
};
TUNEBOOK_KERNEL("TunebookResidualLayerNorm", ResidualLayerNormOp);

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
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(0));
      for (int i = 2; i < 5; i++) c->set_output(i, c->input(3));
      return absl::OkStatus();
    });

template <typename T>
class ResidualLayerNormGradOp : public LevelOpKernel {
 public:
  explicit ResidualLayerNormGradOp(OpKernelConstruction* context) : LevelOpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("rate", &rate_));
  }
  void Compute(OpKernelContext* context) override {
    const TensorShape& shape = context->input(0).shape();
    const int64_t rows = shape.dim_size(0), width = shape.dim_size(1);
    Tensor *da_output, *db_output = nullptr, *totals[3];
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &da_output));
    // Without dropout both gradients are equal. They share their memory if they have the same type.
    if (rate_ == 0 && std::is_same_v<T, float>)
      context->set_output(1, *da_output);
    else
      OP_REQUIRES_OK(context, context->allocate_output(1, shape, &db_output));
    for (int i = 0; i < 3; i++)
      OP_REQUIRES_OK(context, context->allocate_output(2 + i, TensorShape({width}), &totals[i]));
    const float* dy = context->input(0).flat<float>().data();
    const float* sum = context->input(1).flat<float>().data();
    const float* statistics = context->input(2).flat<float>().data();
    const float* scale = context->input(3).flat<float>().data();
    const Dropout dropout = DropoutOf(context->input(4), rate_);
    float* da = da_output->flat<float>().data();
    auto* db = db_output != nullptr ? NumbersOf<T>(db_output) : nullptr;
    const int parts = PartsOf(context, rows, rows * width);
    PartialSums bias_sums(parts, width), scale_sums(parts, width), shift_sums(parts, width);
    InParts(context, parts, rows, [&](int part, Range range) {
      KernelsOf<T>().residual_layer_norm_gradient(dy, sum, statistics, scale, dropout, da, db, bias_sums.Part(part),
                                                  scale_sums.Part(part), shift_sums.Part(part), width, range);
    });
    bias_sums.AddUp(totals[0]->flat<float>().data());
    scale_sums.AddUp(totals[1]->flat<float>().data());
    shift_sums.AddUp(totals[2]->flat<float>().data());
  }

 private:
  float rate_;
};
TUNEBOOK_KERNEL("TunebookResidualLayerNormGrad", ResidualLayerNormGradOp);

// --- Heads -----------------------------------------------------------------------------------------------------------

REGISTER_OP("TunebookSplitHeads")
    .Attr("batch: int")
    .Attr("heads: int")
    .Attr("T: {float, bfloat16}")
    .Input("x: T")         // [batch * tokens, heads * width]
    .Input("bias: float")  // [heads * width]
    .Output("y: T")        // [batch, heads, tokens, width]
    .SetShapeFn(tensorflow::shape_inference::UnknownShape);

template <typename T>
class SplitHeadsOp : public LevelOpKernel {
 public:
  explicit SplitHeadsOp(OpKernelConstruction* context) : LevelOpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("batch", &batch_));
    OP_REQUIRES_OK(context, context->GetAttr("heads", &heads_));
  }
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const int64_t rows = input.dim_size(0), columns = input.dim_size(1);
    const HeadsShape shape = {rows / batch_, heads_, columns / heads_};
    Tensor* output;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, TensorShape({batch_, heads_, shape.tokens, shape.width}), &output));
    const auto* x = NumbersOf<T>(input);
    const float* bias = context->input(1).flat<float>().data();
    auto* y = NumbersOf<T>(output);
    InParts(context, PartsOf(context, rows, rows * columns), rows,
            [&](int, Range range) { KernelsOf<T>().split_heads(x, bias, y, shape, range); });
  }

 private:
  int64_t batch_, heads_;
};
TUNEBOOK_KERNEL("TunebookSplitHeads", SplitHeadsOp);

REGISTER_OP("TunebookJoinHeads")
    .Attr("T: {float, bfloat16}")
    .Input("x: T")         // [batch, heads, tokens, width]
    .Output("y: T")        // [batch * tokens, heads * width]
    .Output("sum: float")  // [heads * width]
    .SetShapeFn(tensorflow::shape_inference::UnknownShape);

template <typename T>
class JoinHeadsOp : public LevelOpKernel {
 public:
  using LevelOpKernel::LevelOpKernel;
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const HeadsShape shape = {input.dim_size(2), input.dim_size(1), input.dim_size(3)};
    const int64_t rows = input.dim_size(0) * shape.tokens, columns = shape.heads * shape.width;
    Tensor *output, *total;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({rows, columns}), &output));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({columns}), &total));
    const auto* x = NumbersOf<T>(input);
    auto* y = NumbersOf<T>(output);
    const int parts = PartsOf(context, rows, rows * columns);
    PartialSums sums(parts, columns);
    InParts(context, parts, rows,
            [&](int part, Range range) { KernelsOf<T>().join_heads(x, y, sums.Part(part), shape, range); });
    sums.AddUp(total->flat<float>().data());
  }
};
TUNEBOOK_KERNEL("TunebookJoinHeads", JoinHeadsOp);

// --- Dropout ---------------------------------------------------------------------------------------------------------

REGISTER_OP("TunebookDropout")
    .Attr("rate: float")
    .Input("x: float")
    .Input("seed: int32")  // [2]
    .Output("y: float")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

class DropoutOp : public LevelOpKernel {
 public:
  explicit DropoutOp(OpKernelConstruction* context) : LevelOpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("rate", &rate_));
  }
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, input.shape(), &output));
    const Dropout dropout = DropoutOf(context->input(1), rate_);
    const float* x = input.flat<float>().data();
    float* y = output->flat<float>().data();
    const int64_t count = input.NumElements();
    InParts(context, PartsOf(context, count, count), count,
            [&](int, Range range) { SelectedKernels()->dropout(x, dropout, y, range); });
  }

 private:
  float rate_;
};
REGISTER_KERNEL_BUILDER(Name("TunebookDropout").Device(tensorflow::DEVICE_CPU), DropoutOp);

// --- Sums ------------------------------------------------------------------------------------------------------------

REGISTER_OP("TunebookWideSum")
    .Attr("N: int >= 1")
    .Input("parts: N * bfloat16")
    .Output("sum: float")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

class WideSumOp : public LevelOpKernel {
 public:
  using LevelOpKernel::LevelOpKernel;
  void Compute(OpKernelContext* context) override {
    const TensorShape& shape = context->input(0).shape();
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &output));
    std::vector<const uint16_t*> parts;
    for (int i = 0; i < context->num_inputs(); i++) {
      OP_REQUIRES(context, context->input(i).shape() == shape,
                  absl::InvalidArgumentError("All summands must have the same shape."));
      parts.push_back(NumbersOf<tensorflow::bfloat16>(context->input(i)));
    }
    float* sum = output->flat<float>().data();
    const int64_t count = shape.num_elements();
    InParts(context, PartsOf(context, count, count), count,
            [&](int, Range range) { SelectedKernels()->wide_sum(parts.data(), parts.size(), sum, range); });
  }
};
REGISTER_KERNEL_BUILDER(Name("TunebookWideSum").Device(tensorflow::DEVICE_CPU), WideSumOp);

REGISTER_OP("TunebookSquareSum")
    .Attr("T: {float, bfloat16}")
    .Input("x: T")
    .Output("sum: float")  // scalar
    .SetShapeFn(tensorflow::shape_inference::ScalarShape);

template <typename T>
class SquareSumOp : public LevelOpKernel {
 public:
  using LevelOpKernel::LevelOpKernel;
  void Compute(OpKernelContext* context) override {
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({}), &output));
    const auto* x = NumbersOf<T>(context->input(0));
    const int64_t count = context->input(0).NumElements();
    const int parts = PartsOf(context, count, count);
    std::vector<double> sums(parts, 0.0);
    InParts(context, parts, count, [&](int part, Range range) { sums[part] = KernelsOf<T>().square_sum(x, range); });
    double total = 0;
    for (double sum : sums) total += sum;
    output->scalar<float>()() = static_cast<float>(total);
  }
};
TUNEBOOK_KERNEL("TunebookSquareSum", SquareSumOp);

// --- AdamW -----------------------------------------------------------------------------------------------------------

REGISTER_OP("TunebookAdamW")
    .Attr("decayed: bool")
    .Input("parameter: resource")
    .Input("first: resource")
    .Input("second: resource")
    .Attr("T: {float, bfloat16}")
    .Input("gradient: T")
    // [8]: 0 to skip the step, then AdamWScalars in the order of their declaration.
    .Input("scalars: float")
    .SetIsStateful()
    .SetShapeFn(tensorflow::shape_inference::NoOutputs);

template <typename T>
class AdamWOp : public LevelOpKernel {
 public:
  explicit AdamWOp(OpKernelConstruction* context) : LevelOpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("decayed", &decayed_));
  }
  void Compute(OpKernelContext* context) override {
    const float* scalars = context->input(4).flat<float>().data();
    if (scalars[0] == 0) return;
    tensorflow::core::RefCountPtr<tensorflow::Var> variables[3];
    float* values[3];
    const Tensor& gradient = context->input(3);
    for (int i = 0; i < 3; i++) {
      OP_REQUIRES_OK(context,
                     tensorflow::LookupResource(context, tensorflow::HandleFromInput(context, i), &variables[i]));
      Tensor* value = variables[i]->tensor();
      OP_REQUIRES(context, value->shape() == gradient.shape(),
                  absl::InvalidArgumentError("A gradient must have its parameter's shape."));
      // A tensor that was read from the variable shares its memory and must not change.
      if (!value->RefCountIsOne()) {
        Tensor copy;
        OP_REQUIRES_OK(context, context->allocate_temp(tensorflow::DT_FLOAT, value->shape(), &copy));
        std::copy_n(value->flat<float>().data(), value->NumElements(), copy.flat<float>().data());
        *value = copy;
      }
      values[i] = value->flat<float>().data();
    }
    const AdamWScalars step = {scalars[1], scalars[2], decayed_ ? scalars[3] : 1.0f, scalars[4],
                               scalars[5], scalars[6], scalars[7]};
    const auto* numbers = NumbersOf<T>(gradient);
    const int64_t count = gradient.NumElements();
    InParts(context, PartsOf(context, count, count), count, [&](int, Range range) {
      KernelsOf<T>().adamw(values[0], values[1], values[2], numbers, step, range);
    });
  }

 private:
  bool decayed_;
};
TUNEBOOK_KERNEL("TunebookAdamW", AdamWOp);

}  // namespace
}  // namespace tunebook
