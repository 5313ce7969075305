// The interface between the inner loops (compiled once per instruction-set level, see level.cc) and the TensorFlow
// operations that call them (ops.cc). It consists of raw pointers and sizes: the loops do not include headers of
// TensorFlow, Eigen or absl, so that any C++17 compiler can build them for any instruction set.
//
// Values between two matrix products are float32 (`float`) or bfloat16 (`uint16_t`, the upper half of a float32). The
// arithmetic is float32 throughout. Every function processes a range, so that the caller can divide the work among
// threads.
#pragma once

#include <cstdint>

namespace tunebook {

// Dropout as a function of seed and position: an element is kept if its hash is at least `threshold`.
struct Dropout {
  uint32_t key;        // Derived from the seed.
  uint32_t threshold;  // rate * 2^32; 0 disables dropout.
  float scale;         // 1 / (1 - rate), the factor of kept elements.
};

// Rows or elements [first, last).
struct Range {
  int64_t first, last;
};

// Texts packed one after another: text t has the tokens [offsets[t], offsets[t + 1]) and the queries [query_offsets[t],
// query_offsets[t + 1]). Queries, keys and values are the products with the weights, without bias.
template <typename Number>
struct AttentionInputs {
  const Number *query, *key, *value;                // [queries, heads * width], [tokens, heads * width] twice
  const float *query_bias, *key_bias, *value_bias;  // [heads * width]
  const int32_t *query_offsets, *offsets;           // [texts + 1]
  int64_t heads, width;
  float scale;      // Of the scores.
  int64_t window;   // Maximum distance of tokens that attend to each other; -1 for all.
  Dropout dropout;  // Of the attention weights.
  const float* rotation;  // [tokens, width]: cosines, then sines, of the angles of each token; null without rotation.
  // The rows of the following tables by distance, key - query: [2 * positions - 1], from 1 - positions.
  const int32_t* buckets;
  int64_t positions;
  const float* position_bias;                  // [buckets, heads], added to the scores; or null.
  const float *position_query, *position_key;  // [buckets, heads * width], see RelativePositions; or null.
};

template <typename Number>
struct AttentionGradients {
  const Number* dcontext;          // [queries, heads * width]
  const float* log_sums;           // [queries, heads]
  Number *dquery, *dkey, *dvalue;  // As query, key and value.
};

// Sums to which the gradients of a part of the items are added; the last three may be null.
struct AttentionSums {
  float *query_bias, *key_bias, *value_bias;             // [heads * width]
  float *position_bias, *position_query, *position_key;  // As the inputs.
};

// Query rows that attention processes at a time: a multiple of the rows of a tile (matrix-product.h).
constexpr int64_t kAttentionRows = 24;

// Numbers from row to row of a matrix in the memory of attention: an odd number of cache lines. With a power of two, the
// rows would compete for the same lines of the cache.
static constexpr int64_t ScratchStep(int64_t columns) { return ((columns + 15) / 16 | 1) * 16; }

// Numbers of memory that attention and its gradient need for texts of at most `tokens` tokens, also with relative positions.
static constexpr int64_t AttentionScratch(int64_t tokens, int64_t width, bool relative) {
  const int64_t columns = (width + 15) / 16 * 16;
  const int64_t basic = (4 * tokens + 5 * kAttentionRows) * ScratchStep(columns) +
                        (2 * columns + 4 * kAttentionRows + 1) * ScratchStep(tokens);
  if (!relative) return basic;
  return basic + 2 * tokens * ScratchStep(columns) + 2 * columns * ScratchStep(tokens) +
         (4 * columns + 2) * ScratchStep(2 * tokens);
}

// Scalars of an AdamW step.
struct AdamWScalars {
  float learning_rate, epsilon;
  float keep;                       // Factor of the parameter: 1 - learning rate * weight decay.
  float first_decay, first_gain;    // Weights of the old average and of the gradient.
  float second_decay, second_gain;  // The same for the squared gradient.
};

template <typename Number>
struct TypedKernels {
  // y = GELU(x + bias), exact or with tanh. x, y [rows, width]; bias [width].
  void (*gelu)(const Number* x, const float* bias, bool tanh, Number* y, int64_t width, Range rows);

  // Gradient of gelu. Adds the gradient by bias to dbias [width].
  void (*gelu_gradient)(const Number* dy, const Number* x, const float* bias, bool tanh, Number* dx, float* dbias,
                        int64_t width, Range rows);

  // y = GELU(left half of x) * right half of x. x [rows, 2 width], y [rows, width].
  void (*gated_gelu)(const Number* x, Number* y, int64_t width, Range rows);

  // Gradient of gated_gelu.
  void (*gated_gelu_gradient)(const Number* dy, const Number* x, Number* dx, int64_t width, Range rows);

  // context = dropout(softmax(scores)) · value, for each text and head, where scores are query · keyᵀ * scale and what depends
  // on the positions; log_sums: logarithm of the sum of exp(scores) of each row. Items are text * heads + head. context [queries, heads * width], log_sums [queries,
  // heads], memory [AttentionScratch].
  void (*attention)(const AttentionInputs<Number>& inputs, Number* context, float* log_sums, float* memory, Range items);

  // Gradients of attention. Adds the gradients by biases and tables to the sums.
  void (*attention_gradient)(const AttentionInputs<Number>& inputs, const AttentionGradients<Number>& gradients,
                             const AttentionSums& sums, float* memory, Range items);

  // sum = a + dropout(b + bias); y = layer norm of sum. a, sum, y [rows, width]; b [rows, width];
  // statistics [rows, 2]: mean and 1 / standard deviation.
  void (*residual_layer_norm)(const float* a, const Number* b, const float* bias, const float* scale, const float* shift,
                              Dropout dropout, float epsilon, float* y, float* sum, float* statistics, int64_t width,
                              Range rows);

  // y = layer norm of x. Its gradient is that of residual_layer_norm, with x as the sum.
  void (*layer_norm)(const float* x, const float* scale, const float* shift, float epsilon, float* y, float* statistics,
                     int64_t width, Range rows);

  // Gradients of residual_layer_norm. db may be null if it would equal da, dbias if there is no b. Adds to dbias, dscale and dshift [width].
  void (*residual_layer_norm_gradient)(const float* dy, const float* sum, const float* statistics, const float* scale,
                                       Dropout dropout, float* da, Number* db, float* dbias, float* dscale, float* dshift,
                                       int64_t width, Range rows);

  // Sum of squares, accumulated in float64.
  double (*square_sum)(const Number* x, Range elements);

  // AdamW step in place (Loshchilov and Hutter, 2019, arXiv:1711.05101).
  void (*adamw)(float* parameter, float* first_moment, float* second_moment, const Number* gradient, AdamWScalars scalars,
                Range elements);
};

struct Kernels {
  const char* level;
  TypedKernels<float> float32;
  TypedKernels<uint16_t> bfloat16;

  // y = dropout(x).
  void (*dropout)(const float* x, Dropout dropout, float* y, Range elements);

  // Sum of `count` bfloat16 arrays in float32.
  void (*wide_sum)(const uint16_t* const* parts, int64_t count, float* sum, Range elements);
};

// The levels that this addon contains and this processor supports, best first, terminated by null.
const Kernels* const* SupportedKernels();

// The level named by the environment variable TUNEBOOK_KERNEL_LEVEL, else the best one. Null if the processor supports
// none, or if the variable is `none` or names an unsupported level. Selected once per process.
const Kernels* SelectedKernels();

}  // namespace tunebook
