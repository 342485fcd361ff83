// Accountants compute the privacy cost of compositions. An accountant receives the releases on one
// data set, in any order, and returns an upper bound on epsilon at a delta. Two guarantees are
// accounted for separately and never added to each other: the one for a training example (DP-SGD)
// and the one for everything that one participant sent (noise inside the sum). Accounting is
// conservative: epsilon is rounded up. docs/privacy.md has the definitions; tests compare with
// published tables.
//
// An accountant is added by one file that defines an AccountantKind and a line for it in
// SOTTO_ACCOUNTANTS (docs/extending.md).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "common/base/range.h"
#include "common/base/result.h"
#include "common/privacy/accounting/distributed_privacy.h"
#include "common/privacy/accounting/mechanism.h"

namespace sotto::privacy {

/// DpSgdSteps is a homogeneous sequence of DP-SGD steps on one data set. Adjacency: one example is
/// added or removed.
struct DpSgdSteps {
  double sampling_rate = 0;     // of Poisson sampling, within kSamplingRate
  double noise_multiplier = 0;  // standard deviation / clipping norm, > 0
  std::uint64_t steps = 0;
};

inline constexpr Range kSamplingRate{.min = 0, .max = 1, .above_min = true};

/// Returns an Error when a parameter is out of range.
Status check(const DpSgdSteps& steps);
Status check_noise_multiplier(double multiplier);

/// FixedSizeSteps are steps on batches of a fixed size that are drawn without replacement.
/// Adjacency: one record is replaced. Data loaders of other frameworks sample in this way; no job
/// does (see fixed_size_sampling.h).
struct FixedSizeSteps {
  double fraction = 0;          // batch / records, (0, 1)
  double noise_multiplier = 0;  // deviation / largest change of the sum by replacing a record
  std::uint64_t steps = 0;
};

/// MechanismReleases are releases of one mechanism, whose type determines the adjacency.
struct MechanismReleases {
  Mechanism mechanism;
  std::uint64_t count = 0;
};

/// Returns the same releases as DP-SGD steps, or nothing where they are not DP-SGD steps.
std::optional<DpSgdSteps> as_dp_sgd(const MechanismReleases& releases);

using Releases = std::variant<DpSgdSteps, FixedSizeSteps, NoisyRounds, MechanismReleases>;

/// An Accountant holds one composition. One thread at a time may use it.
class Accountant {
 public:
  virtual ~Accountant() = default;

  /// Adds releases to the composition. Returns an Error and adds nothing when a parameter is out of
  /// range or when this accountant does not support this kind of release.
  virtual Status add(const Releases& releases) = 0;
  /// Returns epsilon of all releases together at a delta within kDelta (SOTTO_CHECK), rounded up;
  /// +infinity where the accountant finds no bound.
  [[nodiscard]] virtual double epsilon(double delta) const = 0;

 protected:
  Accountant() = default;
  Accountant(const Accountant&) = default;
  Accountant(Accountant&&) = default;
  Accountant& operator=(const Accountant&) = default;
  Accountant& operator=(Accountant&&) = default;
};

/// AccountantKind describes one implementation. Objects are immutable and have static lifetime.
struct AccountantKind {
  std::string_view name;                  // for `sotto-participant privacy --accountant`
  std::unique_ptr<Accountant> (*make)();  // makes an accountant without releases
  bool is_quick = false;  // epsilon() takes microseconds, so calibration may bisect with it
};

// The list of accountants, one line for each. Everything that is charged or promised uses `pld`.
#define SOTTO_ACCOUNTANTS(EACH) \
  EACH(pld)                     \
  EACH(rdp)

namespace accountants {
#define SOTTO_DECLARE(name) extern const AccountantKind name;
SOTTO_ACCOUNTANTS(SOTTO_DECLARE)
#undef SOTTO_DECLARE
}  // namespace accountants

/// Returns the kinds in the order of SOTTO_ACCOUNTANTS.
std::span<const AccountantKind* const> accountant_kinds();
/// Returns the kind with this name, or null when there is none.
const AccountantKind* find_accountant(std::string_view name);

/// Returns epsilon of the composition of runs on one data set. Returns an Error when a parameter is
/// out of range.
Result<double> epsilon_of(std::span<const DpSgdSteps> runs, double delta,
                          const AccountantKind& kind);
/// Returns epsilon of one run by accountants::pld.
Result<double> epsilon_of(const DpSgdSteps& steps, double delta);

}  // namespace sotto::privacy
