// The exact privacy of the Gaussian mechanism without sampling (Balle and Wang 2018): the
// sensitivity is 1, the noise has standard deviation sigma, and one record is added or removed. The
// functions are pure.
#pragma once

namespace sotto::privacy {

/// Returns the logarithm of the least delta at epsilon >= 0, for sigma > 0.
double gaussian_log_delta(double sigma, double epsilon);
/// Returns the least epsilon >= 0 at 0 < delta < 1.
double gaussian_epsilon(double sigma, double delta);
/// Returns the least sigma at epsilon >= 0 and 0 < delta < 1.
double gaussian_sigma(double epsilon, double delta);

}  // namespace sotto::privacy
