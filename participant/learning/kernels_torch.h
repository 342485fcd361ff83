// What the tape and the attention compute example by example. On the CPU in float32 they call BLAS
// and run plain loops directly, because a torch call an example costs more than its arithmetic;
// everywhere else they are torch operations, which are also the oracle of the tests (in double).
#pragma once

#include <cstdint>
#include <utility>

#include <ATen/core/Tensor.h>

namespace sotto::learning {

/// True where the direct kernels run: CPU, float32, and a BLAS in the process that exports sgemm_.
bool has_direct_kernels(const at::Tensor& x);

/// Row-major out = alpha * op(a) op(b) + beta * out with rows `*_stride` floats apart. `inner` is
/// the shared dimension.
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

/// Only where has_direct_kernels().
void multiply(const Gemm& gemm);

/// a^T b of each example: [B,T,m], [B,T,n] -> [B,m,n].
at::Tensor batched_atb(const at::Tensor& a, const at::Tensor& b);
/// a b^T of each example: [B,S,d], [B,T,d] -> [B,S,T].
at::Tensor batched_abt(const at::Tensor& a, const at::Tensor& b);

/// Squared norm of each example's b^T a [n,m], without making it: of a [B,T,m], b [B,T,n] the sum
/// of products of their Gram matrices. Double [B].
at::Tensor product_squared_norms(const at::Tensor& a, const at::Tensor& b);

/// [B, ...] -> double [B]: sums of products over everything but the first dimension.
at::Tensor inner_products(const at::Tensor& a, const at::Tensor& b);

/// Squared norm of each example's gradient of a lookup table: of the rows of `b` [B,T,d], those
/// with equal ids [B,T] summed first. Double [B].
at::Tensor lookup_squared_norms(const at::Tensor& ids, const at::Tensor& b);
/// table[ids[i,t]] += factors[i] * b[i,t].
void add_scaled_rows(const at::Tensor& table, const at::Tensor& ids, const at::Tensor& b,
                     const at::Tensor& factors);

/// Per-example gradients of LayerNorm's weight and bias [B, width], from what its forward pass
/// kept.
std::pair<at::Tensor, at::Tensor> layer_norm_rows(const at::Tensor& x, const at::Tensor& mean,
                                                  const at::Tensor& rstd, const at::Tensor& gy);

}  // namespace sotto::learning
