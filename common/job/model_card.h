// The model card (README.md) of a saved model, with the front matter that model hubs read. It holds
// no names of sites and no places on a machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/config/job.h"
#include "common/tasks/task.h"

namespace sotto::job {

/// The facts of the run that made a model, all of which are public.
struct RunFacts {
  std::uint64_t rounds = 0;  // whose sums are in the model
  std::size_t members = 0;   // of the federation; 0 when not known
  /// The evaluation of this model on the members' held-out examples together; nothing when there is
  /// none.
  std::optional<tasks::Evaluation> evaluation{};
  /// The epsilon of one example at the job's delta; nothing when it depends on a site.
  std::optional<double> epsilon{};
  std::optional<double> participant_epsilon{};  // of everything that one participant sends
  std::string early_end{};                      // why the run ended before its last round
  std::optional<std::uint64_t> finished_unix_s{};
};

/// CardFacts are what the card says beside the job.
struct CardFacts {
  std::string base_model{};    // on a model hub; empty when not known
  bool adapter = false;        // the folder has an adapter and not a whole model
  bool own_module = false;     // the folder brings its class along (saved_config.h)
  std::string run_sections{};  // run_sections() of the run; empty when they are not known
};

/// Returns the sections of a card about a run: training, results and privacy.
std::string run_sections(const config::JobConfig& job, const RunFacts& facts);

/// Returns the same sections of a card that model_card() wrote, for a model that was made from its
/// model; empty when there are none.
std::string run_sections_of(const std::filesystem::path& card);

/// Returns the card. The licence is taken from the card in the job's model folder, if it has one.
std::string model_card(const config::JobConfig& job, const CardFacts& facts);

}  // namespace sotto::job
