// What compositions of private releases cost: an accountant is told the releases on one data set,
// in any order, and gives an upper bound of epsilon at a delta. Two statements are accounted for
// and never added to each other: about one training example (DP-SGD), and about everything that one
// participant sent (noise inside the sum). Figures are rounded up: an accountant never reports less
// than the releases cost. docs/privacy.md has the definitions; tests compare with published tables.
// To add an accountant: one file that defines an AccountantKind, and its line in SOTTO_ACCOUNTANTS
// (docs/extending.md).
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

/// A homogeneous run of DP-SGD steps on one data set; one example is added or removed.
struct DpSgdSteps {
  double sampling_rate = 0;     // of Poisson sampling, within kSamplingRate
  double noise_multiplier = 0;  // standard deviation / clipping norm, > 0
  std::uint64_t steps = 0;
};

inline constexpr Range kSamplingRate{.min = 0, .max = 1, .above_min = true};

/// An Error when a parameter is out of range.
Status check(const DpSgdSteps& steps);
Status check_noise_multiplier(double multiplier);

/// Steps on batches of a fixed size, drawn without replacement; one record is replaced. Other
/// frameworks' loaders sample so, no job does: see fixed_size_sampling.h.
struct FixedSizeSteps {
  double fraction = 0;          // batch / records, (0, 1)
  double noise_multiplier = 0;  // over what one replaced record moves the sum by
  std::uint64_t steps = 0;
};

/// Releases of one mechanism; its type says which change of the data the statement is about.
struct MechanismReleases {
  Mechanism mechanism;
  std::uint64_t count = 0;
};

/// The same releases as DP-SGD steps, where they are such.
std::optional<DpSgdSteps> as_dp_sgd(const MechanismReleases& releases);

using Releases = std::variant<DpSgdSteps, FixedSizeSteps, NoisyRounds, MechanismReleases>;

/// One composition. One thread.
class Accountant {
 public:
  virtual ~Accountant() = default;

  /// An Error when a parameter is out of range, or when this accountant does not know releases of
  /// this kind; then nothing was added.
  virtual Status add(const Releases& releases) = 0;
  /// Epsilon of all releases together at a delta within kDelta (SOTTO_CHECK), rounded up; +infinity
  /// where the accountant finds no bound.
  [[nodiscard]] virtual double epsilon(double delta) const = 0;

 protected:
  Accountant() = default;
  Accountant(const Accountant&) = default;
  Accountant(Accountant&&) = default;
  Accountant& operator=(const Accountant&) = default;
  Accountant& operator=(Accountant&&) = default;
};

/// Immutable, of static lifetime.
struct AccountantKind {
  std::string_view name;                  // for `sotto-participant privacy --accountant`
  std::unique_ptr<Accountant> (*make)();  // one without releases
  bool is_quick = false;  // an epsilon costs microseconds: calibration may bisect with it
};

// One line for each accountant. `pld` is the accountant of everything that is charged or promised.
#define SOTTO_ACCOUNTANTS(EACH) \
  EACH(pld)                     \
  EACH(rdp)

namespace accountants {
#define SOTTO_DECLARE(name) extern const AccountantKind name;
SOTTO_ACCOUNTANTS(SOTTO_DECLARE)
#undef SOTTO_DECLARE
}  // namespace accountants

/// In the order of SOTTO_ACCOUNTANTS.
std::span<const AccountantKind* const> accountant_kinds();
/// Null when there is none of this name.
const AccountantKind* find_accountant(std::string_view name);

/// Epsilon of runs one after the other on one data set. An Error when a parameter is out of range.
Result<double> epsilon_of(std::span<const DpSgdSteps> runs, double delta,
                          const AccountantKind& kind);
/// The same of one run, by accountants::pld.
Result<double> epsilon_of(const DpSgdSteps& steps, double delta);

}  // namespace sotto::privacy
