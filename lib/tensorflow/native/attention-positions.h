// How attention depends on the positions of tokens: rotations of queries and keys, a window of near tokens, and scores that
// depend on distances.
#pragma once

#include <cstring>

#include "kernels.h"
#include "matrix-product.h"
#include "vector-math.h"

namespace {

// Divides the memory that the caller has allocated among matrices.
class Scratch {
 public:
  explicit Scratch(float* memory) : next_(memory) {}
  // A matrix of 32-bit elements.
  template <typename Element = float>
  Matrix<Element> Take(int64_t rows, int64_t columns) {
    const int64_t step = tunebook::ScratchStep(columns);
    float* const values = next_;
    next_ += rows * step;
    return {reinterpret_cast<Element*>(values), step};
  }

 private:
  float* next_;
};

constexpr int64_t RoundUp(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

// The rows and columns of one head of one text.
struct Head {
  int64_t number, column;  // The head, and its first column.
  int64_t first, tokens;   // Rows of keys and values.
  int64_t first_query, last_query;
};

// Rotates the rows of consecutive tokens, from token `first` on, by their angles, or back (sign -1): both halves of a row are
// the coordinates of its points (Su et al., 2021, arXiv:2104.09864).
template <typename Number>
void Rotate(const tunebook::AttentionInputs<Number>& in, int64_t first, Matrix<float> rows, int64_t count, float sign) {
  if (in.rotation == nullptr) return;
  const int64_t half = in.width / 2;
  for (int64_t row = 0; row < count; row++) {
    const float *cosines = in.rotation + (first + row) * in.width, *sines = cosines + half;
    float *__restrict x = rows.values + row * rows.step, *__restrict y = x + half;
#pragma omp simd
    for (int64_t i = 0; i < half; i++) {
      const float rotated = x[i] * cosines[i] - sign * y[i] * sines[i];
      y[i] = y[i] * cosines[i] + sign * x[i] * sines[i];
      x[i] = rotated;
    }
  }
}

// Excludes the tokens outside the window around a query from the softmax.
inline void MaskFar(int64_t window, int64_t position, int64_t tokens, float* scores) {
  if (window < 0) return;
  for (int64_t i = 0; i < position - window; i++) scores[i] = -1e30f;
  for (int64_t i = position + window + 1; i < tokens; i++) scores[i] = -1e30f;
}

// Scores of one head of one text that depend on distances: a bias (Song et al., 2020, arXiv:2004.09297), or products of the
// query with the key of the distance, and of the key with the query of the distance (He et al., 2020, arXiv:2006.03654).
//
// Tables are transposed and expanded from buckets to distances, key - query, from 1 - tokens: what a query at position p and
// the keys 0, 1, ... need is contiguous, from tokens - 1 - p on.
class RelativePositions {
 public:
  template <typename Number>
  RelativePositions(const tunebook::AttentionInputs<Number>& in, const Head& head, Scratch* scratch)
      : buckets_(in.buckets),
        positions_(in.positions),
        heads_(in.heads),
        head_(head.number),
        column_(head.column),
        tokens_(head.tokens),
        distances_(2 * head.tokens - 1),
        width_(in.width),
        columns_(RoundUp(in.width)),
        scale_(in.scale) {
    if (in.position_bias != nullptr) {
      bias_ = scratch->Take(1, distances_).values;
      for (int64_t i = 0; i < distances_; i++) bias_[i] = in.position_bias[Bucket(i) * heads_ + head_];
    }
    if (in.position_key == nullptr) return;
    rows_ = scratch->Take(distances_ + 1, columns_);
    keys_ = scratch->Take(columns_, tokens_);
    key_of_distance_ = scratch->Take(columns_, 2 * tokens_);
    query_of_distance_ = scratch->Take(columns_, 2 * tokens_);
    Expand(in.position_key, 1, key_of_distance_);
    Expand(in.position_query, scale_, query_of_distance_);
  }

  void LoadKeys(Matrix<float> keys) const {
    if (rows_.values != nullptr) Transpose(keys, keys_, tokens_, columns_);
  }

  // Adds to the scores of a query at `position`: query [columns], already scaled; scores [tokens].
  void AddScores(const float* query, int64_t position, float* __restrict scores) const {
    const int64_t shift = tokens_ - 1 - position, tokens = tokens_;
    if (bias_ != nullptr)
      for (int64_t i = 0; i < tokens; i++) scores[i] += bias_[shift + i];
    if (rows_.values == nullptr) return;
    constexpr int kAtOnce = 4;  // Fewer reads and writes of the scores.
    for (int64_t column = 0; column < columns_; column += kAtOnce) {
      const float *key = keys_.values + column * keys_.step, *of_query = query + column;
      const float* to_key = key_of_distance_.values + column * key_of_distance_.step + shift;
      const float* to_query = query_of_distance_.values + column * query_of_distance_.step + shift;
      const int64_t key_step = keys_.step, step = key_of_distance_.step;
#pragma omp simd
      for (int64_t i = 0; i < tokens; i++) {
        float sum = 0;
        for (int k = 0; k < kAtOnce; k++)
          sum += of_query[k] * to_key[k * step + i] + key[k * key_step + i] * to_query[k * step + i];
        scores[i] += sum;
      }
    }
  }

  void StartGradients(Scratch* scratch) {
    if (bias_ != nullptr) {
      dbias_ = scratch->Take(1, distances_).values;
      std::memset(dbias_, 0, distances_ * sizeof(float));
    }
    if (rows_.values == nullptr) return;
    dkeys_ = Zeros(scratch, tokens_);
    dkey_of_distance_ = Zeros(scratch, 2 * tokens_);
    dquery_of_distance_ = Zeros(scratch, 2 * tokens_);
  }

  // Adds the gradients of a query's scores: query [columns], gradients by the scores [tokens], dquery [columns] by the
  // scaled query.
  void AddGradients(const float* query, int64_t position, const float* __restrict gradients, float* __restrict dquery) const {
    const int64_t shift = tokens_ - 1 - position, tokens = tokens_;
    if (bias_ != nullptr)
      for (int64_t i = 0; i < tokens; i++) dbias_[shift + i] += gradients[i];
    if (rows_.values == nullptr) return;
    for (int64_t column = 0; column < width_; column++) {
      const int64_t at = column * key_of_distance_.step + shift, key_at = column * keys_.step;
      const float *__restrict key = keys_.values + key_at, *__restrict to_key = key_of_distance_.values + at;
      const float* __restrict to_query = query_of_distance_.values + at;
      float *__restrict dkey = dkeys_.values + key_at, *__restrict dto_key = dkey_of_distance_.values + at;
      float* __restrict dto_query = dquery_of_distance_.values + at;
      const float of_query = query[column];
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < tokens; i++) {
        const float gradient = gradients[i];
        sum += gradient * to_key[i];
        dto_key[i] += gradient * of_query;
        dkey[i] += gradient * to_query[i];
        dto_query[i] += gradient * key[i];
      }
      dquery[column] += sum;
    }
  }

  // Adds the gradients by the tables to the sums, and those by the keys to dkey [tokens, columns].
  void Finish(const tunebook::AttentionSums& sums, Matrix<float> dkey) const {
    if (bias_ != nullptr)
      for (int64_t i = 0; i < distances_; i++) sums.position_bias[Bucket(i) * heads_ + head_] += dbias_[i];
    if (rows_.values == nullptr) return;
    Collect(dkey_of_distance_, 1, sums.position_key);
    Collect(dquery_of_distance_, scale_, sums.position_query);
    Transpose(dkeys_, rows_, columns_, (tokens_ + 3) / 4 * 4);
    for (int64_t row = 0; row < tokens_; row++)
      for (int64_t i = 0; i < width_; i++) dkey.values[row * dkey.step + i] += rows_.values[row * rows_.step + i];
  }

 private:
  // The bucket of a distance, counted from 1 - tokens. Distances beyond the table have its outermost buckets.
  int64_t Bucket(int64_t distance) const {
    const int64_t i = distance - (tokens_ - 1) + positions_ - 1, last = 2 * positions_ - 2;
    return buckets_[i < 0 ? 0 : i > last ? last : i];
  }

  Matrix<float> Zeros(Scratch* scratch, int64_t count) const {
    const Matrix<float> matrix = scratch->Take(columns_, count);
    std::memset(matrix.values, 0, columns_ * matrix.step * sizeof(float));
    return matrix;
  }

  // The columns of this head, times `scale`: table [buckets, heads * width] -> to [columns, distances].
  void Expand(const float* table, float scale, Matrix<float> to) const {
    for (int64_t row = 0; row < distances_; row++) {
      const float* from = table + Bucket(row) * heads_ * width_ + column_;
      float* __restrict values = rows_.values + row * rows_.step;
      for (int64_t i = 0; i < width_; i++) values[i] = from[i] * scale;
      for (int64_t i = width_; i < columns_; i++) values[i] = 0;
    }
    Transpose(rows_, to, distances_, columns_);
  }

  // The reverse: adds from [columns, distances], times `scale`, to table [buckets, heads * width].
  void Collect(Matrix<float> from, float scale, float* table) const {
    Transpose(from, rows_, columns_, (distances_ + 3) / 4 * 4);
    for (int64_t row = 0; row < distances_; row++) {
      const float* values = rows_.values + row * rows_.step;
      float* __restrict to = table + Bucket(row) * heads_ * width_ + column_;
      for (int64_t i = 0; i < width_; i++) to[i] += values[i] * scale;
    }
  }

  const int32_t* buckets_;
  const int64_t positions_, heads_, head_, column_, tokens_, distances_, width_, columns_;
  const float scale_;
  float *bias_ = nullptr, *dbias_ = nullptr;  // [distances]
  Matrix<float> rows_ = {nullptr, 0};         // Memory [distances + 1, columns]; null without tables of queries and keys.
  Matrix<float> keys_, dkeys_;                // [columns, tokens]
  Matrix<float> key_of_distance_, query_of_distance_, dkey_of_distance_, dquery_of_distance_;  // [columns, distances]
};

}  // namespace
