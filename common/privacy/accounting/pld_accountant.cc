#include "common/privacy/accounting/pld_accountant.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"
#include "common/privacy/accounting/analytic_gaussian.h"
#include "common/privacy/accounting/log_space.h"
#include "common/privacy/accounting/loss_composition.h"
#include "common/privacy/accounting/loss_grid.h"

namespace sotto::privacy {

namespace {

/// The least delta; below it results are not reliable.
constexpr double kSmallestDelta = 1e-80;
/// The share of delta that the mass beyond the grids, which is counted as an infinite loss, may
/// take.
constexpr double kTailShare = 1e-6;
/// The relative amount that discretisation may add to epsilon, and the smallest epsilon for which
/// this is required.
constexpr double kDiscretisation = 1e-4;
constexpr double kSmallEpsilon = 1e-3;
constexpr double kLargestInterval = 1e-3;  // with few releases the estimates for many do not apply
constexpr double kFewestPoints = 2000;     // of the grid of the narrowest losses
constexpr double kPointsInEpsilon = 64;    // at least
constexpr int kCoarser = 12;               // doublings

/// The losses of a composition in both directions, on grids with the same interval.
struct Directions {
  std::vector<RepeatedLoss> remove;
  std::vector<RepeatedLoss> add;
};

template <class Parts>
Result<Directions> on_grids(const Parts& parts, double interval, double delta) {
  double releases = 0;
  for (const auto& part : parts)
    releases += static_cast<double>(part.count);
  Directions out;
  for (const auto& part : parts) {
    SOTTO_ASSIGN_OR_RETURN(
        LossGrids grids,
        discretise(part.mechanism, interval, std::min(1e-6, kTailShare * delta / releases)));
    out.remove.push_back({.loss = std::move(grids.remove), .count = part.count});
    out.add.push_back({.loss = std::move(grids.add), .count = part.count});
  }
  return out;
}

Result<double> larger_epsilon(const Directions& directions, double delta) {
  SOTTO_ASSIGN_OR_RETURN(const double remove, composed_epsilon(directions.remove, delta));
  SOTTO_ASSIGN_OR_RETURN(const double add, composed_epsilon(directions.add, delta));
  return std::max(remove, add);
}

double fewest_points(const Directions& directions) {
  std::size_t out = directions.remove.front().loss.mass.size();
  for (const RepeatedLoss& part : directions.remove)
    out = std::min(out, part.loss.mass.size());
  return static_cast<double>(out);
}

/// Returns the interval that keeps the error of discretisation within the tolerance. Splitting a
/// loss between two points of the grid adds up to interval^2 / 4 to its variance and half of that
/// to its mean; where losses are evenly distributed, epsilon changes by interval^2 (1 + tilt) / 12
/// for each release. Where few releases lose little, delta bends over an epsilon, which the grid
/// must resolve.
double interval_for(const Directions& directions, double releases, double delta, double epsilon) {
  const LossEstimate remove = estimate(directions.remove, delta);
  const LossEstimate add = estimate(directions.add, delta);
  const double tilt = add.epsilon > remove.epsilon ? add.tilt : remove.tilt;
  const double asked = std::max(epsilon, kSmallEpsilon);
  return std::min(asked / kPointsInEpsilon,
                  std::sqrt(12 * kDiscretisation * asked / (releases * (1 + tilt))));
}

}  // namespace

Status PldAccountant::add(const Releases& releases) {
  if (const auto* steps = std::get_if<DpSgdSteps>(&releases)) return add(*steps);
  if (const auto* some = std::get_if<MechanismReleases>(&releases))
    return add(some->mechanism, some->count);
  return Error{"knows neither batches of a fixed size nor noise inside a sum"};
}

Status PldAccountant::add(const DpSgdSteps& steps) {
  return add(
      SampledGaussian{.rate = steps.sampling_rate, .noise_multiplier = steps.noise_multiplier},
      steps.steps);
}

Status PldAccountant::add(const Mechanism& mechanism, std::uint64_t count) {
  SOTTO_TRY(check(mechanism));
  if (count == 0) return {};
  const auto* gaussian = std::get_if<SampledGaussian>(&mechanism);
  if (gaussian != nullptr && gaussian->rate == 1) {
    const double moved = gaussian->examples / gaussian->noise_multiplier;
    squared_sensitivity_ += static_cast<double>(count) * moved * moved;
    return {};
  }
  for (Part& part : parts_) {
    if (part.mechanism != mechanism) continue;
    part.count += count;
    return {};
  }
  parts_.push_back({.mechanism = mechanism, .count = count});
  return {};
}

std::vector<PldAccountant::Part> PldAccountant::parts() const {
  std::vector<Part> out = parts_;
  if (squared_sensitivity_ > 0)
    out.push_back(
        {SampledGaussian{.rate = 1, .noise_multiplier = 1 / std::sqrt(squared_sensitivity_)}, 1});
  return out;
}

double PldAccountant::epsilon_at(double interval, double delta) const {
  SOTTO_CHECK(delta > 0 && delta < 1, "delta must be in (0, 1)");
  if (delta < kSmallestDelta) return kInfinity;
  if (parts_.empty() && squared_sensitivity_ == 0) return 0;
  const Result<Directions> directions = on_grids(parts(), interval, delta);
  if (!directions.ok()) return kInfinity;
  const Result<double> epsilon = larger_epsilon(*directions, delta);
  return epsilon.ok() && !std::isnan(*epsilon) ? *epsilon : kInfinity;
}

double PldAccountant::epsilon(double delta) const {
  SOTTO_CHECK(delta > 0 && delta < 1, "delta must be in (0, 1)");
  if (parts_.empty())
    return squared_sensitivity_ == 0 ? 0
                                     : gaussian_epsilon(1 / std::sqrt(squared_sensitivity_), delta);
  if (delta < kSmallestDelta) return kInfinity;
  double releases = 0;
  for (const Part& part : parts())
    releases += static_cast<double>(part.count);
  double interval = std::min(kLargestInterval, 0.03 / std::sqrt(releases));
  double best = kInfinity;
  // The grid is refined where the losses or a first epsilon require it, and coarsened where that
  // would be too expensive.
  int finer = 0;
  for (int coarser = 0; coarser < kCoarser;) {
    const Result<Directions> directions = on_grids(parts(), interval, delta);
    const double spread = directions.ok() ? fewest_points(*directions) / kFewestPoints : 1;
    if (finer == 0 && spread < 1) {
      ++finer;
      interval *= spread;
      continue;
    }
    const Result<double> epsilon =
        directions.ok() ? larger_epsilon(*directions, delta) : Result<double>(directions.error());
    if (!epsilon.ok() || std::isnan(*epsilon)) {
      ++coarser;
      interval *= 2;
      continue;
    }
    best = std::min(best, *epsilon);
    if (best == 0) return 0;
    const double wanted = interval_for(*directions, releases, delta, best);
    return wanted < interval && coarser == 0 ? std::min(best, epsilon_at(wanted, delta)) : best;
  }
  return best;
}

}  // namespace sotto::privacy
