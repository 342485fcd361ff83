// Tail functions of the privacy loss L = ln(P/Q) of a mechanism, under P and under Q. loss_grid.cc
// discretises them. Every class has
//   LossTails above(double loss)  the masses on either side of a loss; calls have rising losses
//   LossRange range(double tail)  the losses that leave out about `tail` of P above and of Q below
#pragma once

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

/// GaussianLoss: P is a mixture of Gaussians around 0, 1, ... k with binomial weights; Q is a
/// Gaussian around 0.
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
  double output_ = 0;  // the result of the last search, at which the next one begins
};

/// ReplacedLoss: (1 - q) N(0) + q N(1) against (1 - q) N(0) + q N(-1).
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

/// TruncatedLoss is a GaussianLoss where the other records leave room in the batch, and a
/// ReplacedLoss where they fill it. The adversary is assumed to know which of the two cases
/// occurred.
class TruncatedLoss {
 public:
  explicit TruncatedLoss(const TruncatedBatch& mechanism);
  [[nodiscard]] LossTails above(double loss);
  [[nodiscard]] LossRange range(double tail) const;

 private:
  double full_;   // the probability that the others fill the batch
  double taken_;  // the probability that the record is in a full batch
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
  std::vector<double> above_;  // mass above -half_, ... half_; by symmetry also the mass below
  std::int64_t half_;
};

}  // namespace sotto::privacy
