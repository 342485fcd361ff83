#include "common/privacy/accounting/fourier.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include <kissfft/kissfft.hh>

#include "common/base/check.h"

namespace sotto::privacy {

namespace {

using Complex = std::complex<double>;

constexpr std::size_t kRow = 1 << 13;  // 64 KiB
constexpr double kTwoPi = 2 * std::numbers::pi;

/// Multiplies without the check for infinities of std::complex.
Complex times(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

}  // namespace

RootsOfUnity::RootsOfUnity(std::size_t order)
    : fine_bits_(static_cast<std::size_t>(std::bit_width(order) - 1) / 2) {
  const auto root = [order](std::size_t k) {
    const double angle = kTwoPi * static_cast<double>(k) / static_cast<double>(order);
    return Complex(std::cos(angle), std::sin(angle));
  };
  for (std::size_t k = 0; k < std::size_t{1} << fine_bits_; ++k)
    fine_.push_back(root(k));
  for (std::size_t k = 0; k < order; k += std::size_t{1} << fine_bits_)
    coarse_.push_back(root(k));
}

Complex RootsOfUnity::operator()(std::size_t k) const {
  return times(coarse_[k >> fine_bits_], fine_[k & ((std::size_t{1} << fine_bits_) - 1)]);
}

std::size_t RealSequence::length_for(std::size_t least) {
  // Supported lengths are 4, 5, 6 or 7 times a power of two.
  const std::size_t quarter = std::max<std::size_t>(8, std::bit_floor(least) / 4);
  return (least + quarter - 1) / quarter * quarter;
}

RealSequence::RealSequence(std::size_t length, std::size_t frequencies)
    : frequencies_(frequencies),
      columns_(length < 4 * kRow ? length
                                 : std::clamp(std::bit_ceil(2 * frequencies), kRow / 32, kRow)),
      rows_(length / columns_),
      values_(length, 0.0) {
  SOTTO_CHECK(length == length_for(length) && rows_ * columns_ == length,
              "a length that has no transform here");
  SOTTO_CHECK(frequencies > 0 && frequencies <= length / 2 + 1, "frequencies above the highest");
}

void RealSequence::add(std::int64_t begin, std::span<const double> values) {
  const auto period = static_cast<std::int64_t>(length());
  const auto first = static_cast<std::size_t>((begin % period + period) % period);
  std::size_t row = first % rows_;
  std::size_t column = first / rows_;
  for (const double value : values) {
    values_[row * columns_ + column] += value;
    if (++row < rows_) continue;
    row = 0;
    if (++column == columns_) column = 0;
  }
}

// n = rows a + r: a transform of each row over a, then one over r for every column (Bailey 1990).
// Frequencies below half the length of a row are the sums of the columns.
std::vector<Complex> RealSequence::transform() const {
  const std::size_t half = columns_ / 2;
  const bool is_low = frequencies_ <= half + 1;
  const std::size_t width = is_low ? frequencies_ : half + 1;
  const kissfft<double> plan(half, false);
  const RootsOfUnity roots(length());
  std::vector<Complex> row(half + 1);
  std::vector<Complex> out(is_low ? width : rows_ * width);
  for (std::size_t r = 0; r < rows_; ++r) {
    plan.transform_real(values_.data() + r * columns_, row.data());
    row[half] = row[0].imag();
    row[0] = row[0].real();
    Complex* const into = out.data() + (is_low ? 0 : r * width);
    for (std::size_t c = 0; c < width; ++c)
      into[c] += times(row[c], std::conj(roots(c * r)));
  }
  return is_low ? out : all_from(out);
}

std::vector<Complex> RealSequence::all_from(const std::vector<Complex>& by_row) const {
  constexpr std::size_t kAtOnce = 8;  // columns: a cache line of each row is read once
  const std::size_t width = columns_ / 2 + 1;
  const kissfft<double> plan(rows_, false);
  std::vector<Complex> in(kAtOnce * rows_);
  std::vector<Complex> out(rows_);
  std::vector<Complex> result(frequencies_);
  for (std::size_t begin = 0; begin < width; begin += kAtOnce) {
    const std::size_t end = std::min(width, begin + kAtOnce);
    for (std::size_t r = 0; r < rows_; ++r)
      for (std::size_t c = begin; c < end; ++c)
        in[(c - begin) * rows_ + r] = by_row[r * width + c];
    for (std::size_t c = begin; c < end; ++c) {
      plan.transform(in.data() + (c - begin) * rows_, out.data());
      for (std::size_t s = 0; s < rows_; ++s) {
        const std::size_t k = c + columns_ * s;
        // The sequence is real, so the upper half of its transform repeats the lower one.
        if (k < frequencies_) result[k] = out[s];
        if (length() - k < frequencies_) result[length() - k] = std::conj(out[s]);
      }
    }
  }
  return result;
}

double RealSequence::error_of_transform() const {
  // Each of the log2 N stages adds at most a few rounding errors (Higham 2002, theorem 24.2).
  const auto stages = static_cast<double>(std::bit_width(length()) + 2);
  double squares = 0;
  for (const double value : values_)
    squares += value * value;
  return 8 * 0x1p-53 * stages * std::sqrt(static_cast<double>(length()) * squares);
}

}  // namespace sotto::privacy
