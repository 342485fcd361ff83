// The kernels that the tape and the attention run example by example. On the CPU in float32 they
// call BLAS and run plain loops directly, because one torch call for each example costs more than
// its arithmetic. Everywhere else they are torch operations, which are also the reference of the
// tests (in double).
#pragma once

#include <cstdint>
#include <utility>

#include <ATen/core/Tensor.h>

namespace sotto::learning {

/// True if the direct kernels run: CPU, float32, and a BLAS in the process that exports sgemm_.
bool has_direct_kernels(const at::Tensor& x);

/// The row-major product out = alpha * op(a) op(b) + beta * out, with rows `*_stride` floats apart.
/// `inner` is the shared dimension.
struct Gemm {
  enum class Form { kAB, kAtB, kABt } form;
  std::int64_t rows, columns, inner;
  const float* a;
  std::int64_t a_stride;
  const float* b;
  std::int64_t b_stride;
  float* out;
  std::int64_t out_stride;
  float alpha = 1, beta = 0;
};

/// Requires has_direct_kernels().
void multiply(const Gemm& gemm);

/// Returns a^T b of each example: [B,T,m], [B,T,n] -> [B,m,n].
at::Tensor batched_atb(const at::Tensor& a, const at::Tensor& b);
/// Returns a b^T of each example: [B,S,d], [B,T,d] -> [B,S,T]. The width d is summed in blocks, so
/// that few additions follow each other: see gram_additions().
at::Tensor batched_abt(const at::Tensor& a, const at::Tensor& b);

/// The rounding error of an element a_s . b_t of batched_abt() is at most gram_additions(d) * u
/// |a_s||b_t|, where u is half the distance from 1 to the next number, in whatever order the BLAS
/// sums.
double gram_additions(std::int64_t width);
/// The same factor for a sum of products by inner_products(), relative to the sum of their
/// magnitudes.
inline constexpr double kDotAdditions = 33;

/// A squared norm, computed as a sum of products whose terms may cancel, with what bounds its
/// rounding error. Each tensor is double [B].
struct CancellingNorms {
  at::Tensor squares;    // as summed; rounding may make it negative
  at::Tensor reach;      // a bound on the norm that ignores signs: the sum of the norms of the
                         // terms
  at::Tensor underflow;  // the most of the norm that underflow of products can have hidden
};

/// Returns the norms of each example's b^T a [n,m] without computing it: for a [B,T,m], b [B,T,n]
/// the sum of products of their Gram matrices. The reach is the sum over the positions of
/// |a_t||b_t|. The relative error is (gram_additions(m) + gram_additions(n) + kDotAdditions) u of
/// its square.
CancellingNorms product_norms(const at::Tensor& a, const at::Tensor& b);

/// Returns sums of products over everything but the first dimension: [B, ...] -> double [B].
at::Tensor inner_products(const at::Tensor& a, const at::Tensor& b);

/// Returns the norms of each example's gradient of a lookup table: the rows of `b` [B,T,d] with
/// equal ids [B,T] are summed first. The relative error is (gram_additions(d) + kDotAdditions) u of
/// the square of the reach.
CancellingNorms lookup_norms(const at::Tensor& ids, const at::Tensor& b);
/// Computes table[ids[i,t]] += factors[i] * b[i,t].
void add_scaled_rows(const at::Tensor& table, const at::Tensor& ids, const at::Tensor& b,
                     const at::Tensor& factors);

/// Returns the per-example gradients of LayerNorm's weight and bias [B, width], from what its
/// forward pass kept.
std::pair<at::Tensor, at::Tensor> layer_norm_rows(const at::Tensor& x, const at::Tensor& mean,
                                                  const at::Tensor& rstd, const at::Tensor& gy);

}  // namespace sotto::learning
