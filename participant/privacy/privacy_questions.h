// What-if questions about the example-level privacy of jobs: epsilon of runs that might be, noise
// for a target, and both as a curve. Pure; nothing is charged.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/privacy/accounting/accountant.h"

namespace sotto::participant {

struct PrivacyQuestion {
  /// One after the other on one data set. With a target: one part, its noise multiplier is asked
  /// for.
  std::vector<privacy::DpSgdSteps> parts;
  double delta = 0;
  std::optional<double> target_epsilon;
  const privacy::AccountantKind* accountant = &privacy::accountants::pld;
};

struct PrivacyAnswer {
  std::vector<privacy::DpSgdSteps> parts;  // with their noise multipliers
  double epsilon = 0;                      // add or remove one example
};

Result<PrivacyAnswer> answer(const PrivacyQuestion& question);

/// Epsilon while the parts are carried out, in `points` even shares of all their steps.
struct PrivacyCurve {
  struct Point {
    double share = 0;  // of the steps
    double epsilon = 0;
    double epsilon_rdp = 0;
  };

  double delta = 0;
  double steps = 0;
  std::vector<Point> points;
};

Result<PrivacyCurve> curve(const PrivacyAnswer& answer, double delta, std::size_t points);

/// For a terminal: '*' what is charged, '.' the Renyi bound.
std::string plot_text(const PrivacyCurve& curve);
/// One self-contained SVG image.
std::string plot_svg(const PrivacyCurve& curve);

}  // namespace sotto::participant
