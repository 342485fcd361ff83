#include "common/privacy/accounting/subsampled_gaussian.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "common/privacy/accounting/log_space.h"

namespace sotto::privacy {

namespace {

// Everything below computes A - 1 instead of A = E[...]: one step costs so little that A is
// 1.0000..., and the significant digits would be lost. A - 1 = E[(1 + x)^a - 1 - a x] with x = q
// (exp(u) - 1), u = (2z - 1) / (2 sigma^2), because E[x] = 0. The bracket is never negative
// (Bernoulli), so there is no cancellation.

/// Conservative relative slack on A - 1: more than all rounding errors below.
constexpr double kTolerance = 1e-10;

/// Returns log(exp(x) - 1), x > 0.
double log_expm1(double x) {
  return x > 30 ? x + std::log1p(-std::exp(-x)) : std::log(std::expm1(x));
}

/// Converts log(A - 1) to log(A) / (a - 1).
double rdp_from_log_excess(double log_excess, double order) {
  const double log_a = log_excess > 30 ? log_add(log_excess, 0) : std::log1p(std::exp(log_excess));
  return log_a / (order - 1);
}

/// Computes an integer order by the binomial sum over k >= 2, whose terms are all positive.
double integer_order_rdp(double q, double sigma, int order) {
  double log_excess = -kInfinity;
  double log_binomial = std::log(static_cast<double>(order));  // C(a, 1)
  for (int k = 2; k <= order; ++k) {
    log_binomial += std::log(static_cast<double>(order - k + 1) / k);
    const double gain = k * (k - 1.0) / (2 * sigma * sigma);
    const double term =
        log_binomial + k * std::log(q) + (order - k) * std::log1p(-q) + log_expm1(gain);
    log_excess = log_add(log_excess, term);
  }
  return rdp_from_log_excess(log_excess + kTolerance, order);
}

/// The values of the integrand at one z that do not depend on the order.
struct Node {
  double log_density;  // of N(0, sigma^2), up to its constant
  double x;            // q (exp(u) - 1); only for u <= 30
  double log1p_x;
  double log_abs_x;  // only where x is large
};

Node node_at(double z, double q, double sigma) {
  const double u = (2 * z - 1) / (2 * sigma * sigma);
  const double log_density = -z * z / (2 * sigma * sigma);
  if (u > 30) {
    const double log_x = std::log(q) + u + std::log1p(-std::exp(-u));
    return {log_density, kInfinity, log_add(log_x, 0), log_x};
  }
  const double x = q * std::expm1(u);
  return {log_density, x, std::log1p(x), std::log(std::abs(x))};
}

/// Returns (1 + x)^a - 1 - a x by its binomial series, for |a x| < 0.05.
double small_bracket(double x, double order) {
  double term = order * (order - 1) / 2 * x * x;
  double sum = 0;
  for (int k = 3; k < 16; ++k) {
    sum += term;
    term *= (order - k + 1) / k * x;
  }
  return sum + term;
}

/// Returns the log of the bracket times the density.
double log_integrand(const Node& node, double order) {
  const double power = order * node.log1p_x;
  if (power > 30) {
    const double correction = std::exp(-power) + order * std::exp(node.log_abs_x - power);
    return node.log_density + power + std::log1p(-correction);
  }
  const double bracket = std::abs(order * node.x) < 0.05 ? small_bracket(node.x, order)
                                                         : std::expm1(power) - order * node.x;
  return bracket > 0 ? node.log_density + std::log(bracket) : -kInfinity;
}

/// Grid implements the trapezoid rule on an evenly spaced grid, which converges faster than any
/// power of the spacing for an integrand this smooth. The grid is wide enough for every order up to
/// `largest_order`.
class Grid {
 public:
  Grid(double q, double sigma, double largest_order)
      : q_(q), sigma_(sigma), begin_(-kTail * sigma) {
    const double end = std::max(largest_order, 2.0) + kTail * sigma;
    // The nearest singularities of the integrand are pi sigma^2 away from the real line.
    const double wanted =
        std::min(sigma / 6, 2 * std::numbers::pi * std::numbers::pi / 45 * sigma * sigma);
    const double count = (end - begin_) / wanted;
    if (!(count < kMaxNodes)) return;
    spacing_ = wanted;
    fill(spacing_, 0, coarse_, static_cast<std::size_t>(count) + 1);
    fill(spacing_, spacing_ / 2, between_, coarse_.size());
  }

  /// Returns nothing when the results with the spacing and with half of it do not agree.
  [[nodiscard]] std::optional<double> log_excess(double order) const {
    if (coarse_.empty()) return std::nullopt;
    const double constant =
        std::log(spacing_) - std::log(sigma_) - 0.5 * std::log(2 * std::numbers::pi);
    const double coarse = log_sum(coarse_, order);
    const double fine = log_add(coarse, log_sum(between_, order)) - std::numbers::ln2;
    const bool agree = std::abs(coarse - fine) <= kTolerance;
    if (!agree) return std::nullopt;
    return fine + constant + kTolerance;
  }

 private:
  static constexpr double kTail = 14;  // exp(-98): beyond double precision
  static constexpr double kMaxNodes = 1 << 17;

  void fill(double spacing, double shift, std::vector<Node>& nodes, std::size_t count) const {
    nodes.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
      nodes.push_back(node_at(begin_ + shift + spacing * static_cast<double>(i), q_, sigma_));
  }

  static double log_sum(const std::vector<Node>& nodes, double order) {
    std::vector<double> terms(nodes.size());
    double largest = -kInfinity;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      terms[i] = log_integrand(nodes[i], order);
      largest = std::max(largest, terms[i]);
    }
    double sum = 0;
    for (const double term : terms)
      sum += std::exp(term - largest);
    return largest + std::log(sum);
  }

  double q_;
  double sigma_;
  double begin_;
  double spacing_ = 0;
  std::vector<Node> coarse_;
  std::vector<Node> between_;
};

double checked(double rdp) {
  return rdp >= 0 ? rdp : kInfinity;
}

}  // namespace

std::vector<double> subsampled_gaussian_rdp(double rate, double noise_multiplier,
                                            std::span<const double> orders) {
  std::vector<double> out;
  out.reserve(orders.size());
  double largest_fraction = 0;
  for (const double order : orders)
    if (order != std::floor(order)) largest_fraction = std::max(largest_fraction, order);
  std::optional<Grid> grid;
  for (const double order : orders) {
    if (rate == 1) {
      out.push_back(order / (2 * noise_multiplier * noise_multiplier));
    } else if (order == std::floor(order)) {
      out.push_back(checked(integer_order_rdp(rate, noise_multiplier, static_cast<int>(order))));
    } else {
      if (!grid) grid.emplace(rate, noise_multiplier, largest_fraction);
      const std::optional<double> log_excess = grid->log_excess(order);
      out.push_back(log_excess ? checked(rdp_from_log_excess(*log_excess, order)) : kInfinity);
    }
  }
  return out;
}

}  // namespace sotto::privacy
