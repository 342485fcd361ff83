// From Renyi divergence to (epsilon, delta). Rounds against us as far as a formula in double does.
#pragma once

namespace sotto::privacy {

/// Epsilon at `delta` of a mechanism with RDP `rdp` at `order` > 1: Canonne, Kamath, Steinke 2020,
/// Proposition 12. Infinity for an rdp that is not a number.
double epsilon_of_rdp(double order, double rdp, double delta);

/// Delta at `epsilon` >= 0, at most 1: the same proposition the other way.
double delta_of_rdp(double order, double rdp, double epsilon);

}  // namespace sotto::privacy
