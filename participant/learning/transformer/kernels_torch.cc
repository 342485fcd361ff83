#include "participant/learning/transformer/kernels_torch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>

#include "common/base/check.h"

namespace sotto::learning {
namespace {

using at::Tensor;

/// Fortran's sgemm: column-major, with all arguments passed by address.
using Sgemm = void(const char*, const char*, const int*, const int*, const int*, const float*,
                   const float*, const int*, const float*, const int*, const float*, float*,
                   const int*);

using Ssyrk = void(const char*, const char*, const int*, const int*, const float*, const float*,
                   const int*, const float*, float*, const int*);

/// Finds the function in the process instead of linking it: torch brings its own BLAS, and not
/// every build exports it.
Sgemm* sgemm() {
  static auto* const found = reinterpret_cast<Sgemm*>(dlsym(RTLD_DEFAULT, "sgemm_"));
  return found;
}

Ssyrk* ssyrk() {
  static auto* const found = reinterpret_cast<Ssyrk*>(dlsym(RTLD_DEFAULT, "ssyrk_"));
  return found;
}

/// The product over the width of a Gram matrix is summed over chunks of kChunk, these over blocks
/// of kBlock, and the blocks one after the other.
constexpr std::int64_t kChunk = 128, kBlock = 1024;

/// Calls add(first, count, beta, out), which computes out = beta * out + the product over `count`
/// columns from `first`, so that `out` becomes the product over all of `width`. `partial` has the
/// size of `out`, or is empty if the width is one block.
template <class Add>
void sum_in_blocks(std::int64_t width, std::span<float> out, std::span<float> partial, Add add) {
  for (std::int64_t block = 0; block < width; block += kBlock) {
    float* to = block == 0 ? out.data() : partial.data();
    const std::int64_t end = std::min(block + kBlock, width);
    for (std::int64_t first = block; first < end; first += kChunk)
      add(first, std::min(kChunk, end - first), first == block ? 0.0F : 1.0F, to);
    if (block == 0) continue;
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] += partial[i];
  }
}

std::vector<float> partial_for(std::int64_t width, std::size_t size) {
  return std::vector<float>(width > kBlock ? size : 0);
}

/// Writes the triangle with column <= row of x x^T, x [positions, width], to `out` [positions,
/// positions]. The product is symmetric, so half of the work suffices.
void half_gram(const float* x, std::int64_t positions, std::int64_t width, std::span<float> out,
               std::span<float> partial) {
  const int n = static_cast<int>(positions), stride = static_cast<int>(width);
  sum_in_blocks(width, out, partial,
                [&](std::int64_t first, std::int64_t count, float beta, float* to) {
                  if (ssyrk() == nullptr) {
                    multiply({Gemm::Form::kABt, positions, positions, count, x + first, width,
                              x + first, width, to, positions, 1, beta});
                    return;
                  }
                  const int k = static_cast<int>(count);
                  const float one = 1;
                  // The upper triangle of the column-major matrix is the lower one of the row-major
                  // matrix.
                  ssyrk()("U", "T", &n, &k, &one, x + first, &stride, &beta, to, &n);
                });
}

/// Sums in independent short float32 sums, which a compiler may keep in one vector register, and
/// then in double. No more than kDotAdditions terms follow each other in float32.
double dot(const float* a, const float* b, std::int64_t count) {
  constexpr std::int64_t kLanes = 16, kTerms = 256;
  double sum = 0;
  for (std::int64_t at = 0; at < count; at += kTerms) {
    const std::int64_t end = std::min(at + kTerms, count);
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

/// Runs work(example) for each of `count` examples on torch's threads.
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
  // A row-major matrix is the transpose of the column-major one: out^T = op(b)^T op(a)^T.
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

double gram_additions(std::int64_t width) {
  const std::int64_t chunks = (std::min(width, kBlock) + kChunk - 1) / kChunk;
  const std::int64_t blocks = (width + kBlock - 1) / kBlock;
  return static_cast<double>(std::min(width, kChunk) + chunks + blocks);
}

Tensor batched_abt(const Tensor& a, const Tensor& b) {
  const auto batch = a.size(0), s = a.size(1), t = b.size(1), width = a.size(2);
  const Tensor out = at::empty({batch, s, t}, a.options());
  if (!has_direct_kernels(a)) {
    out.zero_();
    for (std::int64_t block = 0; block < width; block += kBlock) {
      const std::int64_t end = std::min(block + kBlock, width);
      Tensor partial = block == 0 ? out : at::zeros_like(out);
      for (std::int64_t first = block; first < end; first += kChunk) {
        const auto chunk = [first, last = std::min(first + kChunk, end)](const Tensor& x) {
          return x.slice(2, first, last);
        };
        partial.baddbmm_(chunk(a), chunk(b).transpose(1, 2));
      }
      if (block > 0) Tensor(out).add_(partial);
    }
    return out;
  }
  SOTTO_CHECK(a.is_contiguous() && b.is_contiguous() && b.size(2) == width, "shapes");
  for_each_example(batch, [&, pa = a.data_ptr<float>(), pb = b.data_ptr<float>(),
                           po = out.data_ptr<float>()](std::int64_t i) {
    const auto size = static_cast<std::size_t>(s * t);
    std::vector<float> partial = partial_for(width, size);
    sum_in_blocks(width, {po + i * s * t, size}, partial,
                  [&](std::int64_t first, std::int64_t count, float beta, float* to) {
                    multiply({Gemm::Form::kABt, s, t, count, pa + i * s * width + first, width,
                              pb + i * t * width + first, width, to, t, 1, beta});
                  });
  });
  return out;
}

namespace {

/// The smallest normal number. A product below it may become zero or lose precision.
double smallest_normal(const Tensor& x) {
  return x.scalar_type() == at::kDouble ? std::numeric_limits<double>::min()
                                        : double{std::numeric_limits<float>::min()};
}

/// Returns the most of a vector's norm that underflow in the elements of a Gram matrix of this
/// width can hide.
double hidden_norm(const Tensor& x) {
  return std::sqrt(static_cast<double>(x.size(2)) * smallest_normal(x));
}

/// The same with torch's operations, for other devices and as the reference of the tests.
CancellingNorms composed_product_norms(const Tensor& a, const Tensor& b) {
  const Tensor first = batched_abt(a, a), second = batched_abt(b, b);
  const auto lengths = [](const Tensor& gram) {
    return gram.diagonal(0, 1, 2).to(at::kDouble).clamp_min(0).sqrt();
  };
  const Tensor of_a = lengths(first), of_b = lengths(second);
  const Tensor underflow = hidden_norm(a) * of_b.sum(1) + hidden_norm(b) * of_a.sum(1);
  return {inner_products(first, second), (of_a * of_b).sum(1) + underflow, underflow};
}

}  // namespace

CancellingNorms product_norms(const Tensor& a, const Tensor& b) {
  if (!has_direct_kernels(a) || !has_direct_kernels(b)) return composed_product_norms(a, b);
  const auto batch = a.size(0), positions = a.size(1), m = a.size(2), n = b.size(2);
  SOTTO_CHECK(a.is_contiguous() && b.is_contiguous() && b.size(1) == positions, "shapes");
  const CancellingNorms out{doubles(batch), doubles(batch), doubles(batch)};
  const double hidden_in_a = hidden_norm(a), hidden_in_b = hidden_norm(b);
  for_each_example(batch, [&, pa = a.data_ptr<float>(), pb = b.data_ptr<float>(),
                           squares = out.squares.data_ptr<double>(),
                           reach = out.reach.data_ptr<double>(),
                           underflow = out.underflow.data_ptr<double>()](std::int64_t i) {
    const auto size = static_cast<std::size_t>(positions * positions);
    std::vector<float> grams(2 * size), partial = partial_for(std::max(m, n), size);
    const float* first = grams.data();
    const float* second = first + size;
    half_gram(pa + i * positions * m, positions, m, {grams.data(), size}, partial);
    half_gram(pb + i * positions * n, positions, n, {grams.data() + size, size}, partial);
    double sum = 0, lengths = 0, of_a = 0, of_b = 0;
    for (std::int64_t row = 0; row < positions; ++row, first += positions, second += positions) {
      const double aa = std::max(first[row], 0.0F), bb = std::max(second[row], 0.0F);
      sum += 2 * dot(first, second, row) + aa * bb;
      lengths += std::sqrt(aa * bb);
      of_a += std::sqrt(aa);
      of_b += std::sqrt(bb);
    }
    squares[i] = sum;
    underflow[i] = hidden_in_a * of_b + hidden_in_b * of_a;
    reach[i] = lengths + underflow[i];
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

namespace {

/// The norm for one example. Rows with the same id are summed in double, because their sum may
/// cancel.
struct LookupNorm {
  double square = 0, reach_square = 0;

  void add_group(std::span<const std::int64_t> places, const float* b, std::int64_t width) {
    double lengths = 0;
    std::vector<double> row;
    for (const std::int64_t place : places) {
      const float* from = b + place * width;
      const double own = dot(from, from, width);
      if (places.size() == 1) {
        square += own;
        reach_square += own;
        return;
      }
      lengths += std::sqrt(own);
      row.resize(static_cast<std::size_t>(width));
      for (std::size_t j = 0; j < row.size(); ++j)
        row[j] += double{from[j]};
    }
    for (const double v : row)
      square += v * v;
    reach_square += lengths * lengths;
  }
};

}  // namespace

CancellingNorms lookup_norms(const Tensor& ids, const Tensor& b) {
  const auto batch = b.size(0), positions = b.size(1), width = b.size(2);
  const Tensor underflow = at::full({batch}, static_cast<double>(positions) * hidden_norm(b),
                                    b.options().dtype(at::kDouble));
  if (!has_direct_kernels(b)) {
    const Tensor same = ids.unsqueeze(2).eq(ids.unsqueeze(1)).to(b.scalar_type());  // [B,T,T]
    const Tensor gram = batched_abt(b, b);
    const Tensor lengths = gram.diagonal(0, 1, 2).clamp_min(0).sqrt().unsqueeze(2);  // [B,T,1]
    const Tensor reach = inner_products(at::bmm(same, lengths), lengths).sqrt();
    return {inner_products(gram, same), reach + underflow, underflow};
  }
  const Tensor squares = doubles(batch), reach = doubles(batch), all_ids = ids.contiguous();
  for_each_example(
      batch, [&, pi = all_ids.data_ptr<std::int64_t>(), pb = b.data_ptr<float>(),
              ps = squares.data_ptr<double>(), pr = reach.data_ptr<double>()](std::int64_t i) {
        const std::int64_t* id = pi + i * positions;
        std::vector<std::int64_t> order(static_cast<std::size_t>(positions));
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(),
                         [id](std::int64_t s, std::int64_t t) { return id[s] < id[t]; });
        LookupNorm norm;
        for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
          while (end < order.size() && id[order[end]] == id[order[begin]])
            ++end;
          norm.add_group(std::span(order).subspan(begin, end - begin), pb + i * positions * width,
                         width);
        }
        ps[i] = norm.square;
        pr[i] = std::sqrt(norm.reach_square);
      });
  return {squares, reach + underflow, underflow};
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
