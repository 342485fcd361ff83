#include "common/privacy/accounting/loss_tails.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "common/privacy/accounting/log_space.h"

namespace sotto::privacy {

namespace {

constexpr LossTails kAllAbove{.p_below = 0, .p_above = 1, .q_below = 0, .q_above = 1};
constexpr LossTails kAllBelow{.p_below = 1, .p_above = 0, .q_below = 1, .q_above = 0};

/// Returns P(N(0, 1) > x) with relative precision in the tail.
double normal_above(double x) {
  return std::erfc(x * std::numbers::sqrt2 / 2) / 2;
}

/// Returns an x with P(N(0, 1) > x) <= tail that is hardly larger than necessary.
double normal_point(double tail) {
  return tail < 0.5 ? std::sqrt(-2 * std::log(2 * tail)) : 0;
}

/// Returns the loss of the unsampled mechanism that corresponds to `loss` of the sampled one:
/// exp(loss) = 1 - rate + rate exp(unsampled).
double unsampled(double loss, double rate) {
  return rate == 1 ? loss : std::log1p(std::expm1(loss) / rate);
}

double sampled(double loss, double rate) {
  if (rate == 1) return loss;
  return loss > 30 ? loss + std::log(rate) + std::log1p((1 - rate) / rate * std::exp(-loss))
                   : std::log1p(rate * std::expm1(loss));
}

}  // namespace

// ---- Gaussian

GaussianLoss::GaussianLoss(const SampledGaussian& mechanism)
    : sigma_(mechanism.noise_multiplier), mean_(mechanism.rate * mechanism.examples) {
  const double k = mechanism.examples;
  double log_binomial = 0;
  for (std::uint32_t j = 0; j <= mechanism.examples; ++j) {
    const double drawn = j == 0 ? 0 : j * std::log(mechanism.rate);
    const double left = j == mechanism.examples ? 0 : (k - j) * std::log1p(-mechanism.rate);
    log_weights_.push_back(log_binomial + drawn + left);
    weights_.push_back(std::exp(log_weights_.back()));
    log_binomial += std::log((k - j) / (j + 1.0));
  }
}

/// Computes log sum over j >= 1 of weight_j exp((2 z j - j^2) / (2 sigma^2)), and its derivative in
/// z.
double GaussianLoss::log_sum_above_zero(double z, double& slope) const {
  const double inverse = 1 / (sigma_ * sigma_);
  const auto exponent = [&](std::size_t j) {
    const auto centre = static_cast<double>(j);
    return log_weights_[j] + (z - centre / 2) * centre * inverse;
  };
  double largest = -kInfinity;
  for (std::size_t j = 1; j < log_weights_.size(); ++j)
    largest = std::max(largest, exponent(j));
  double sum = 0;
  double moment = 0;
  for (std::size_t j = 1; j < log_weights_.size(); ++j) {
    const double term = std::exp(exponent(j) - largest);
    sum += term;
    moment += static_cast<double>(j) * term;
  }
  slope = moment / sum * inverse;
  return largest + std::log(sum);
}

double GaussianLoss::loss_of(double z) const {
  double slope = 0;
  const double rest = log_sum_above_zero(z, slope);
  return log_add(rest, log_weights_[0]);
}

/// Returns the output z at which the loss is `loss`, which must be above the least one.
double GaussianLoss::output_of(double loss) {
  const double least = log_weights_[0];
  const double wanted =
      least == -kInfinity
          ? loss
          : least + (loss - least > 30 ? loss - least : std::log(std::expm1(loss - least)));
  if (log_weights_.size() == 2) return (wanted - log_weights_[1]) * sigma_ * sigma_ + 0.5;
  // Newton's method on a convex rising function.
  for (int i = 0; i < 200; ++i) {
    double slope = 0;
    const double step = (log_sum_above_zero(output_, slope) - wanted) / slope;
    output_ -= step;
    if (std::abs(step) <= 1e-14 * (std::abs(output_) + sigma_)) break;
  }
  return output_;
}

LossTails GaussianLoss::above(double loss) {
  if (loss <= log_weights_[0]) return kAllAbove;
  const double z = output_of(loss);
  // The smaller of the two sides needs relative precision; the other one follows from it.
  const auto q_side = z > 0 ? 1.0 : -1.0;
  const auto p_side = z > mean_ ? 1.0 : -1.0;
  const double q = normal_above(q_side * z / sigma_);
  double p = weights_[0] * (p_side == q_side ? q : normal_above(p_side * z / sigma_));
  for (std::size_t j = 1; j < weights_.size(); ++j)
    if (weights_[j] > 0)
      p += weights_[j] * normal_above(p_side * (z - static_cast<double>(j)) / sigma_);
  LossTails out{.p_below = p, .p_above = 1 - p, .q_below = q, .q_above = 1 - q};
  if (p_side > 0) std::swap(out.p_below, out.p_above);
  if (q_side > 0) std::swap(out.q_below, out.q_above);
  return out;
}

LossRange GaussianLoss::range(double tail) const {
  const double reach = sigma_ * normal_point(tail);
  return {loss_of(-reach), loss_of(static_cast<double>(log_weights_.size() - 1) + reach)};
}

// ---- replace one

ReplacedLoss::ReplacedLoss(const ReplacedExample& mechanism)
    : rate_(mechanism.rate), sigma_(mechanism.noise_multiplier) {}

double ReplacedLoss::loss_of(double z) const {
  const double s2 = sigma_ * sigma_;
  return sampled((z - 0.5) / s2, rate_) - sampled((-z - 0.5) / s2, rate_);
}

/// With u = exp(z / sigma^2), c = rate exp(-1 / (2 sigma^2)) and B = (1 - rate) (1 - exp(loss)):
/// c u^2 + B u - c exp(loss) = 0.
LossTails ReplacedLoss::above(double loss) const {
  const double s2 = sigma_ * sigma_;
  const double c = rate_ * std::exp(-0.5 / s2);
  const double b = -(1 - rate_) * std::expm1(loss);
  const double root = std::hypot(b, 2 * c * std::exp(loss / 2));
  const double u = b > 0 ? 2 * c * std::exp(loss) / (b + root) : (root - b) / (2 * c);
  const double z = s2 * std::log(u);
  const auto mix = [this](double without, double with) {
    return (1 - rate_) * without + rate_ * with;
  };
  const auto over = [&](double centre) { return normal_above((z - centre) / sigma_); };
  const auto under = [&](double centre) { return normal_above((centre - z) / sigma_); };
  return {.p_below = mix(under(0), under(1)),
          .p_above = mix(over(0), over(1)),
          .q_below = mix(under(0), under(-1)),
          .q_above = mix(over(0), over(-1))};
}

LossRange ReplacedLoss::range(double tail) const {
  const double high = loss_of(1 + sigma_ * normal_point(tail));
  return {-high, high};
}

// ---- truncated batches

namespace {

/// Returns P(Binomial(n, rate) > k) with relative precision in the tail.
double binomial_above(double n, double rate, double k) {
  if (k >= n) return 0;
  if (rate == 1) return 1;
  double sum = 0;
  for (double i = k + 1; i <= n; ++i) {
    const double term = std::exp(std::lgamma(n + 1) - std::lgamma(i + 1) - std::lgamma(n - i + 1) +
                                 i * std::log(rate) + (n - i) * std::log1p(-rate));
    sum += term;
    if (i > n * rate && term < 1e-18 * sum) break;
  }
  return std::min(sum, 1.0);
}

/// Returns P(the record is in the batch | the others fill the batch): the probability that a record
/// is in a truncated batch over the probability that the others fill it.
double share_of_full(const TruncatedBatch& m, double full) {
  const double cut = binomial_above(m.records, m.rate, m.largest_batch);
  if (full == 0 || cut == 0) return m.rate;  // too rare to be represented; the effect is negligible
  return std::min(1.0, cut * m.largest_batch / full / m.records);
}

}  // namespace

TruncatedLoss::TruncatedLoss(const TruncatedBatch& mechanism)
    : full_(binomial_above(mechanism.records - 1.0, mechanism.rate, mechanism.largest_batch - 1.0)),
      taken_(share_of_full(mechanism, full_)),
      open_loss_({.rate = mechanism.rate, .noise_multiplier = mechanism.noise_multiplier}),
      full_loss_({.rate = taken_, .noise_multiplier = mechanism.noise_multiplier / 2}) {}

LossTails TruncatedLoss::above(double loss) {
  LossTails out = open_loss_.above(loss);
  const LossTails full = full_loss_.above(loss);
  for (const auto side :
       {&LossTails::p_below, &LossTails::p_above, &LossTails::q_below, &LossTails::q_above})
    out.*side = (1 - full_) * (out.*side) + full_ * (full.*side);
  return out;
}

LossRange TruncatedLoss::range(double tail) const {
  LossRange out = open_loss_.range(tail);
  if (full_ <= tail) return out;
  const LossRange full = full_loss_.range(std::min(0.1, tail / full_));
  return {std::min(out.low, full.low), std::max(out.high, full.high)};
}

// ---- Laplace

LaplaceLoss::LaplaceLoss(const SampledLaplace& mechanism)
    : rate_(mechanism.rate), scale_(mechanism.scale) {}

LossTails LaplaceLoss::above(double sampled_loss) const {
  if (rate_ < 1 && sampled_loss <= std::log1p(-rate_)) return kAllAbove;
  const double loss = unsampled(sampled_loss, rate_);
  if (loss < -1 / scale_) return kAllAbove;
  if (loss >= 1 / scale_) return kAllBelow;
  const double z = (loss * scale_ + 1) / 2;  // in [0, 1)
  const double q_above = std::exp(-z / scale_) / 2;
  const double p_below = std::exp((z - 1) / scale_) / 2;
  return {.p_below = (1 - rate_) * (1 - q_above) + rate_ * p_below,
          .p_above = (1 - rate_) * q_above + rate_ * (1 - p_below),
          .q_below = 1 - q_above,
          .q_above = q_above};
}

LossRange LaplaceLoss::range(double /*tail*/) const {
  return {sampled(-1 / scale_, rate_), sampled(1 / scale_, rate_)};
}

// ---- discrete Laplace

DiscreteLaplaceLoss::DiscreteLaplaceLoss(const DiscreteLaplace& mechanism)
    : decay_(mechanism.decay), sensitivity_(mechanism.sensitivity) {}

LossTails DiscreteLaplaceLoss::above(double loss) const {
  const double most = decay_ * sensitivity_;
  if (loss < -most) return kAllAbove;
  if (loss >= most) return kAllBelow;
  const double x = std::floor((loss / decay_ + sensitivity_) / 2);
  // The masses of a draw around 0 above x and at most x.
  const auto over = [this](double at) {
    const double tail = std::exp(-decay_ * (at >= 0 ? at + 1 : -at)) / (1 + std::exp(-decay_));
    return at >= 0 ? tail : 1 - tail;
  };
  const auto under = [&](double at) { return over(-at - 1); };
  return {.p_below = under(x - sensitivity_),
          .p_above = over(x - sensitivity_),
          .q_below = under(x),
          .q_above = over(x)};
}

LossRange DiscreteLaplaceLoss::range(double /*tail*/) const {
  return {-decay_ * sensitivity_, decay_ * sensitivity_};
}

// ---- discrete Gaussian

DiscreteGaussianLoss::DiscreteGaussianLoss(const DiscreteGaussian& mechanism)
    : sigma_(mechanism.sigma),
      sensitivity_(mechanism.sensitivity),
      // exp(-40^2 / 2) is below double precision.
      half_(static_cast<std::int64_t>(std::ceil(40 * mechanism.sigma)) + 1) {
  above_.resize(static_cast<std::size_t>(2 * half_ + 1));
  double sum = 0;
  for (std::int64_t x = half_; x >= -half_; --x) {
    above_[static_cast<std::size_t>(x + half_)] = sum;
    const auto at = static_cast<double>(x) / sigma_;
    sum += std::exp(-at * at / 2);
  }
  for (double& mass : above_)
    mass /= sum;
}

double DiscreteGaussianLoss::mass_above(double x) const {
  const auto half = static_cast<double>(half_);
  if (x >= half) return 0;
  if (x < -half) return 1;
  return above_[static_cast<std::size_t>(static_cast<std::int64_t>(x) + half_)];
}

LossTails DiscreteGaussianLoss::above(double loss) const {
  const double x = std::floor(loss * sigma_ * sigma_ / sensitivity_ + sensitivity_ / 2);
  return {.p_below = mass_above(sensitivity_ - x - 1),
          .p_above = mass_above(x - sensitivity_),
          .q_below = mass_above(-x - 1),
          .q_above = mass_above(x)};
}

LossRange DiscreteGaussianLoss::range(double tail) const {
  const double most = std::ceil(sigma_ * normal_point(tail)) + sensitivity_;
  const double high = sensitivity_ * (2 * most - sensitivity_) / (2 * sigma_ * sigma_);
  return {-high, high};
}

}  // namespace sotto::privacy
