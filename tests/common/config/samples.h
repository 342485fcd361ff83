// Files that the tests of configuration start from.
#pragma once

#include <string>
#include <string_view>

#include "common/config/parse.h"

namespace sotto::config::samples {

inline constexpr std::string_view kJob = R"({
  "name": "intents",
  "model": {"path": "model", "max_length": 32},
  "task": {"type": "sequence_classification", "labels": ["yes", "no"]},
  "rounds": {"num_server_rounds": 20, "min_available_participants": 4},
  "local_training": {"expected_batch_size": 64}
})";

inline constexpr std::string_view kSite = R"({
  "model": {"path": "model"},
  "data": {"dataset_id": "ward-7", "train": "train.tsv", "evaluation": "evaluation.tsv"},
  "policy": {"max_epsilon": 8, "max_epsilon_per_job": 4,
             "allowed_tasks": ["sequence_classification"]}
})";

/// The sample with one piece of text replaced; the piece must be there once.
inline std::string with(std::string_view sample, std::string_view from, std::string_view to) {
  std::string text(sample);
  const std::size_t at = text.find(from);
  SOTTO_CHECK(at != std::string::npos && text.find(from, at + 1) == std::string::npos,
              "the sample holds the piece once");
  return text.replace(at, from.size(), to);
}

}  // namespace sotto::config::samples
