#include "common/privacy/accounting/loss_composition.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <optional>
#include <utility>

#include "common/base/check.h"
#include "common/privacy/accounting/fourier.h"
#include "common/privacy/accounting/log_space.h"

namespace sotto::privacy {

namespace {

// The distribution of the sum is needed where its mass is tiny, at losses around epsilon. The
// losses are therefore tilted first: masses are multiplied by exp(tilt loss), with the tilt that
// puts the mean of the sum there. The computed values, and with them the rounding errors, are then
// relative to numbers of the order of one, for every delta. The tilted sum lies within some
// deviations of epsilon, so the transform need not be longer. Mass that the period of the transform
// folds back only adds to delta.

using Complex = std::complex<double>;

constexpr double kLongEpsilon = std::numeric_limits<long double>::epsilon();
constexpr double kLongest = 1 << 22;
/// Limits on what folding adds: to the tilted mass from above, and as a share of delta from below.
constexpr double kFoldedMass = 1e-8;
constexpr double kFoldedShare = 1e-6;
/// The share of delta above which errors cause another tilt to be tried, and the number of such
/// tries.
constexpr double kErrorShare = 1e-4;
constexpr int kTilts = 3;

/// Moments of the tilted sum. `log` is the log of the moment generating function.
struct Cumulants {
  double log = 0;
  double mean = 0;
  double variance = 0;
};

/// Sketch approximates the sum with few points to choose tilts and periods. The correctness of the
/// bound does not depend on it.
class Sketch {
 public:
  Sketch(const std::vector<RepeatedLoss>& parts, double delta) {
    for (const RepeatedLoss& part : parts)
      parts_.push_back(points_of(part));
    // The limit is needed where the support of the losses ends abruptly: the search for a tilt has
    // no maximum there.
    largest_tilt_ = 4 * std::sqrt(-2 * std::log(delta) / std::max(at(0).variance, 1e-12));
  }

  [[nodiscard]] Cumulants at(double tilt) const {
    Cumulants out;
    for (const Points& points : parts_) {
      double largest = -kInfinity;
      for (std::size_t i = 0; i < points.loss.size(); ++i)
        largest = std::max(largest, points.log_mass[i] + tilt * points.loss[i]);
      double sum = 0;
      double first = 0;
      double second = 0;
      for (std::size_t i = 0; i < points.loss.size(); ++i) {
        const double weight = std::exp(points.log_mass[i] + tilt * points.loss[i] - largest);
        sum += weight;
        first += weight * points.loss[i];
        second += weight * points.loss[i] * points.loss[i];
      }
      const double mean = first / sum;
      out.log += points.count * (largest + std::log(sum));
      out.mean += points.count * mean;
      out.variance += points.count * std::max(0.0, second / sum - mean * mean);
    }
    return out;
  }

  /// Returns the tilt at which Chernoff's bound on the tail above the tilted mean is exp(log_tail).
  [[nodiscard]] double tilt_for(double log_tail) const {
    double low = std::log(largest_tilt_ * 1e-6);
    double high = std::log(largest_tilt_);
    for (int i = 0; i < 26; ++i) {
      const double middle = (low + high) / 2;
      const double tilt = std::exp(middle);
      const Cumulants c = at(tilt);
      (c.log - tilt * c.mean > log_tail ? low : high) = middle;
    }
    return std::exp(high);
  }

  /// Returns the tilt at which the sum for delta(epsilon) is least, and with it the effect of
  /// rounding: the saddle point of exp(log moment - tilt epsilon) / (tilt (1 + tilt)).
  [[nodiscard]] double tilt_at(double epsilon) const {
    double low = std::log(largest_tilt_ * 1e-6);
    double high = std::log(largest_tilt_);
    for (int i = 0; i < 26; ++i) {
      const double middle = (low + high) / 2;
      const double tilt = std::exp(middle);
      (at(tilt).mean < epsilon + 1 / tilt + 1 / (1 + tilt) ? low : high) = middle;
    }
    return std::exp(high);
  }

 private:
  static constexpr std::size_t kPoints = 256;

  struct Points {
    double count = 0;
    std::vector<double> log_mass{};
    std::vector<double> loss{};
  };

  static Points points_of(const RepeatedLoss& part) {
    Points out{.count = static_cast<double>(part.count)};
    const std::size_t size = part.loss.mass.size();
    const std::size_t longest = 1 + size / kPoints;
    for (std::size_t at = 0; at < size;) {
      double mass = 0;
      double moment = 0;
      std::size_t i = at;
      for (; i < std::min(size, at + longest) && mass < 1.0 / kPoints; ++i) {
        mass += part.loss.mass[i];
        moment += part.loss.mass[i] * static_cast<double>(i - at);
      }
      if (mass > 0) {
        out.log_mass.push_back(std::log(mass));
        out.loss.push_back(part.loss.loss(at) + moment / mass * part.loss.interval);
      }
      at = i;
    }
    return out;
  }

  std::vector<Points> parts_;
  double largest_tilt_ = 0;
};

/// Masses times exp(tilt loss), normalised to a sum of one.
struct Tilted {
  std::vector<double> mass{};
  double log_sum = 0;         // of the sum before the normalisation
  double relative_error = 0;  // of each mass and of the sum
};

/// Returns approximately the largest log of a mass times exp(tilt loss): of each block it examines
/// the largest mass and the last one.
double log_peak(const LossGrid& grid, double tilt) {
  const std::size_t stride = 1 + grid.mass.size() / 256;
  double out = -kInfinity;
  const auto consider = [&](std::size_t i) {
    out = std::max(out, tilt * grid.loss(i) + std::log(grid.mass[i]));
  };
  for (std::size_t at = 0; at < grid.mass.size(); at += stride) {
    std::size_t largest = at;
    std::size_t last = at;
    for (std::size_t i = at; i < std::min(grid.mass.size(), at + stride); ++i) {
      if (grid.mass[i] > grid.mass[largest]) largest = i;
      if (grid.mass[i] > 0) last = i;
    }
    consider(largest);
    consider(last);
  }
  return out;
}

Tilted tilted(const LossGrid& grid, double tilt) {
  const double peak = log_peak(grid, tilt);
  Tilted out{.mass = grid.mass};
  long double sum = 0;
  Exponentials factors(tilt * grid.loss(0) - peak, tilt * grid.interval);
  for (double& mass : out.mass) {
    const double factor = factors.next();
    mass = mass > 0 ? mass * factor : 0;
    sum += mass;
  }
  const auto total = static_cast<double>(sum);
  for (double& mass : out.mass)
    mass /= total;
  out.log_sum = peak + std::log(total);
  const double furthest = std::max(std::abs(grid.loss(0)), std::abs(grid.loss(grid.mass.size())));
  out.relative_error = kMachineEpsilon * (80 + 2 * tilt * furthest + 2 * std::abs(peak));
  return out;
}

/// One frequency of the composition's transform.
struct Term {
  std::size_t frequency = 0;
  Complex value;
  double over_factor = 0;  // the value over the smallest of its factors
};

struct Spectrum {
  std::size_t length = 0;     // N, the period in intervals
  std::vector<Term> terms{};  // from 0 to N/2; those left out are smaller than `left_out`
  double left_out = 0;
  double log_factor = 0;      // of the tilting: log of the sum's moment generating function
  double relative_error = 0;  // of the factor and of every mass of the sum
  double relative_of_terms = 0;
  double error_of_factors = 0;  // sum of count * L2 error of a part's transform
};

/// Terms below exp(-kDepth) are left out.
constexpr double kDepth = 48;
/// A factor to a lower power than this may be small only by its error, so that no term can be left
/// out because of it.
constexpr double kSmallestPower = 4;

/// The log of a frequency of a product, and the log of the least absolute value among its factors.
struct LogTerm {
  std::size_t frequency = 0;
  Complex log_value;
  double log_least = 0;
};

/// Multiplies the terms by a further factor to a power and keeps those that are not negligible.
std::vector<LogTerm> multiplied(std::vector<LogTerm> terms, const std::vector<Complex>& factor,
                                double power) {
  const double least = power >= kSmallestPower ? std::exp(-2 * kDepth / power) : 0;
  std::size_t kept = 0;
  for (const LogTerm& term : terms) {
    const Complex value = factor[term.frequency];
    const double squared = std::norm(value);
    if (squared <= least) continue;
    const double log_size = std::log(squared) / 2;
    terms[kept++] = {term.frequency,
                     term.log_value + Complex(power * log_size, power * std::arg(value)),
                     std::min(term.log_least, log_size)};
  }
  terms.resize(kept);
  return terms;
}

/// Returns the number of frequencies after which the power is negligible: by summation by parts,
/// the absolute value of a factor is at most the variation of its masses over 2 sin(pi k / N).
std::size_t frequencies_of(const std::vector<double>& mass, double power, std::size_t length) {
  const std::size_t all = length / 2 + 1;
  if (power < kSmallestPower) return all;
  double variation = 0;
  double last = 0;
  for (const double value : mass) {
    variation += std::abs(value - last);
    last = value;
  }
  const double sine = (variation + last) * (1 + 1e-9) / (2 * std::exp(-kDepth / power));
  if (!(sine < 1)) return all;
  const double first = std::asin(sine) * static_cast<double>(length) / std::numbers::pi;
  return std::min(all, static_cast<std::size_t>(first) + 2);
}

Spectrum spectrum_of(const std::vector<RepeatedLoss>& parts, double tilt, std::size_t length) {
  Spectrum out{.length = length};
  std::vector<Tilted> factors;
  std::size_t frequencies = length / 2 + 1;
  for (const RepeatedLoss& part : parts) {
    const auto count = static_cast<double>(part.count);
    factors.push_back(tilted(part.loss, tilt));
    frequencies = std::min(frequencies, frequencies_of(factors.back().mass, count, length));
    out.log_factor += count * factors.back().log_sum;
    out.relative_error += count * factors.back().relative_error;
    out.relative_of_terms += 16 * kMachineEpsilon * count;
  }
  std::vector<LogTerm> terms;
  for (std::size_t k = 0; k < frequencies; ++k)
    terms.push_back({.frequency = k, .log_value = 0});
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto count = static_cast<double>(parts[i].count);
    RealSequence sequence(length, frequencies);
    sequence.add(parts[i].loss.first, factors[i].mass);
    const double error = sequence.error_of_transform();
    terms = multiplied(std::move(terms), sequence.transform(), count);
    if (count >= kSmallestPower)
      out.left_out =
          std::max(out.left_out, std::exp(-kDepth + count * error * std::exp(kDepth / count)));
    out.error_of_factors += count * error;
  }
  out.terms.reserve(terms.size());
  for (const LogTerm& term : terms)
    out.terms.push_back({.frequency = term.frequency,
                         .value = std::exp(term.log_value),
                         .over_factor = std::exp(term.log_value.real() - term.log_least)});
  return out;
}

/// UpperSums computes sums over the composed distribution from a loss upwards from its transform.
class UpperSums {
 public:
  UpperSums(Spectrum spectrum, double tilt, double interval)
      : spectrum_(std::move(spectrum)),
        tilt_(tilt),
        interval_(interval),
        roots_(spectrum_.length),
        slow_(decay(tilt)),
        fast_(decay(tilt + 1)) {}

  /// delta(epsilon) for epsilon in ((at - 1) interval, at interval], rounded up: scale (slow -
  /// exp(epsilon - at interval) fast).
  struct Cell {
    double scale = 0;
    double slow = 0;
    double fast = 0;
    double error = 0;  // bound on errors of rounding and of the transform, times scale
  };

  [[nodiscard]] Cell cell(std::int64_t at) const {
    long double slow_sum = 0;  // long double: there may be many terms of similar size
    long double fast_sum = 0;
    for (std::size_t i = 0; i < spectrum_.terms.size(); ++i) {
      const Complex root =
          roots_(spectrum_.terms[i].frequency * static_cast<std::size_t>(at) % spectrum_.length);
      slow_sum += root.real() * slow_.terms[i].real() - root.imag() * slow_.terms[i].imag();
      fast_sum += root.real() * fast_.terms[i].real() - root.imag() * fast_.terms[i].imag();
    }
    const auto slow = static_cast<double>(slow_sum);
    const auto fast = static_cast<double>(fast_sum);
    const double relative = spectrum_.relative_error + 64 * kMachineEpsilon;
    return {.scale = std::exp(spectrum_.log_factor - tilt_ * static_cast<double>(at) * interval_) *
                     (1 + relative),
            .slow = slow + slow_.error,
            .fast = std::max(0.0, fast - fast_.error) * (1 - 2 * relative),
            .error = slow_.error + fast_.error};
  }

 private:
  /// sum over x >= 0 of exp(-rate x interval) P(at + x), P the tilted distribution of the sum.
  struct Decay {
    std::vector<Complex> terms;  // each to be rotated according to `at`
    double error = 0;
  };

  [[nodiscard]] Decay decay(double rate) const {
    const auto n = static_cast<double>(spectrum_.length);
    const double ratio = std::exp(-rate * interval_);
    const double one_less_ratio = -std::expm1(-rate * interval_);
    const double whole = -std::expm1(-rate * interval_ * n) / n;
    Decay out;
    out.terms.reserve(spectrum_.terms.size());
    double sum = 0;
    double squares = 0;
    for (const Term& term : spectrum_.terms) {
      // Frequencies 0 and N/2 count once, every other also for its conjugate.
      const bool alone = term.frequency == 0 || 2 * term.frequency == spectrum_.length;
      const double weight = alone ? 1 : 2;
      const double half_angle = std::numbers::pi * static_cast<double>(term.frequency) / n;
      const double s = std::sin(half_angle);
      // 1 - ratio exp(2 i half_angle)
      const Complex divisor(one_less_ratio + 2 * ratio * s * s,
                            -2 * ratio * s * std::cos(half_angle));
      const Complex value = term.value / divisor * (weight * whole);
      const double gain = whole / std::abs(divisor);
      sum += std::abs(value);
      squares += weight * gain * gain * term.over_factor * term.over_factor;
      out.terms.push_back(value);
    }
    const auto count = static_cast<double>(out.terms.size());
    const double of_sums = kMachineEpsilon * 128 + kLongEpsilon * count;
    out.error = sum * (spectrum_.relative_of_terms + of_sums) +
                2 * spectrum_.error_of_factors * std::sqrt(squares) +
                spectrum_.left_out * n * whole / one_less_ratio;
    return out;
  }

  Spectrum spectrum_;
  double tilt_;
  double interval_;
  RootsOfUnity roots_;
  Decay slow_;
  Decay fast_;
};

/// Period is the range of losses that a transform covers: one period from `base` on.
struct Period {
  double tilt = 0;
  double base = 0;
  double width = 0;      // at least
  double tail_tilt = 0;  // for the bound on the mass above the period
};

Period period_for(const Sketch& sketch, double tilt, double delta) {
  Period out{.tilt = tilt};
  const Cumulants tilted_sum = sketch.at(out.tilt);
  out.base = std::max(0.0, tilted_sum.mean - 8 * std::sqrt(tilted_sum.variance));
  // Mass above the period is folded down and counts by its tilted mass. Chernoff's bound on that
  // mass is used, at the further tilt that reaches kFoldedMass at the least loss.
  double top = kInfinity;
  for (double further = 0.05 * out.tilt; further < 20 * out.tilt; further *= 1.3) {
    const double log_growth = sketch.at(out.tilt + further).log - tilted_sum.log;
    const double reached = (log_growth - std::log(kFoldedMass)) / further;
    if (!(reached < top)) continue;
    top = reached;
    out.tail_tilt = out.tilt + further;
  }
  // Mass below the period is folded up with a factor exp(-tilt width).
  out.width = std::max(top - out.base, -std::log(delta * kFoldedShare) / out.tilt);
  return out;
}

/// Returns Chernoff's bound on the mass above `loss`.
double mass_above(const std::vector<RepeatedLoss>& parts, double tilt, double loss) {
  double log_bound = -tilt * loss;
  for (const RepeatedLoss& part : parts) {
    const Tilted one = tilted(part.loss, tilt);
    log_bound += static_cast<double>(part.count) * (one.log_sum + one.relative_error);
  }
  return std::exp(log_bound);
}

struct Solution {
  double epsilon = kInfinity;
  double error_share = 1;  // the share of delta that errors of rounding and of the transform take
};

/// Returns nothing where epsilon is below the period.
std::optional<Solution> solve(const UpperSums& sums, std::int64_t low, std::int64_t high,
                              double interval, double delta) {
  const auto delta_at = [&](std::int64_t at) {
    const UpperSums::Cell cell = sums.cell(at);
    return cell.scale * (cell.slow - cell.fast);
  };
  if (delta_at(low) <= delta) return std::nullopt;
  if (!(delta_at(high) <= delta)) return Solution{};
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (delta_at(middle) <= delta ? high : low) = middle;
  }
  const UpperSums::Cell cell = sums.cell(high);
  const double rest = (cell.slow - delta / cell.scale) / cell.fast;  // exp(epsilon - high interval)
  const double below = rest > 0 ? std::clamp(std::log(rest), -interval, 0.0) : -interval;
  return Solution{.epsilon = static_cast<double>(high) * interval + (std::isnan(below) ? 0 : below),
                  .error_share = cell.scale * cell.error / delta};
}

/// Solves with one tilt. `left` is delta less the mass of infinite losses.
Result<Solution> solve_tilted(const std::vector<RepeatedLoss>& parts, Period period, double left) {
  const double interval = parts.front().loss.interval;
  while (true) {
    const double points = period.width / interval + 2;
    if (!(points <= kLongest))
      return Error{"the interval of the losses is too small for their sum"};
    const std::size_t length = RealSequence::length_for(static_cast<std::size_t>(points));
    const auto low = static_cast<std::int64_t>(period.base / interval);
    const std::int64_t high = low + static_cast<std::int64_t>(length) - 1;
    const double above = mass_above(parts, period.tail_tilt, static_cast<double>(high) * interval);
    if (!(left - above > 0)) return Solution{};
    const UpperSums sums(spectrum_of(parts, period.tilt, length), period.tilt, interval);
    if (const auto found = solve(sums, low, high, interval, left - above)) return *found;
    if (low == 0) return Solution{.epsilon = 0, .error_share = 0};
    period.width += period.base;
    period.base = 0;
  }
}

}  // namespace

LossEstimate estimate(const std::vector<RepeatedLoss>& parts, double delta) {
  const Sketch sketch(parts, delta);
  const double tilt = sketch.tilt_for(std::log(delta));
  return {.tilt = tilt, .epsilon = std::max(0.0, sketch.at(tilt).mean)};
}

Result<double> composed_epsilon(const std::vector<RepeatedLoss>& parts, double delta) {
  SOTTO_CHECK(delta > 0 && delta < 1, "delta must be in (0, 1)");
  if (parts.empty()) return 0.0;
  const double interval = parts.front().loss.interval;
  double left = delta;
  for (const RepeatedLoss& part : parts) {
    SOTTO_CHECK(part.loss.interval == interval, "grids of different intervals");
    left -= static_cast<double>(part.count) * part.loss.infinite;
  }
  const Sketch sketch(parts, delta);
  double tilt = sketch.tilt_for(std::log(delta));
  Result<Solution> found = solve_tilted(parts, period_for(sketch, tilt, delta), left);
  if (!found.ok()) return found.error();
  double epsilon = found->epsilon;
  // Chernoff's bound depends on how often a loss is large and not on most losses being small, so
  // for a few steps at a small rate the tilt is far too large. Once epsilon is known, the right
  // tilt follows from it.
  for (int tries = 0; tries < kTilts && found->error_share > kErrorShare; ++tries) {
    const double last = std::exchange(tilt, sketch.tilt_at(std::isfinite(epsilon) ? epsilon : 0));
    if (std::abs(std::log(tilt / last)) < 0.1) break;
    Period period = period_for(sketch, tilt, delta);
    period.width += std::exchange(period.base, 0);
    found = solve_tilted(parts, period, left);
    if (!found.ok()) break;
    epsilon = std::min(epsilon, found->epsilon);
  }
  return epsilon;
}

}  // namespace sotto::privacy
