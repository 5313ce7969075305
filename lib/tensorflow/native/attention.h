// Multi-head attention of packed texts, and its gradient: softmax(scale * query · keyᵀ) · value for each text and head,
// with dropout. A block of query rows at a time stays in the cache. The attention weights are not stored: the backward pass
// computes them again from the logarithm of each row's sum, and so needs memory for the inputs and the output only
// (FlashAttention, Dao et al., 2022, arXiv:2205.14135; here without splitting the keys, which fit into the cache).
#pragma once

#include "attention-positions.h"
#include "dropout.h"
#include "kernels.h"
#include "matrix-product.h"
#include "numbers.h"
#include "vector-math.h"

namespace {

using tunebook::kAttentionRows;

// to = (from + bias) * scale, with zeros up to a multiple of kLanes; without bias if it is null. from [rows, columns],
// `step` apart.
template <typename Number>
void LoadRows(const Number* from, int64_t step, const float* bias, float scale, Matrix<float> to, int64_t rows,
              int64_t columns) {
  for (int64_t row = 0; row < rows; row++) {
    const Number* in = from + row * step;
    float* __restrict out = to.values + row * to.step;
    if (bias)
      for (int64_t i = 0; i < columns; i++) out[i] = (Load(in + i) + bias[i]) * scale;
    else
      for (int64_t i = 0; i < columns; i++) out[i] = Load(in + i) * scale;
    for (int64_t i = columns; i % kLanes != 0; i++) out[i] = 0;
  }
}

// to = from * scale. to [rows, columns], `step` apart. Adds the sum over rows to `sum` [columns] unless it is null.
template <typename Number>
void StoreRows(Matrix<float> from, float scale, Number* to, int64_t step, float* __restrict sum, int64_t rows,
               int64_t columns) {
  for (int64_t row = 0; row < rows; row++) {
    float* __restrict in = from.values + row * from.step;
    for (int64_t i = 0; i < columns; i++) in[i] *= scale;
    if (sum)
      for (int64_t i = 0; i < columns; i++) sum[i] += in[i];
    StoreRow(in, to + row * step, columns);
  }
}

template <typename Number>
Head HeadOf(const tunebook::AttentionInputs<Number>& in, int64_t item) {
  const int64_t text = item / in.heads, number = item % in.heads, first = in.offsets[text];
  return {number, number * in.width, first, in.offsets[text + 1] - first, in.query_offsets[text], in.query_offsets[text + 1]};
}

// The rows of a block of queries that starts at `from`.
inline int64_t BlockRows(const Head& head, int64_t from) {
  const int64_t left = head.last_query - from;
  return left < kAttentionRows ? left : kAttentionRows;
}

// Dropout of one row of attention weights: each query row of each head has its own sequence.
inline tunebook::Dropout DropoutOfRow(tunebook::Dropout dropout, int64_t row) {
  dropout.key = Hash(dropout.key ^ static_cast<uint32_t>(row) * 0x9e3779b1u);
  return dropout;
}

// Replaces scores by exp(score - maximum) with dropout, without the division by their sum.
// Returns the sum before dropout and the maximum. `scores` is padded to a multiple of kLanes.
inline void ExpRow(float* __restrict scores, int64_t tokens, tunebook::Dropout dropout, float* sum, float* maximum) {
  const int64_t filled = RoundUp(tokens);
  for (int64_t i = tokens; i < filled; i++) scores[i] = -1e30f;
  const float largest = Maximum(scores, filled);
  float total = 0;
  if (dropout.threshold > 0) {
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < filled; i++) {
      const float weight = Exp(scores[i] - largest);
      total += weight;
      scores[i] = weight * DropoutFactor(dropout, i);
    }
  } else {
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < filled; i++) {
      scores[i] = Exp(scores[i] - largest);
      total += scores[i];
    }
  }
  *sum = total;
  *maximum = largest;
}

template <typename Number>
void Attention(const tunebook::AttentionInputs<Number>& in, Number* context, float* log_sums, float* memory,
               tunebook::Range items) {
  using Element = ElementOf<Number>;
  const int64_t width = in.width, dim = in.heads * width, columns = RoundUp(width);
  const float scale = in.scale;
  for (int64_t item = items.first; item < items.last; item++) {
    const Head head = HeadOf(in, item);
    const int64_t column = head.column, first = head.first, tokens = head.tokens, filled = RoundUp(tokens);
    Scratch scratch(memory);
    const auto rows_of_keys = scratch.Take(tokens, columns);
    const auto operand_memory = scratch.Take<Element>(tokens, columns);
    const auto key_columns = scratch.Take<Element>(columns, tokens);
    const auto scores = scratch.Take(kAttentionRows, tokens), output = scratch.Take(kAttentionRows, columns);
    const auto query_rows = scratch.Take(kAttentionRows, columns);
    const auto query_memory = scratch.Take<Element>(kAttentionRows, columns);
    const auto weights_memory = scratch.Take<Element>(kAttentionRows, tokens);
    RelativePositions relative(in, head, &scratch);
    LoadRows(in.key + first * dim + column, dim, in.key_bias + column, 1, rows_of_keys, tokens, width);
    Rotate(in, first, rows_of_keys, tokens, 1);
    relative.LoadKeys(rows_of_keys);
    Transpose(DepthAlongColumns(rows_of_keys, operand_memory, tokens, columns), key_columns, tokens,
              Depth<Element>(columns));
    LoadRows(in.value + first * dim + column, dim, in.value_bias + column, 1, rows_of_keys, tokens, width);
    const auto value = DepthAlongRows(rows_of_keys, operand_memory, tokens, columns);
    for (int64_t from = head.first_query; from < head.last_query; from += kAttentionRows) {
      const int64_t rows = BlockRows(head, from);
      const int64_t position = from - head.first_query;
      LoadRows(in.query + from * dim + column, dim, in.query_bias + column, scale, query_rows, rows, width);
      Rotate(in, first + position, query_rows, rows, 1);
      const auto query = DepthAlongColumns(query_rows, query_memory, rows, columns);
      Multiply<false>(Left(query), key_columns, scores, rows, filled, Depth<Element>(columns));
      float inverses[kAttentionRows];
      for (int64_t row = 0; row < rows; row++) {
        const int64_t number = (from + row) * in.heads + head.number;
        float* const row_scores = scores.values + row * scores.step;
        relative.AddScores(query_rows.values + row * query_rows.step, position + row, row_scores);
        MaskFar(in.window, position + row, tokens, row_scores);
        float sum, maximum;
        ExpRow(row_scores, tokens, DropoutOfRow(in.dropout, number), &sum, &maximum);
        inverses[row] = 1.0f / sum;
        log_sums[number] = maximum + __builtin_logf(sum);
      }
      const auto weights = DepthAlongColumns(scores, weights_memory, rows, filled);
      Multiply<false>(Left(weights), value, output, rows, columns, Depth<Element>(tokens));
      for (int64_t row = 0; row < rows; row++)
        StoreRows({output.values + row * output.step, output.step}, inverses[row],
                  context + (from + row) * dim + column, dim, static_cast<float*>(nullptr), 1, width);
    }
  }
}

// scores [tokens] -> attention weights with dropout; gradients by these -> gradients by the scores. weights: memory [tokens].
// The mean is computed from the weights, not from the rounded output as in FlashAttention: in bfloat16 it is more precise.
inline void GradientRow(float* __restrict scores, float* __restrict gradients, float* __restrict weights, float log_sum,
                        tunebook::Dropout dropout, int64_t tokens) {
  float mean = 0;  // Mean of the gradient, weighted by the attention weights.
  if (dropout.threshold > 0) {
#pragma omp simd reduction(+ : mean)
    for (int64_t i = 0; i < tokens; i++) {
      weights[i] = Exp(scores[i] - log_sum);
      scores[i] = weights[i] * DropoutFactor(dropout, i);
      gradients[i] *= scores[i];
      mean += gradients[i];
    }
  } else {
#pragma omp simd reduction(+ : mean)
    for (int64_t i = 0; i < tokens; i++) {
      weights[i] = scores[i] = Exp(scores[i] - log_sum);
      gradients[i] *= scores[i];
      mean += gradients[i];
    }
  }
  for (int64_t i = 0; i < tokens; i++) gradients[i] -= weights[i] * mean;
}

template <typename Number>
void AttentionGradient(const tunebook::AttentionInputs<Number>& in, const tunebook::AttentionGradients<Number>& out,
                       const tunebook::AttentionSums& sums, float* memory, tunebook::Range items) {
  using Element = ElementOf<Number>;
  const int64_t width = in.width, dim = in.heads * width, columns = RoundUp(width);
  const float scale = in.scale;
  for (int64_t item = items.first; item < items.last; item++) {
    const Head head = HeadOf(in, item);
    const int64_t column = head.column, first = head.first, tokens = head.tokens, filled = RoundUp(tokens);
    Scratch scratch(memory);
    const auto rows_of_keys = scratch.Take(tokens, columns);
    const auto operand_memory = scratch.Take<Element>(tokens, columns);
    const auto key_columns = scratch.Take<Element>(columns, tokens);
    const auto value_columns = scratch.Take<Element>(columns, tokens);
    const auto dkey = scratch.Take(tokens, columns), dvalue = scratch.Take(tokens, columns);
    const auto scores = scratch.Take(kAttentionRows, tokens), gradients = scratch.Take(kAttentionRows, tokens);
    const auto weights = scratch.Take(1, tokens);
    const auto weights_memory = scratch.Take<Element>(kAttentionRows, tokens);
    const auto gradients_memory = scratch.Take<Element>(kAttentionRows, tokens);
    const auto query_rows = scratch.Take(kAttentionRows, columns), dquery = scratch.Take(kAttentionRows, columns);
    const auto query_memory = scratch.Take<Element>(kAttentionRows, columns);
    const auto dcontext_rows = scratch.Take(kAttentionRows, columns);
    const auto dcontext_memory = scratch.Take<Element>(kAttentionRows, columns);
    LoadRows(in.value + first * dim + column, dim, in.value_bias + column, 1, rows_of_keys, tokens, width);
    Transpose(DepthAlongColumns(rows_of_keys, operand_memory, tokens, columns), value_columns, tokens, Depth<Element>(columns));
    RelativePositions relative(in, head, &scratch);
    relative.StartGradients(&scratch);
    LoadRows(in.key + first * dim + column, dim, in.key_bias + column, 1, rows_of_keys, tokens, width);
    Rotate(in, first, rows_of_keys, tokens, 1);
    relative.LoadKeys(rows_of_keys);
    Transpose(DepthAlongColumns(rows_of_keys, operand_memory, tokens, columns), key_columns, tokens, Depth<Element>(columns));
    const auto key = DepthAlongRows(rows_of_keys, operand_memory, tokens, columns);
    std::memset(dkey.values, 0, tokens * dkey.step * sizeof(float));
    std::memset(dvalue.values, 0, tokens * dvalue.step * sizeof(float));
    for (int64_t from = head.first_query; from < head.last_query; from += kAttentionRows) {
      const int64_t rows = BlockRows(head, from);
      const int64_t position = from - head.first_query;
      LoadRows(in.query + from * dim + column, dim, in.query_bias + column, scale, query_rows, rows, width);
      Rotate(in, first + position, query_rows, rows, 1);
      LoadRows(out.dcontext + from * dim + column, dim, static_cast<const float*>(nullptr), 1, dcontext_rows, rows, width);
      Multiply<false>(Left(DepthAlongColumns(query_rows, query_memory, rows, columns)), key_columns, scores, rows, filled,
                      Depth<Element>(columns));
      Multiply<false>(Left(DepthAlongColumns(dcontext_rows, dcontext_memory, rows, columns)), value_columns, gradients,
                      rows, filled, Depth<Element>(columns));
      for (int64_t row = 0; row < rows; row++) {
        const int64_t number = (from + row) * in.heads + head.number;
        float* const row_scores = scores.values + row * scores.step;
        relative.AddScores(query_rows.values + row * query_rows.step, position + row, row_scores);
        MaskFar(in.window, position + row, tokens, row_scores);
        GradientRow(row_scores, gradients.values + row * gradients.step, weights.values, out.log_sums[number],
                    DropoutOfRow(in.dropout, number), tokens);
      }
      Multiply<false>(Left(DepthAlongColumns(gradients, gradients_memory, rows, filled)), key, dquery, rows, columns,
                      Depth<Element>(tokens));
      Multiply<true>(LeftTransposed(DepthAlongRows(gradients, gradients_memory, rows, filled)),
                     DepthAlongRows(query_rows, query_memory, rows, columns), dkey, tokens, columns, Depth<Element>(rows));
      Multiply<true>(LeftTransposed(DepthAlongRows(scores, weights_memory, rows, filled)),
                     DepthAlongRows(dcontext_rows, dcontext_memory, rows, columns), dvalue, tokens, columns, Depth<Element>(rows));
      for (int64_t row = 0; row < rows; row++)
        relative.AddGradients(query_rows.values + row * query_rows.step, position + row,
                              gradients.values + row * gradients.step, dquery.values + row * dquery.step);
      Rotate(in, first + position, dquery, rows, -1);
      StoreRows(dquery, scale, out.dquery + from * dim + column, dim, sums.query_bias + column, rows, width);
    }
    relative.Finish(sums, dkey);
    Rotate(in, first, dkey, tokens, -1);
    StoreRows(dkey, 1, out.dkey + first * dim + column, dim, sums.key_bias + column, tokens, width);
    StoreRows(dvalue, 1, out.dvalue + first * dim + column, dim, sums.value_bias + column, tokens, width);
  }
}

}  // namespace
