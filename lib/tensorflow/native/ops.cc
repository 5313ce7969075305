// The project's TensorFlow operations: names, types, shapes and memory. Their inner loops are in the header files of
// this directory, compiled once per instruction-set level. Only this file and parallel.h include TensorFlow's headers.
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
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
    .Attr("tanh: bool")
    .Attr("T: {float, bfloat16}")
    .Input("x: T")         // [rows, width]
    .Input("bias: float")  // [width]
    .Output("y: T")        // [rows, width]
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

template <typename T>
class GeluOp : public LevelOpKernel {
 public:
  explicit GeluOp(OpKernelConstruction* context) : LevelOpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("tanh", &tanh_));
  }
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const int64_t rows = input.dim_size(0), width = input.dim_size(1);
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, input.shape(), &output));
    const auto* x = NumbersOf<T>(input);
    const float* bias = context->input(1).flat<float>().data();
    auto* y = NumbersOf<T>(output);
    InParts(context, PartsOf(context, rows, rows * width), rows,
            [&](int, Range range) { KernelsOf<T>().gelu(x, bias, tanh_, y, width, range); });
  }

 private:
  bool tanh_;
};
TUNEBOOK_KERNEL("TunebookGelu", GeluOp);

REGISTER_OP("TunebookGeluGrad")
    .Attr("tanh: bool")
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
  explicit GeluGradOp(OpKernelConstruction* context) : LevelOpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("tanh", &tanh_));
  }
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
      KernelsOf<T>().gelu_gradient(dy, x, bias, tanh_, dx, sums.Part(part), width, range);
    });
    sums.AddUp(total->flat<float>().data());
  }

 private:
  bool tanh_;
};
TUNEBOOK_KERNEL("TunebookGeluGrad", GeluGradOp);

REGISTER_OP("TunebookGatedGelu")
    .Attr("T: {float, bfloat16}")
    .Input("x: T")   // [rows, 2 width]
    .Output("y: T")  // [rows, width]
    .SetShapeFn([](InferenceContext* c) {
      tensorflow::shape_inference::DimensionHandle width;
      TF_RETURN_IF_ERROR(c->Divide(c->Dim(c->input(0), 1), 2, true, &width));
      c->set_output(0, c->Matrix(c->Dim(c->input(0), 0), width));
      return absl::OkStatus();
    });

template <typename T>
class GatedGeluOp : public LevelOpKernel {
 public:
  using LevelOpKernel::LevelOpKernel;
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const int64_t rows = input.dim_size(0), width = input.dim_size(1) / 2;
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({rows, width}), &output));
    const auto* x = NumbersOf<T>(input);
    auto* y = NumbersOf<T>(output);
    InParts(context, PartsOf(context, rows, rows * width), rows,
            [&](int, Range range) { KernelsOf<T>().gated_gelu(x, y, width, range); });
  }
};
TUNEBOOK_KERNEL("TunebookGatedGelu", GatedGeluOp);

REGISTER_OP("TunebookGatedGeluGrad")
    .Attr("T: {float, bfloat16}")
    .Input("dy: T")   // [rows, width]
    .Input("x: T")    // [rows, 2 width]
    .Output("dx: T")  // [rows, 2 width]
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(1));
      return absl::OkStatus();
    });

template <typename T>
class GatedGeluGradOp : public LevelOpKernel {
 public:
  using LevelOpKernel::LevelOpKernel;
  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(1);
    const int64_t rows = input.dim_size(0), width = input.dim_size(1) / 2;
    Tensor* output;
    OP_REQUIRES_OK(context, context->allocate_output(0, input.shape(), &output));
    const auto* dy = NumbersOf<T>(context->input(0));
    const auto* x = NumbersOf<T>(input);
    auto* dx = NumbersOf<T>(output);
    InParts(context, PartsOf(context, rows, rows * width), rows,
            [&](int, Range range) { KernelsOf<T>().gated_gelu_gradient(dy, x, dx, width, range); });
  }
};
TUNEBOOK_KERNEL("TunebookGatedGeluGrad", GatedGeluGradOp);

// --- Attention -------------------------------------------------------------------------------------------------------

// Inputs of both operations of attention, in this order.
#define TUNEBOOK_ATTENTION_INPUTS                                      \
  Attr("heads: int")                                                   \
      .Attr("rate: float")                                             \
      .Attr("scale: float")                                            \
      .Attr("window: int")            /* -1 for all tokens */          \
      .Attr("T: {float, bfloat16}")                                    \
      .Input("query: T")              /* [queries, dim] */             \
      .Input("key: T")                /* [tokens, dim] */              \
      .Input("value: T")              /* [tokens, dim] */              \
      .Input("query_bias: float")     /* [dim] */                      \
      .Input("key_bias: float")       /* [dim] */                      \
      .Input("value_bias: float")     /* [dim] */                      \
      .Input("query_offsets: int32")  /* [texts + 1], from 0 */        \
      .Input("offsets: int32")        /* [texts + 1], from 0 */        \
      .Input("seed: int32")           /* [2] */                        \
      .Input("rotation: float")       /* [tokens, dim / heads] or [0, 0] */ \
      .Input("buckets: int32")        /* [2 positions - 1] or [0] */   \
      .Input("position_bias: float")  /* [buckets, heads] or [0, 0] */ \
      .Input("position_query: float") /* [buckets, dim] or [0, 0] */   \
      .Input("position_key: float")   /* [buckets, dim] or [0, 0] */

// Rows after the last text are padding: their outputs and gradients are 0.
REGISTER_OP("TunebookAttention")
    .TUNEBOOK_ATTENTION_INPUTS
    .Output("context: T")       // [queries, dim]
    .Output("log_sums: float")  // [queries, heads]
    .SetShapeFn([](InferenceContext* c) {
      int heads;
      TF_RETURN_IF_ERROR(c->GetAttr("heads", &heads));
      c->set_output(0, c->input(0));
      c->set_output(1, c->Matrix(c->Dim(c->input(0), 0), heads));
      return absl::OkStatus();
    });

REGISTER_OP("TunebookAttentionGrad")
    .TUNEBOOK_ATTENTION_INPUTS
    .Input("dcontext: T")       // [queries, dim]
    .Input("log_sums: float")   // [queries, heads]
    .Output("dquery: T")        // [queries, dim]
    .Output("dkey: T")          // [tokens, dim]
    .Output("dvalue: T")        // [tokens, dim]
    .Output("dquery_bias: float")
    .Output("dkey_bias: float")
    .Output("dvalue_bias: float")
    .Output("dposition_bias: float")
    .Output("dposition_query: float")
    .Output("dposition_key: float")
    .SetShapeFn([](InferenceContext* c) {
      for (int i = 0; i < 6; i++) c->set_output(i, c->input(i));
      for (int i = 6; i < 9; i++) c->set_output(i, c->input(i + 5));
      return absl::OkStatus();
    });

// The attributes of both operations.
struct AttentionAttributes {
  int64_t heads, window;
  float rate, scale;

  absl::Status Read(OpKernelConstruction* context) {
    TF_RETURN_IF_ERROR(context->GetAttr("heads", &heads));
    TF_RETURN_IF_ERROR(context->GetAttr("window", &window));
    TF_RETURN_IF_ERROR(context->GetAttr("rate", &rate));
    return context->GetAttr("scale", &scale);
  }
};

// The inputs of a call, and the division of its work among threads.
template <typename T>
struct AttentionCall {
  AttentionInputs<NumberOf<T>> inputs;
  int64_t texts, dim, longest = 0;
  // The work before each text: products, and reading and writing rows.
  std::vector<int64_t> work = {0};

  // Whether offsets increase from 0 to at most `rows`.
  static bool AreOffsets(const Tensor& offsets, int64_t rows) {
    const auto values = offsets.vec<int32_t>();
    if (values.size() == 0 || values(0) != 0 || values(values.size() - 1) > rows) return false;
    for (int64_t i = 1; i < values.size(); i++)
      if (values(i) <= values(i - 1)) return false;
    return true;
  }

  // Checks the inputs that depend on positions.
  static absl::Status CheckPositions(OpKernelContext* context, int64_t tokens, int64_t dim, int64_t heads) {
    const Tensor &rotation = context->input(9), &buckets = context->input(10);
    if (rotation.NumElements() > 0 && (rotation.dim_size(0) != tokens || rotation.dim_size(1) != dim / heads))
      return absl::InvalidArgumentError("The rotation must have a row for each token, of the width of a head.");
    int64_t rows = -1;
    for (int input = 11; input < 14; input++) {
      const Tensor& table = context->input(input);
      if (table.NumElements() == 0) continue;
      if (table.dim_size(1) != (input == 11 ? heads : dim) || (rows >= 0 && table.dim_size(0) != rows))
        return absl::InvalidArgumentError("Tables of relative positions must have equally many rows of the right width.");
      rows = table.dim_size(0);
    }
    if ((context->input(12).NumElements() == 0) != (context->input(13).NumElements() == 0))
      return absl::InvalidArgumentError("Relative positions need queries and keys, or neither.");
    if (rows >= 0 && buckets.NumElements() % 2 == 0)
      return absl::InvalidArgumentError("Relative positions need a bucket for each distance, from 1 - positions.");
    const auto values = buckets.vec<int32_t>();
    for (int64_t i = 0; i < values.size(); i++)
      if (values(i) < 0 || values(i) >= rows)
        return absl::InvalidArgumentError("A bucket of relative positions is not a row of the tables.");
    return absl::OkStatus();
  }

  absl::Status Read(OpKernelContext* context, const AttentionAttributes& attributes) {
    const int64_t heads = attributes.heads;
    const Tensor &query = context->input(0), &key = context->input(1);
    const Tensor &query_offsets = context->input(6), &offsets = context->input(7);
    dim = query.dim_size(1);
    texts = offsets.NumElements() - 1;
    if (query_offsets.NumElements() != texts + 1 || !AreOffsets(query_offsets, query.dim_size(0)) ||
        !AreOffsets(offsets, key.dim_size(0)))
      return absl::InvalidArgumentError(
          "The offsets of texts and of queries must increase from 0, be equally many, and be at most the number of rows.");
    if (dim % heads != 0 || key.dim_size(1) != dim || context->input(2).shape() != key.shape())
      return absl::InvalidArgumentError("Queries, keys and values must have the same width, a multiple of the heads.");
    TF_RETURN_IF_ERROR(CheckPositions(context, key.dim_size(0), dim, heads));
    const auto bias = [&](int input) { return context->input(input).flat<float>().data(); };
    const auto optional = [&](int input) { return context->input(input).NumElements() > 0 ? bias(input) : nullptr; };
    inputs = {NumbersOf<T>(query),
              NumbersOf<T>(key),
              NumbersOf<T>(context->input(2)),
              bias(3),
              bias(4),
              bias(5),
              query_offsets.flat<int32_t>().data(),
              offsets.flat<int32_t>().data(),
              heads,
              dim / heads,
              attributes.scale,
              attributes.window,
              DropoutOf(context->input(8), attributes.rate),
              optional(9),
              context->input(10).flat<int32_t>().data(),
              (context->input(10).NumElements() + 1) / 2,
              optional(11),
              optional(12),
              optional(13)};
    for (int64_t text = 0; text < texts; text++) {
      const int64_t tokens = inputs.offsets[text + 1] - inputs.offsets[text];
      const int64_t queries = inputs.query_offsets[text + 1] - inputs.query_offsets[text];
      work.push_back(work.back() + queries * tokens + 16 * (queries + tokens));
      longest = std::max(longest, tokens);
    }
    return absl::OkStatus();
  }

  int Parts(OpKernelContext* context) const { return PartsOf(context, texts * inputs.heads, work.back() * dim / 16); }

  // The first item (text * heads + head) of a part, so that all parts have about equal work.
  int64_t FirstItem(int part, int parts) const {
    const int64_t wanted = work.back() * inputs.heads * part / parts;
    const int64_t text = std::upper_bound(work.begin(), work.end(), wanted / inputs.heads) - work.begin() - 1;
    if (text == texts) return texts * inputs.heads;
    return text * inputs.heads + (wanted - work[text] * inputs.heads) / (work[text + 1] - work[text]);
  }

  // Calls run(part, memory, items) for each part, in parallel.
  void Divide(OpKernelContext* context, int parts, const std::function<void(int, float*, Range)>& run) const {
    InParts(context, parts, parts, [&](int part, Range) {
      // Not initialized; aligned to cache lines.
      const std::unique_ptr<float[]> memory(new float[AttentionScratch(longest, inputs.width, inputs.positions > 0) + 16]);
      float* const aligned = memory.get() + (64 - reinterpret_cast<uintptr_t>(memory.get()) % 64) % 64 / 4;
      run(part, aligned, {FirstItem(part, parts), FirstItem(part + 1, parts)});
    });
  }

  // Allocates an output with the shape of an input. Its rows after the last text become 0.
  absl::Status Allocate(OpKernelContext* context, int output, int input, const int32_t* offsets, Tensor** tensor) const {
    const absl::Status status = context->allocate_output(output, context->input(input).shape(), tensor);
    if (!status.ok()) return status;
    NumberOf<T>* const numbers = NumbersOf<T>(*tensor);
    std::fill(numbers + offsets[texts] * dim, numbers + (*tensor)->NumElements(), NumberOf<T>(0));
    return status;
  }
};

template <typename T>
class AttentionOp : public LevelOpKernel {
 public:
  explicit AttentionOp(OpKernelConstruction* context) : LevelOpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }
  void Compute(OpKernelContext* context) override {
    AttentionCall<T> call;
    OP_REQUIRES_OK(context, call.Read(context, attributes_));
    Tensor *output, *log_sums_output;
    OP_REQUIRES_OK(context, call.Allocate(context, 0, 0, call.inputs.query_offsets, &output));
    OP_REQUIRES_OK(
        context, context->allocate_output(1, TensorShape({context->input(0).dim_size(0), attributes_.heads}), &log_sums_output));
    float* log_sums = log_sums_output->flat<float>().data();
    call.Divide(context, call.Parts(context), [&](int, float* memory, Range items) {
      KernelsOf<T>().attention(call.inputs, NumbersOf<T>(output), log_sums, memory, items);
    });
  }

 private:
  AttentionAttributes attributes_;
};
TUNEBOOK_KERNEL("TunebookAttention", AttentionOp);

template <typename T>
class AttentionGradOp : public LevelOpKernel {
 public:
  explicit AttentionGradOp(OpKernelConstruction* context) : LevelOpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }
  void Compute(OpKernelContext* context) override {
    AttentionCall<T> call;
    OP_REQUIRES_OK(context, call.Read(context, attributes_));
    constexpr int kSums = 6;
    Tensor *dquery, *dkey, *dvalue, *totals[kSums];
    OP_REQUIRES_OK(context, call.Allocate(context, 0, 0, call.inputs.query_offsets, &dquery));
    OP_REQUIRES_OK(context, call.Allocate(context, 1, 1, call.inputs.offsets, &dkey));
    OP_REQUIRES_OK(context, call.Allocate(context, 2, 2, call.inputs.offsets, &dvalue));
    const int parts = call.Parts(context);
    std::vector<PartialSums> sums;
    for (int i = 0; i < kSums; i++) {
      // Biases, then tables of relative positions.
      const TensorShape& shape = context->input(i < 3 ? 3 + i : 8 + i).shape();
      OP_REQUIRES_OK(context, context->allocate_output(3 + i, shape, &totals[i]));
      sums.emplace_back(parts, shape.num_elements());
    }
    const AttentionGradients<NumberOf<T>> gradients = {NumbersOf<T>(context->input(14)),
                                                       context->input(15).flat<float>().data(), NumbersOf<T>(dquery),
                                                       NumbersOf<T>(dkey), NumbersOf<T>(dvalue)};
    call.Divide(context, parts, [&](int part, float* memory, Range items) {
      const AttentionSums parts_of_sums = {sums[0].Part(part), sums[1].Part(part), sums[2].Part(part),
                                           sums[3].Part(part), sums[4].Part(part), sums[5].Part(part)};
      KernelsOf<T>().attention_gradient(call.inputs, gradients, parts_of_sums, memory, items);
    });
    for (int i = 0; i < kSums; i++) sums[i].AddUp(totals[i]->flat<float>().data());
  }

 private:
  AttentionAttributes attributes_;
};
TUNEBOOK_KERNEL("TunebookAttentionGrad", AttentionGradOp);

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

// --- Layer norm ------------------------------------------------------------------------------------------------------

REGISTER_OP("TunebookLayerNorm")
    .Attr("epsilon: float")
    .Input("x: float")      // [rows, width]
    .Input("scale: float")  // [width]
    .Input("shift: float")
    .Output("y: float")           // [rows, width]
    .Output("statistics: float")  // [rows, 2]: mean, 1 / standard deviation
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->Matrix(c->Dim(c->input(0), 0), 2));
      return absl::OkStatus();
    });

class LayerNormOp : public LevelOpKernel {
 public:
  explicit LayerNormOp(OpKernelConstruction* context) : LevelOpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &epsilon_));
  }
  void Compute(OpKernelContext* context) override {
    const TensorShape& shape = context->input(0).shape();
    const int64_t rows = shape.dim_size(0), width = shape.dim_size(1);
    Tensor *output, *statistics_output;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &output));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({rows, 2}), &statistics_output));
    const float* x = context->input(0).flat<float>().data();
    const float* scale = context->input(1).flat<float>().data();
    const float* shift = context->input(2).flat<float>().data();
    float* y = output->flat<float>().data();
    float* statistics = statistics_output->flat<float>().data();
    InParts(context, PartsOf(context, rows, rows * width), rows, [&](int, Range range) {
      KernelsOf<float>().layer_norm(x, scale, shift, epsilon_, y, statistics, width, range);
    });
  }

 private:
  float epsilon_;
};
REGISTER_KERNEL_BUILDER(Name("TunebookLayerNorm").Device(tensorflow::DEVICE_CPU), LayerNormOp);

REGISTER_OP("TunebookLayerNormGrad")
    .Input("dy: float")
    .Input("x: float")
    .Input("statistics: float")
    .Input("scale: float")
    .Output("dx: float")  // [rows, width]
    .Output("dscale: float")
    .Output("dshift: float")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      for (int i = 1; i < 3; i++) c->set_output(i, c->input(3));
      return absl::OkStatus();
    });

class LayerNormGradOp : public LevelOpKernel {
 public:
  using LevelOpKernel::LevelOpKernel;
  void Compute(OpKernelContext* context) override {
    const TensorShape& shape = context->input(0).shape();
    const int64_t rows = shape.dim_size(0), width = shape.dim_size(1);
    Tensor *dx_output, *totals[2];
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &dx_output));
    for (int i = 0; i < 2; i++)
      OP_REQUIRES_OK(context, context->allocate_output(1 + i, TensorShape({width}), &totals[i]));
    const float* dy = context->input(0).flat<float>().data();
    const float* x = context->input(1).flat<float>().data();
    const float* statistics = context->input(2).flat<float>().data();
    const float* scale = context->input(3).flat<float>().data();
    float* dx = dx_output->flat<float>().data();
    const int parts = PartsOf(context, rows, rows * width);
    PartialSums scale_sums(parts, width), shift_sums(parts, width);
    InParts(context, parts, rows, [&](int part, Range range) {
      KernelsOf<float>().residual_layer_norm_gradient(dy, x, statistics, scale, Dropout{}, dx, nullptr, nullptr,
                                                      scale_sums.Part(part), shift_sums.Part(part), width, range);
    });
    scale_sums.AddUp(totals[0]->flat<float>().data());
    shift_sums.AddUp(totals[1]->flat<float>().data());
  }
};
REGISTER_KERNEL_BUILDER(Name("TunebookLayerNormGrad").Device(tensorflow::DEVICE_CPU), LayerNormGradOp);

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
