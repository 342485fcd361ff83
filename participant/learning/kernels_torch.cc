#include "participant/learning/kernels_torch.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>

#include "common/base/check.h"

namespace sotto::learning {
namespace {

using at::Tensor;

/// Fortran's sgemm: column-major, everything by address.
using Sgemm = void(const char*, const char*, const int*, const int*, const int*, const float*,
                   const float*, const int*, const float*, const int*, const float*, float*,
                   const int*);

using Ssyrk = void(const char*, const char*, const int*, const int*, const float*, const float*,
                   const int*, const float*, float*, const int*);

/// Found in the process rather than linked: torch brings its own BLAS, and not all export it.
Sgemm* sgemm() {
  static auto* const found = reinterpret_cast<Sgemm*>(dlsym(RTLD_DEFAULT, "sgemm_"));
  return found;
}

Ssyrk* ssyrk() {
  static auto* const found = reinterpret_cast<Ssyrk*>(dlsym(RTLD_DEFAULT, "ssyrk_"));
  return found;
}

/// The triangle with column <= row of x x^T, x [positions, width], into `out` [positions,
/// positions]. Symmetric, so half of a product's work will do.
void half_gram(const float* x, std::int64_t positions, std::int64_t width, float* out) {
  if (ssyrk() == nullptr) {
    multiply({Gemm::Form::kABt, positions, positions, width, x, width, x, width, out, positions});
    return;
  }
  const int n = static_cast<int>(positions), k = static_cast<int>(width);
  const float one = 1, zero = 0;
  // What is the upper triangle column by column is the lower one row by row.
  ssyrk()("U", "T", &n, &k, &one, x, &k, &zero, out, &n);
}

/// Independent short sums that a compiler may keep in one vector register, then a double: float32
/// never adds more than a few hundred terms of like size.
double dot(const float* a, const float* b, std::int64_t count) {
  constexpr std::int64_t kLanes = 16, kBlock = 1024;
  double sum = 0;
  for (std::int64_t at = 0; at < count; at += kBlock) {
    const std::int64_t end = std::min(at + kBlock, count);
    float lanes[kLanes] = {};
    std::int64_t i = at;
    for (; i + kLanes <= end; i += kLanes)
      for (std::int64_t l = 0; l < kLanes; ++l)
        lanes[l] += a[i + l] * b[i + l];
    for (; i < end; ++i)
      lanes[0] += a[i] * b[i];
    for (const float lane : lanes)
      sum += static_cast<double>(lane);
  }
  return sum;
}

/// Runs work(example) for each of `count`, on torch's threads.
template <class Work>
void for_each_example(std::int64_t count, Work work) {
  at::parallel_for(0, count, 1, [&work](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      work(i);
  });
}

Tensor doubles(std::int64_t count) {
  return at::empty({count}, at::kDouble);
}

}  // namespace

bool has_direct_kernels(const Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && sgemm() != nullptr;
}

void multiply(const Gemm& g) {
  // A row-major matrix is its transpose column by column: out^T = op(b)^T op(a)^T.
  const char* first = g.form == Gemm::Form::kABt ? "T" : "N";
  const char* second = g.form == Gemm::Form::kAtB ? "T" : "N";
  const int rows = static_cast<int>(g.rows), columns = static_cast<int>(g.columns),
            inner = static_cast<int>(g.inner), a_stride = static_cast<int>(g.a_stride),
            b_stride = static_cast<int>(g.b_stride), out_stride = static_cast<int>(g.out_stride);
  sgemm()(first, second, &columns, &rows, &inner, &g.alpha, g.b, &b_stride, g.a, &a_stride, &g.beta,
          g.out, &out_stride);
}

Tensor batched_atb(const Tensor& a, const Tensor& b) {
  if (!has_direct_kernels(a)) return at::bmm(a.transpose(1, 2), b);
  const auto batch = a.size(0), positions = a.size(1), m = a.size(2), n = b.size(2);
  SOTTO_CHECK(a.is_contiguous() && b.is_contiguous() && b.size(1) == positions, "shapes");
  const Tensor out = at::empty({batch, m, n}, a.options());
  for_each_example(batch, [&, pa = a.data_ptr<float>(), pb = b.data_ptr<float>(),
                           po = out.data_ptr<float>()](std::int64_t i) {
    multiply({Gemm::Form::kAtB, m, n, positions, pa + i * positions * m, m, pb + i * positions * n,
              n, po + i * m * n, n});
  });
  return out;
}

Tensor batched_abt(const Tensor& a, const Tensor& b) {
  if (!has_direct_kernels(a)) return at::bmm(a, b.transpose(1, 2));
  const auto batch = a.size(0), s = a.size(1), t = b.size(1), width = a.size(2);
  SOTTO_CHECK(a.is_contiguous() && b.is_contiguous() && b.size(2) == width, "shapes");
  const Tensor out = at::empty({batch, s, t}, a.options());
  for_each_example(batch, [&, pa = a.data_ptr<float>(), pb = b.data_ptr<float>(),
                           po = out.data_ptr<float>()](std::int64_t i) {
    multiply({Gemm::Form::kABt, s, t, width, pa + i * s * width, width, pb + i * t * width, width,
              po + i * s * t, t});
  });
  return out;
}

Tensor product_squared_norms(const Tensor& a, const Tensor& b) {
  if (!has_direct_kernels(a) || !has_direct_kernels(b))
    return inner_products(batched_abt(a, a), batched_abt(b, b));
  const auto batch = a.size(0), positions = a.size(1), m = a.size(2), n = b.size(2);
  SOTTO_CHECK(a.is_contiguous() && b.is_contiguous() && b.size(1) == positions, "shapes");
  const Tensor out = doubles(batch);
  for_each_example(batch, [&, pa = a.data_ptr<float>(), pb = b.data_ptr<float>(),
                           po = out.data_ptr<double>()](std::int64_t i) {
    std::vector<float> grams(static_cast<std::size_t>(2 * positions * positions));
    float* first = grams.data();
    float* second = first + positions * positions;
    half_gram(pa + i * positions * m, positions, m, first);
    half_gram(pb + i * positions * n, positions, n, second);
    double sum = 0;
    for (std::int64_t row = 0; row < positions; ++row, first += positions, second += positions)
      sum += 2 * dot(first, second, row) + double{first[row]} * double{second[row]};
    po[i] = sum;
  });
  return out;
}

Tensor inner_products(const Tensor& a, const Tensor& b) {
  if (!has_direct_kernels(a) || !a.is_contiguous() || !b.is_contiguous())
    return (a * b).flatten(1).sum(1, /*keepdim=*/false, at::kDouble);
  const auto batch = a.size(0), count = a.numel() / std::max<std::int64_t>(batch, 1);
  const Tensor out = doubles(batch);
  for_each_example(
      batch, [&, pa = a.data_ptr<float>(), pb = b.data_ptr<float>(), po = out.data_ptr<double>()](
                 std::int64_t i) { po[i] = dot(pa + i * count, pb + i * count, count); });
  return out;
}

Tensor lookup_squared_norms(const Tensor& ids, const Tensor& b) {
  if (!has_direct_kernels(b)) {
    const Tensor same = ids.unsqueeze(2).eq(ids.unsqueeze(1));  // [B,T,T]
    return inner_products(batched_abt(b, b), same.to(b.scalar_type()));
  }
  const auto batch = b.size(0), positions = b.size(1), width = b.size(2);
  const Tensor out = doubles(batch), all_ids = ids.contiguous();
  for_each_example(batch, [&, pi = all_ids.data_ptr<std::int64_t>(), pb = b.data_ptr<float>(),
                           po = out.data_ptr<double>()](std::int64_t i) {
    const std::int64_t* id = pi + i * positions;
    std::vector<std::int64_t> order(static_cast<std::size_t>(positions));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [id](std::int64_t s, std::int64_t t) { return id[s] < id[t]; });
    std::vector<float> row(static_cast<std::size_t>(width));
    po[i] = 0;
    for (std::size_t at = 0; at < order.size(); ++at) {
      const float* from = pb + (i * positions + order[at]) * width;
      for (std::size_t j = 0; j < row.size(); ++j)
        row[j] += from[j];
      const bool last = at + 1 == order.size() || id[order[at + 1]] != id[order[at]];
      if (!last) continue;
      po[i] += dot(row.data(), row.data(), width);
      std::fill(row.begin(), row.end(), 0.0F);
    }
  });
  return out;
}

void add_scaled_rows(const Tensor& table, const Tensor& ids, const Tensor& b,
                     const Tensor& factors) {
  if (!has_direct_kernels(b) || !table.is_contiguous()) {
    // index_add_ needs a mutable handle; the storage is the table's.
    Tensor handle = table;
    handle.index_add_(0, ids.reshape(-1), (b * factors.view({-1, 1, 1})).flatten(0, 1));
    return;
  }
  const auto batch = b.size(0), positions = b.size(1), width = b.size(2);
  const Tensor all_ids = ids.contiguous();
  const auto* id = all_ids.data_ptr<std::int64_t>();
  const auto* from = b.data_ptr<float>();
  const auto* c = factors.data_ptr<float>();
  auto* to = table.data_ptr<float>();
  for (std::int64_t i = 0; i < batch; ++i)
    for (std::int64_t t = 0; t < positions; ++t, ++id, from += width)
      for (std::int64_t j = 0; j < width; ++j)
        to[*id * width + j] += c[i] * from[j];
}

std::pair<Tensor, Tensor> layer_norm_rows(const Tensor& x, const Tensor& mean, const Tensor& rstd,
                                          const Tensor& gy) {
  const auto width = x.size(-1), batch = x.size(0);
  if (!has_direct_kernels(x) || !x.is_contiguous() || !gy.is_contiguous()) {
    const Tensor weight = (x - mean) * rstd * gy;
    return {weight.view({batch, -1, width}).sum(1), gy.reshape({batch, -1, width}).sum(1)};
  }
  const auto positions = x.numel() / (batch * width);
  const Tensor weight = at::zeros({batch, width}, x.options()), bias = at::zeros_like(weight);
  for_each_example(
      batch, [&, px = x.data_ptr<float>(), pm = mean.data_ptr<float>(), pr = rstd.data_ptr<float>(),
              pg = gy.data_ptr<float>(), pw = weight.data_ptr<float>(),
              pb = bias.data_ptr<float>()](std::int64_t i) {
        for (std::int64_t row = i * positions; row < (i + 1) * positions; ++row)
          for (std::int64_t j = 0; j < width; ++j) {
            const float g = pg[row * width + j];
            pw[i * width + j] += g * (px[row * width + j] - pm[row]) * pr[row];
            pb[i * width + j] += g;
          }
      });
  return {weight, bias};
}

}  // namespace sotto::learning
