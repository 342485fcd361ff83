#include "common/privacy/loss_grid.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "common/base/check.h"
#include "common/privacy/loss_tails.h"

namespace sotto::privacy {

namespace {

constexpr double kMaxPoints = 1 << 23;
constexpr double kMaxLoss = 500;  // exp of it and of its negative are far from the ends of double
constexpr double kEpsilon = 0x1p-52;
/// What a tail, as computed, may be away from the truth: relative, of the smaller of the two tails.
constexpr double kTailError = 64 * kEpsilon;

/// What lies between two losses, taken from the side where the tails are small.
struct Between {
  double p = 0;
  double q = 0;
  double p_error = 0;
  double q_error = 0;
};

double share(double below, double above, double next_below, double next_above) {
  return std::max(0.0, above < below ? above - next_above : next_below - below);
}

Between between(const LossTails& at, const LossTails& next) {
  return {.p = share(at.p_below, at.p_above, next.p_below, next.p_above),
          .q = share(at.q_below, at.q_above, next.q_below, next.q_above),
          .p_error = kTailError * std::min(at.p_above, next.p_below),
          .q_error = kTailError * std::min(at.q_above, next.q_below)};
}

/// A bucket's masses go to its two ends so that both P's and Q's are kept: a at the lower end and b
/// at the upper with a + b = p and a e^-low + b e^-high = q. No convex function of the ratio P/Q
/// then has a smaller expectation, and no privacy guarantee is lost.
template <class Tails>
LossGrid fill(Tails tails, LossGrid grid, std::size_t points) {
  const double narrow = -std::expm1(-grid.interval);
  grid.mass.assign(points, 0.0);
  LossTails at = tails.above(grid.loss(0));
  Exponentials ratios(grid.loss(0), grid.interval);
  double ratio = ratios.next();
  // Below the grid: all of P at its end, and of Q what that leaves, beyond it.
  grid.mass[0] = at.p_below;
  grid.infinite_of_opposite = std::max(0.0, at.q_below * (1 + kTailError) - at.p_below / ratio);
  for (std::size_t i = 0; i + 1 < points; ++i) {
    const LossTails next = tails.above(grid.loss(i + 1));
    const Between bucket = between(at, next);
    const double p = bucket.p + bucket.p_error;
    const double error =
        bucket.p_error + ratio * bucket.q_error + p * kEpsilon * (80 + 2 * std::abs(grid.loss(i)));
    const double up = std::clamp((p - ratio * bucket.q + error) / narrow, 0.0, p);
    grid.mass[i] += p - up;
    grid.mass[i + 1] += up;
    at = next;
    ratio = ratios.next();
  }
  // Above the grid: all of Q at its end, and of P what that leaves, at infinity.
  const double kept = std::min(at.p_above, at.q_above * ratio);
  grid.mass[points - 1] += kept;
  grid.infinite = at.p_above * (1 + kTailError) - kept;
  return grid;
}

template <class Tails>
Result<LossGrid> discretise_with(Tails tails, double interval, double tail) {
  const LossRange range = tails.range(tail);
  if (!(range.low > -kMaxLoss && range.high < kMaxLoss))
    return Error{"one step loses too much privacy for an accountant by privacy loss"};
  const double low = std::floor(range.low / interval);
  const double points = std::ceil(range.high / interval) - low + 1;
  if (!(points <= kMaxPoints)) return Error{"the interval of the losses is too small"};
  LossGrid grid{.interval = interval, .first = static_cast<std::int64_t>(low)};
  return fill(std::move(tails), std::move(grid), static_cast<std::size_t>(std::max(points, 2.0)));
}

}  // namespace

Status check(const Mechanism& mechanism) {
  const auto rate_fits = [](double rate) { return rate > 0 && rate <= 1; };
  const auto fits = [&](const auto& m) -> Status {
    using M = std::decay_t<decltype(m)>;
    double width = 0;
    if constexpr (std::is_same_v<M, SampledGaussian> || std::is_same_v<M, ReplacedExample>)
      width = m.noise_multiplier;
    else if constexpr (std::is_same_v<M, SampledLaplace>)
      width = m.scale;
    else if constexpr (std::is_same_v<M, DiscreteLaplace>)
      width = m.decay;
    else
      width = m.sigma;
    if constexpr (requires { m.rate; })
      if (!rate_fits(m.rate)) return Error{"the sampling rate must be in (0, 1]"};
    if constexpr (requires { m.examples; })
      if (m.examples < 1 || m.examples > 64) return Error{"a person has 1 to 64 examples"};
    if constexpr (requires { m.sensitivity; })
      if (m.sensitivity < 1) return Error{"the sensitivity must be positive"};
    if constexpr (std::is_same_v<M, DiscreteGaussian>)
      if (width > 1e5) return Error{"a discrete Gaussian as wide as that is a Gaussian"};
    if (!(width > 0) || !std::isfinite(width))
      return Error{"the noise multiplier must be positive and finite"};
    return {};
  };
  return std::visit(fits, mechanism);
}

Result<LossGrid> discretise(const Mechanism& mechanism, double interval, double tail) {
  SOTTO_CHECK(interval > 0 && tail > 0 && tail < 0.1, "a grid without a width");
  if (Status fits = check(mechanism); !fits.ok()) return fits.error();

  struct {
    double interval;
    double tail;

    Result<LossGrid> operator()(const SampledGaussian& m) const {
      return discretise_with(GaussianLoss(m), interval, tail);
    }

    Result<LossGrid> operator()(const ReplacedExample& m) const {
      return discretise_with(ReplacedLoss(m), interval, tail);
    }

    Result<LossGrid> operator()(const SampledLaplace& m) const {
      return discretise_with(LaplaceLoss(m), interval, tail);
    }

    Result<LossGrid> operator()(const DiscreteLaplace& m) const {
      return discretise_with(DiscreteLaplaceLoss(m), interval, tail);
    }

    Result<LossGrid> operator()(const DiscreteGaussian& m) const {
      return discretise_with(DiscreteGaussianLoss(m), interval, tail);
    }
  } const visitor{interval, tail};

  return std::visit(visitor, mechanism);
}

LossGrid opposite(const LossGrid& grid) {
  LossGrid out{.interval = grid.interval,
               .first = 1 - grid.first - static_cast<std::int64_t>(grid.mass.size()),
               .infinite = grid.infinite_of_opposite,
               .infinite_of_opposite = grid.infinite};
  out.mass.assign(grid.mass.rbegin(), grid.mass.rend());
  Exponentials ratios(out.loss(0), out.interval);
  for (double& mass : out.mass)
    mass *= ratios.next();
  return out;
}

}  // namespace sotto::privacy
