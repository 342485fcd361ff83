// The data that a site contributes to a job.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "participant/data/example_source.h"

namespace sotto::data {

/// SiteExamples are the examples with their declared sizes, which are public and may differ from
/// the true ones. With differential privacy everything that leaves the site depends on the declared
/// sizes (docs/privacy.md). 0: the true size.
struct SiteExamples {
  Examples train;
  Examples evaluation;
  std::uint64_t training_examples = 0;
  std::uint64_t training_persons = 0;     // for jobs that protect persons
  std::uint64_t evaluation_examples = 0;  // at most so many are evaluated
  std::vector<std::string> warnings{};    // for the site's own log: examples in both splits

  /// Returns the declared number of the units that the job protects.
  [[nodiscard]] std::uint64_t declared_units(const config::JobConfig& job) const {
    return job.protects_persons() ? training_persons : training_examples;
  }
};

}  // namespace sotto::data
