// The discrete Fourier transform of a long real sequence, computed in blocks that fit the cache. It
// is cheaper when only low frequencies are requested. The functions are pure.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sotto::privacy {

/// RealSequence is a real sequence and computes its lowest frequencies, or all of them.
class RealSequence {
 public:
  /// Returns the shortest supported length that is at least `least`.
  static std::size_t length_for(std::size_t least);

  /// Makes a sequence of zeros. `length` is a supported length; `frequencies` is at most length / 2
  /// + 1.
  RealSequence(std::size_t length, std::size_t frequencies);

  [[nodiscard]] std::size_t length() const { return values_.size(); }

  /// Adds values from index `begin` on. `begin` is any integer: the sequence is periodic.
  void add(std::int64_t begin, std::span<const double> values);

  /// Returns the sum over n of x_n exp(-2 pi i k n / N) for k = 0, 1, ... `frequencies` - 1.
  [[nodiscard]] std::vector<std::complex<double>> transform() const;
  /// Returns a bound on the rounding error of transform() in the L2 norm over all frequencies.
  [[nodiscard]] double error_of_transform() const;

 private:
  [[nodiscard]] std::vector<std::complex<double>> all_from(
      const std::vector<std::complex<double>>& by_row) const;

  std::size_t frequencies_;
  std::size_t columns_;
  std::size_t rows_;
  std::vector<double> values_;  // value n in row n % rows_, column n / rows_
};

/// RootsOfUnity returns exp(2 pi i k / N) for 0 <= k < N, to a few units in the last place.
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
