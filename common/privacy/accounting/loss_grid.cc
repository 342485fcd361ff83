#include "common/privacy/accounting/loss_grid.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "common/base/check.h"
#include "common/base/overloaded.h"
#include "common/privacy/accounting/log_space.h"
#include "common/privacy/accounting/loss_tails.h"

namespace sotto::privacy {

namespace {

constexpr double kMaxPoints = 1 << 23;
constexpr double kMaxLoss = 500;  // exp(500) and exp(-500) are far from the limits of double
/// The relative error of a computed tail, relative to the smaller of the two tails.
constexpr double kTailError = 64 * kMachineEpsilon;

/// The masses between two losses, taken from the side where the tails are small.
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

/// The masses p and q of a bucket are moved to its two ends so that both are preserved: a at the
/// lower loss and b at the higher with a + b = p and a e^-low + b e^-high = q. By this no convex
/// function of the ratio P/Q has a smaller expectation, so the grid is conservative. `high` is b;
/// `whole` is p rounded up.
struct Split {
  double whole = 0;
  double high = 0;
};

/// `ratio` is e^low; the errors are those of p and q.
Split split(const Between& bucket, double ratio, double low, double interval) {
  const double whole = bucket.p + bucket.p_error;
  const double error =
      bucket.p_error + ratio * bucket.q_error + whole * kMachineEpsilon * (80 + 2 * std::abs(low));
  const double above_low = (whole - ratio * bucket.q + error) / -std::expm1(-interval);
  return {.whole = whole, .high = std::clamp(above_low, 0.0, whole)};
}

Between exchanged(const Between& b) {
  return {.p = b.q, .q = b.p, .p_error = b.q_error, .q_error = b.p_error};
}

/// Handles the mass beyond the last point: all of Q is put there, and the rest of P at infinity.
void close_end(LossGrid& grid, double p, double q, double ratio) {
  const double kept = std::min(p, q * ratio);
  grid.mass.back() += kept;
  grid.infinite = p * (1 + kTailError) - kept;
}

template <class Tails>
LossGrids fill(Tails tails, std::int64_t first, std::size_t points, double interval) {
  const auto last = first + static_cast<std::int64_t>(points) - 1;
  LossGrids out{.remove = {.interval = interval, .first = first},
                .add = {.interval = interval, .first = -last}};
  out.remove.mass.assign(points, 0.0);
  out.add.mass.assign(points, 0.0);
  Exponentials ratios(out.remove.loss(0), interval);
  LossTails at = tails.above(out.remove.loss(0));
  double ratio = ratios.next();
  const LossTails begin = at;
  const double begin_ratio = ratio;
  // Below the grid all of the mass of P moves up to the first point.
  out.remove.mass[0] = at.p_below * (1 + kTailError);
  for (std::size_t i = 0; i + 1 < points; ++i) {
    const std::size_t mirrored = points - 1 - i;  // index of loss i with the opposite sign
    const LossTails next = tails.above(out.remove.loss(i + 1));
    const double next_ratio = ratios.next();
    const Between bucket = between(at, next);
    const Split remove = split(bucket, ratio, out.remove.loss(i), interval);
    out.remove.mass[i] += remove.whole - remove.high;
    out.remove.mass[i + 1] += remove.high;
    const Split add = split(exchanged(bucket), 1 / next_ratio, out.remove.loss(i + 1), interval);
    out.add.mass[mirrored] += add.high;
    out.add.mass[mirrored - 1] += add.whole - add.high;
    at = next;
    ratio = next_ratio;
  }
  out.add.mass[0] += at.q_above * (1 + kTailError);
  close_end(out.remove, at.p_above, at.q_above, ratio);
  close_end(out.add, begin.q_below, begin.p_below, 1 / begin_ratio);
  return out;
}

template <class Tails>
Result<LossGrids> discretise_with(Tails tails, double interval, double tail) {
  const LossRange range = tails.range(tail);
  if (!(range.low > -kMaxLoss && range.high < kMaxLoss))
    return Error{"one step loses too much privacy for an accountant by privacy loss"};
  const double low = std::floor(range.low / interval);
  const double points = std::max(2.0, std::ceil(range.high / interval) - low + 1);
  if (!(points <= kMaxPoints)) return Error{"the interval of the losses is too small"};
  return fill(std::move(tails), static_cast<std::int64_t>(low), static_cast<std::size_t>(points),
              interval);
}

}  // namespace

Status check(const Mechanism& mechanism) {
  const auto rate_fits = [](double rate) { return rate > 0 && rate <= 1; };
  const auto fits = [&](const auto& m) -> Status {
    using M = std::decay_t<decltype(m)>;
    double width = 0;
    if constexpr (std::is_same_v<M, SampledGaussian> || std::is_same_v<M, ReplacedExample> ||
                  std::is_same_v<M, TruncatedBatch>)
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
    if constexpr (requires { m.largest_batch; })
      if (m.records < 1 || m.largest_batch < 1)
        return Error{"a truncated batch needs records and room for one"};
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

Result<LossGrids> discretise(const Mechanism& mechanism, double interval, double tail) {
  SOTTO_CHECK(interval > 0 && tail > 0 && tail < 0.1, "a grid without a width");
  SOTTO_TRY(check(mechanism));

  const auto with = [&](auto tails) { return discretise_with(std::move(tails), interval, tail); };
  return std::visit(
      Overloaded{[&](const SampledGaussian& m) { return with(GaussianLoss(m)); },
                 [&](const ReplacedExample& m) { return with(ReplacedLoss(m)); },
                 [&](const TruncatedBatch& m) { return with(TruncatedLoss(m)); },
                 [&](const SampledLaplace& m) { return with(LaplaceLoss(m)); },
                 [&](const DiscreteLaplace& m) { return with(DiscreteLaplaceLoss(m)); },
                 [&](const DiscreteGaussian& m) { return with(DiscreteGaussianLoss(m)); }},
      mechanism);
}

}  // namespace sotto::privacy
