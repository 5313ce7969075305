// Products of small matrices in the caches of one core, for attention: the product of one text and head is too small for a
// library that divides a product among threads. A tile of the result stays in vector registers while the depth is
// traversed.
//
// An operand consists of 32-bit elements: float32 numbers, or pairs of bfloat16 numbers that are consecutive in depth, which
// one instruction multiplies and adds. Without this instruction, bfloat16 numbers are multiplied as float32.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "numbers.h"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace {

// The level's vectors, and the size of a tile that fits into its registers beside the operands.
#if defined(__AVX512F__)
constexpr int64_t kVectorSize = 16;
constexpr int kTileRows = 6, kTileVectors = 4;
#elif defined(__AVX__)
constexpr int64_t kVectorSize = 8;
constexpr int kTileRows = 6, kTileVectors = 2;
#else
constexpr int64_t kVectorSize = 4;
constexpr int kTileRows = 6, kTileVectors = 4;
#endif
typedef float Vector __attribute__((vector_size(kVectorSize * sizeof(float))));

inline Vector LoadVector(const void* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof(Vector));
  return vector;
}
inline void StoreVector(void* to, Vector vector) { std::memcpy(to, &vector, sizeof(Vector)); }

inline void MultiplyAdd(float left, Vector right, Vector* sum) { *sum += left * right; }

#if defined(__AVX512BF16__)
// Two bfloat16 numbers, the first one in the lower half.
struct Pair {
  uint32_t bits;
};
inline void MultiplyAdd(Pair left, Vector right, Vector* sum) {
  *sum = (Vector)_mm512_dpbf16_ps((__m512)*sum, (__m512bh)_mm512_set1_epi32(left.bits), (__m512bh)right);
}
template <typename Number>
using ElementOf = std::conditional_t<std::is_same_v<Number, float>, float, Pair>;
#else
template <typename Number>
using ElementOf = float;
#endif

// Numbers per element.
template <typename Element>
constexpr int64_t kDepth = std::is_same_v<Element, float> ? 1 : 2;

// Elements for a depth of some numbers.
template <typename Element>
constexpr int64_t Depth(int64_t numbers) {
  return (numbers + kDepth<Element> - 1) / kDepth<Element>;
}

// A matrix whose rows are contiguous and `step` elements apart.
template <typename Element>
struct Matrix {
  Element* values;
  int64_t step;
};

// A left operand of any layout: element (row, k) is at values[row * row_step + k * depth_step].
template <typename Element>
struct LeftMatrix {
  const Element* values;
  int64_t row_step, depth_step;
};

template <typename Element>
LeftMatrix<Element> Left(Matrix<Element> matrix) {
  return {matrix.values, matrix.step, 1};
}
template <typename Element>
LeftMatrix<Element> LeftTransposed(Matrix<Element> matrix) {
  return {matrix.values, 1, matrix.step};
}

// A matrix as an operand whose depth runs along its columns: itself, or converted to `memory`. columns: multiple of kDepth.
template <typename Element>
Matrix<Element> DepthAlongColumns(Matrix<float> from, Matrix<Element> memory, int64_t rows, int64_t columns) {
  if constexpr (std::is_same_v<Element, float>) {
    return from;
  } else {
    for (int64_t row = 0; row < rows; row++)
      StoreRow(from.values + row * from.step, reinterpret_cast<uint16_t*>(memory.values + row * memory.step), columns);
    return memory;
  }
}

// A matrix as an operand whose depth runs along its rows: itself, or converted to `memory`, with zeros after an odd row.
template <typename Element>
Matrix<Element> DepthAlongRows(Matrix<float> from, Matrix<Element> memory, int64_t rows, int64_t columns) {
  if constexpr (std::is_same_v<Element, float>) {
    return from;
  } else {
    for (int64_t row = 0; row < rows; row += 2) {
      const float *lower = from.values + row * from.step, *upper = lower + from.step;
      uint32_t* __restrict to = &memory.values[row / 2 * memory.step].bits;
      if (row + 1 < rows)
        for (int64_t i = 0; i < columns; i++)
          to[i] = Rounded(lower[i]) | static_cast<uint32_t>(Rounded(upper[i])) << 16;
      else
        for (int64_t i = 0; i < columns; i++) to[i] = Rounded(lower[i]);
    }
    return memory;
  }
}

template <int kRows, int kVectors, bool kAdd, typename Element>
inline void MultiplyTile(LeftMatrix<Element> a, const Element* b, int64_t b_step, float* c, int64_t c_step,
                         int64_t depth) {
  Vector sums[kRows][kVectors];
  for (int row = 0; row < kRows; row++)
    for (int i = 0; i < kVectors; i++)
      sums[row][i] = kAdd ? LoadVector(c + row * c_step + i * kVectorSize) : Vector{};
  for (int64_t k = 0; k < depth; k++) {
    Vector right[kVectors];
    for (int i = 0; i < kVectors; i++) right[i] = LoadVector(b + k * b_step + i * kVectorSize);
    for (int row = 0; row < kRows; row++) {
      const Element left = a.values[row * a.row_step + k * a.depth_step];
      for (int i = 0; i < kVectors; i++) MultiplyAdd(left, right[i], &sums[row][i]);
    }
  }
  for (int row = 0; row < kRows; row++)
    for (int i = 0; i < kVectors; i++) StoreVector(c + row * c_step + i * kVectorSize, sums[row][i]);
}

// Selects the tile for the remaining rows, of which there are at most kRows.
template <int kRows, int kVectors, bool kAdd, typename Element>
inline void MultiplyRemainder(LeftMatrix<Element> a, const Element* b, int64_t b_step, float* c, int64_t c_step,
                              int64_t rows, int64_t depth) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return MultiplyTile<kRows, kVectors, kAdd>(a, b, b_step, c, c_step, depth);
    MultiplyRemainder<kRows - 1, kVectors, kAdd>(a, b, b_step, c, c_step, rows, depth);
  }
}

// Computes kVectors vectors of columns, or as many as remain.
template <int kVectors, bool kAdd, typename Element>
void MultiplyColumns(LeftMatrix<Element> a, Matrix<Element> b, Matrix<float> c, int64_t rows, int64_t columns,
                     int64_t depth) {
  for (; columns >= kVectors * kVectorSize; columns -= kVectors * kVectorSize) {
    int64_t row = 0;
    const auto left = [&] { return LeftMatrix<Element>{a.values + row * a.row_step, a.row_step, a.depth_step}; };
    for (; row + kTileRows <= rows; row += kTileRows)
      MultiplyTile<kTileRows, kVectors, kAdd>(left(), b.values, b.step, c.values + row * c.step, c.step, depth);
    MultiplyRemainder<kTileRows - 1, kVectors, kAdd>(left(), b.values, b.step, c.values + row * c.step, c.step,
                                                     rows - row, depth);
    b.values += kVectors * kVectorSize;
    c.values += kVectors * kVectorSize;
  }
  if constexpr (kVectors > 1) MultiplyColumns<kVectors - 1, kAdd>(a, b, c, rows, columns, depth);
}

// c = a · b, or c += a · b. a [rows, depth], b [depth, columns], c [rows, columns]; depth in elements, columns a multiple of
// kVectorSize.
template <bool kAdd, typename Element>
void Multiply(LeftMatrix<Element> a, Matrix<Element> b, Matrix<float> c, int64_t rows, int64_t columns, int64_t depth) {
  MultiplyColumns<kTileVectors, kAdd>(a, b, c, rows, columns, depth);
}

// to = transpose of from [rows, columns]. The rows of `to` are filled with zeros up to a multiple of 16. columns: a multiple
// of 4.
template <typename Element>
void Transpose(Matrix<Element> from, Matrix<Element> to, int64_t rows, int64_t columns) {
  static_assert(sizeof(Element) == 4);
  int64_t row = 0;
#if defined(__SSE__)
  const float* in = reinterpret_cast<const float*>(from.values);
  float* out = reinterpret_cast<float*>(to.values);
  for (; row + 4 <= rows; row += 4)
    for (int64_t column = 0; column < columns; column += 4) {
      __m128 block[4];
      for (int i = 0; i < 4; i++) block[i] = _mm_loadu_ps(in + (row + i) * from.step + column);
      _MM_TRANSPOSE4_PS(block[0], block[1], block[2], block[3]);
      for (int i = 0; i < 4; i++) _mm_storeu_ps(out + (column + i) * to.step + row, block[i]);
    }
#endif
  for (; row < rows; row++)
    for (int64_t column = 0; column < columns; column++)
      to.values[column * to.step + row] = from.values[row * from.step + column];
  for (int64_t column = 0; column < columns; column++)
    for (int64_t i = rows; i % 16 != 0; i++) to.values[column * to.step + i] = Element{};
}

}  // namespace
