// Conversion between Renyi divergence and (epsilon, delta). Conservative: results are upper bounds
// up to the rounding of a formula in double.
#pragma once

namespace sotto::privacy {

/// Returns epsilon at `delta` of a mechanism with RDP `rdp` at `order` > 1 (Canonne, Kamath,
/// Steinke 2020, Proposition 12). Infinity for an rdp that is not a number.
double epsilon_of_rdp(double order, double rdp, double delta);

/// Returns delta at `epsilon` >= 0, at most 1, by the same proposition solved for delta.
double delta_of_rdp(double order, double rdp, double epsilon);

}  // namespace sotto::privacy
