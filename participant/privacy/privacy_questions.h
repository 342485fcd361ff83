// What-if queries about the example-level privacy of jobs: epsilon of hypothetical runs, the noise
// for a target, and both as a curve. The functions are pure; nothing is charged.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/privacy/accounting/accountant.h"
#include "common/privacy/accounting/protected_unit.h"

namespace sotto::participant {

struct PrivacyQuestion {
  /// Runs on one data set, composed. With a target there is one part, and its noise multiplier is
  /// the quantity to compute.
  std::vector<privacy::DpSgdSteps> parts;
  double delta = 0;
  std::optional<double> target_epsilon;
  const privacy::AccountantKind* accountant = &privacy::accountants::pld;
};

struct PrivacyAnswer {
  std::vector<privacy::DpSgdSteps> parts;  // with their noise multipliers
  double epsilon = 0;                      // adjacency: one example is added or removed
};

Result<PrivacyAnswer> answer(const PrivacyQuestion& question);

/// PrivacyCurve has epsilon during the parts, at `points` equal shares of all their steps.
struct PrivacyCurve {
  struct Point {
    double share = 0;  // of the steps
    double epsilon = 0;
    double epsilon_rdp = 0;
  };

  double delta = 0;
  double steps = 0;
  privacy::ProtectedUnit unit = privacy::ProtectedUnit::kExample;  // for the plot's title
  std::vector<Point> points;
};

Result<PrivacyCurve> curve(const PrivacyAnswer& answer, double delta, std::size_t points);

/// Returns a plot for a terminal: '*' is the charged epsilon, '.' the Renyi bound.
std::string plot_text(const PrivacyCurve& curve);
/// Returns one self-contained SVG image.
std::string plot_svg(const PrivacyCurve& curve);

}  // namespace sotto::participant
