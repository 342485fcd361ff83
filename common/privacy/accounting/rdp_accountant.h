// The accountant by Renyi differential privacy (Mironov 2017): divergences at fixed orders add up.
#pragma once

#include <span>
#include <vector>

#include "common/privacy/accounting/accountant.h"

namespace sotto::privacy {

/// RdpAccountant supports DP-SGD steps, steps on batches of a fixed size, and noisy rounds. The
/// three have different adjacencies, so the caller must add releases of one of them only to an
/// object. Objects are values.
class RdpAccountant final : public Accountant {
 public:
  RdpAccountant();

  Status add(const Releases& releases) override;
  Status add(const DpSgdSteps& steps);
  Status add(const FixedSizeSteps& steps);
  Status add(const NoisyRounds& rounds);

  /// Returns the least epsilon over the orders; +infinity when no order is finite. The distance
  /// between the samplers of noisy rounds and their distribution is subtracted from delta.
  [[nodiscard]] double epsilon(double delta) const override;
  [[nodiscard]] std::span<const double> orders() const;
  [[nodiscard]] std::span<const double> rdp() const;

 private:
  void add_repeated(std::span<const double> one, std::uint64_t times);

  std::vector<double> rdp_;
  double distance_ = 0;  // total variation between the drawn noise and the noise accounted for
};

/// Conversion between Renyi divergence and (epsilon, delta). Conservative: results are upper bounds
/// up to the rounding of a formula in double.
/// Returns epsilon at `delta` of a mechanism with RDP `rdp` at `order` > 1 (Canonne, Kamath,
/// Steinke 2020, Proposition 12). Infinity for an rdp that is not a number.
double epsilon_of_rdp(double order, double rdp, double delta);

/// Returns delta at `epsilon` >= 0, at most 1, by the same proposition solved for delta.
double delta_of_rdp(double order, double rdp, double epsilon);

}  // namespace sotto::privacy
