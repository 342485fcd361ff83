// The Gaussian mechanism without sampling, exactly (Balle and Wang 2018): sensitivity 1, noise of
// standard deviation sigma, add or remove one. Pure.
#pragma once

namespace sotto::privacy {

/// log of the least delta at epsilon >= 0, sigma > 0.
double gaussian_log_delta(double sigma, double epsilon);
/// The least epsilon >= 0 at 0 < delta < 1.
double gaussian_epsilon(double sigma, double delta);
/// The least sigma at epsilon >= 0, 0 < delta < 1.
double gaussian_sigma(double epsilon, double delta);

}  // namespace sotto::privacy
