// The discrete Fourier transform of a long real sequence, in blocks that fit the cache; cheaper
// where only low frequencies are wanted. Pure.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sotto::privacy {

/// A real sequence of which the lowest frequencies are wanted, or all.
class RealSequence {
 public:
  /// The shortest supported length that is not below `least`.
  static std::size_t length_for(std::size_t least);

  /// Zeros, of a supported length. At most length / 2 + 1 frequencies.
  RealSequence(std::size_t length, std::size_t frequencies);

  [[nodiscard]] std::size_t length() const { return values_.size(); }

  /// Adds values from place `begin` on, any whole number: the sequence repeats itself.
  void add(std::int64_t begin, std::span<const double> values);

  /// sum over n of x_n exp(-2 pi i k n / N) for k = 0, 1, ... `frequencies` - 1.
  [[nodiscard]] std::vector<std::complex<double>> transform() const;
  /// A bound on what rounding does to transform(), in the L2 norm over all frequencies.
  [[nodiscard]] double error_of_transform() const;

 private:
  [[nodiscard]] std::vector<std::complex<double>> all_from(
      const std::vector<std::complex<double>>& by_row) const;

  std::size_t frequencies_;
  std::size_t columns_;
  std::size_t rows_;
  std::vector<double> values_;  // value n in row n % rows_, column n / rows_
};

/// exp(2 pi i k / N) for 0 <= k < N, to a few units in the last place.
class RootsOfUnity {
 public:
  explicit RootsOfUnity(std::size_t order);
  [[nodiscard]] std::complex<double> operator()(std::size_t k) const;

 private:
  std::size_t fine_bits_;
  std::vector<std::complex<double>> coarse_;
  std::vector<std::complex<double>> fine_;
};

}  // namespace sotto::privacy
