// Where the privacy loss L = ln(P/Q) of a mechanism lies, under P and under Q: what loss_grid.cc
// makes grids of. Every class has
//   LossTails above(double loss)  masses on either side of a loss; called with rising losses
//   LossRange range(double tail)  losses that leave out about `tail` of P above and of Q below
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "common/privacy/accounting/mechanism.h"

namespace sotto::privacy {

struct LossTails {
  double p_below = 0;  // P(L <= loss)
  double p_above = 0;  // P(L > loss)
  double q_below = 0;
  double q_above = 0;
};

struct LossRange {
  double low = 0;
  double high = 0;
};

/// P is a mixture of Gaussians around 0, 1, ... k with binomial weights, Q is around 0.
class GaussianLoss {
 public:
  explicit GaussianLoss(const SampledGaussian& mechanism);
  [[nodiscard]] LossTails above(double loss);
  [[nodiscard]] LossRange range(double tail) const;

 private:
  [[nodiscard]] double output_of(double loss);
  [[nodiscard]] double loss_of(double output) const;
  [[nodiscard]] double log_sum_above_zero(double output, double& slope) const;

  double sigma_;
  double mean_;                  // of P
  std::vector<double> weights_;  // of centre 0, 1, ... k
  std::vector<double> log_weights_;
  double output_ = 0;  // where the search begins: the last answer
};

/// (1 - q) N(0) + q N(1) against (1 - q) N(0) + q N(-1).
class ReplacedLoss {
 public:
  explicit ReplacedLoss(const ReplacedExample& mechanism);
  [[nodiscard]] LossTails above(double loss) const;
  [[nodiscard]] LossRange range(double tail) const;

 private:
  [[nodiscard]] double loss_of(double output) const;

  double rate_;
  double sigma_;
};

/// The first where the others leave room in the batch, the second where they fill it; whoever looks
/// is told which.
class TruncatedLoss {
 public:
  explicit TruncatedLoss(const TruncatedBatch& mechanism);
  [[nodiscard]] LossTails above(double loss);
  [[nodiscard]] LossRange range(double tail) const;

 private:
  double full_;   // how often the others fill the batch
  double taken_;  // how often the record is in a full batch
  GaussianLoss open_loss_;
  ReplacedLoss full_loss_;
};

class LaplaceLoss {
 public:
  explicit LaplaceLoss(const SampledLaplace& mechanism);
  [[nodiscard]] LossTails above(double loss) const;
  [[nodiscard]] LossRange range(double tail) const;

 private:
  double rate_;
  double scale_;
};

class DiscreteLaplaceLoss {
 public:
  explicit DiscreteLaplaceLoss(const DiscreteLaplace& mechanism);
  [[nodiscard]] LossTails above(double loss) const;
  [[nodiscard]] LossRange range(double tail) const;

 private:
  double decay_;
  double sensitivity_;
};

class DiscreteGaussianLoss {
 public:
  explicit DiscreteGaussianLoss(const DiscreteGaussian& mechanism);
  [[nodiscard]] LossTails above(double loss) const;
  [[nodiscard]] LossRange range(double tail) const;

 private:
  [[nodiscard]] double mass_above(double x) const;

  double sigma_;
  double sensitivity_;
  std::vector<double> above_;  // mass above -half_, ... half_; symmetric, so also that below
  std::int64_t half_;
};

}  // namespace sotto::privacy
