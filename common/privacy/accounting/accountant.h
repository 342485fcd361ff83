// Accounting of Poisson-subsampled Gaussian steps (example-level, add/remove-one adjacency), by
// privacy loss distribution and by Renyi divergence; and by the latter of noise inside the
// aggregation (participant-level, against the zero vector). An accountant holds one of the two
// levels, they are never added. Rounds against us. docs/privacy.md; checked against published
// tables.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/privacy/accounting/distributed_privacy.h"
#include "common/privacy/accounting/pld_accountant.h"

namespace sotto::privacy {

/// A homogeneous run of DP-SGD steps on one data set.
struct DpSgdSteps {
  double sampling_rate = 0;     // (0, 1]; Poisson
  double noise_multiplier = 0;  // standard deviation / clipping norm, > 0
  std::uint64_t steps = 0;
};

/// Steps on batches of a fixed size, drawn without replacement; one record is replaced. What other
/// frameworks' loaders do, no job: see fixed_size_sampling.h.
struct FixedSizeSteps {
  double fraction = 0;          // batch / records, (0, 1)
  double noise_multiplier = 0;  // over what one replaced record moves the sum by
  std::uint64_t steps = 0;
};

/// RDP of a composition at fixed orders. Add parts in any order, then ask for epsilon.
class RdpAccountant {
 public:
  RdpAccountant();
  /// An Error when a parameter is out of range; then nothing was added.
  Status add(const DpSgdSteps& steps);
  Status add(const FixedSizeSteps& steps);
  Status add(const NoisyRounds& rounds);
  /// The least epsilon over the orders at 0 < delta < 1; +infinity when no order is finite. What
  /// the samplers of noisy rounds fall short of their distribution is taken off delta.
  [[nodiscard]] double epsilon(double delta) const;
  [[nodiscard]] std::span<const double> orders() const;
  [[nodiscard]] std::span<const double> rdp() const;

 private:
  void add_repeated(std::span<const double> one, std::uint64_t times);

  std::vector<double> rdp_;
  double distance_ = 0;  // total variation between the noise that is drawn and that accounted for
};

/// What DP-SGD on one data set has spent: the smaller of two upper bounds, by privacy loss
/// distribution, the tighter one, and by Renyi divergence, which checks it.
class ExampleAccountant {
 public:
  /// An Error when a parameter is out of range; then nothing was added.
  Status add(const DpSgdSteps& steps);
  [[nodiscard]] double epsilon(double delta) const;
  /// Whether epsilon(delta) <= limit; much quicker where the Renyi bound is enough.
  [[nodiscard]] bool within(double limit, double delta) const;

 private:
  RdpAccountant rdp_;
  PldAccountant pld_;
};

/// Which figure is asked for. Everything that is charged or promised is kPld: ExampleAccountant's.
enum class Accounting { kPld, kRdp };

/// Epsilon of runs one after the other on one data set.
Result<double> epsilon_of(std::span<const DpSgdSteps> runs, double delta, Accounting accounting);
/// The same of one run, kPld.
Result<double> epsilon_of(const DpSgdSteps& steps, double delta);

/// What a run is to keep to.
struct PrivacyTarget {
  double epsilon = 0;
  double delta = 0;
  double sampling_rate = 0;
  std::uint64_t steps = 0;
};

/// The least noise multiplier (to a relative 1e-4, rounded up) that reaches the target.
Result<double> calibrate_noise_multiplier(const PrivacyTarget& target, Accounting accounting);

}  // namespace sotto::privacy
