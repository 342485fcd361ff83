// The data that a site brings to a job.
#pragma once

#include <cstdint>

#include "participant/data/example_source.h"

namespace sotto::learning {

/// The declared sizes are public and may differ from the true ones; with differential privacy
/// everything that leaves the site follows from them (docs/privacy.md). 0: the true size.
struct SiteExamples {
  Examples train;
  Examples evaluation;
  std::uint64_t training_examples = 0;
  std::uint64_t evaluation_examples = 0;  // at most so many are evaluated
};

}  // namespace sotto::learning
