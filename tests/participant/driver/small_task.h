// Learning tasks that train in milliseconds: a model folder, a job and one site's records.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/config/job.h"

namespace sotto::outside_test {

/// The job of a task names three labels, or none for language modelling.
struct SmallTask {
  std::map<std::string, std::string> model_files;  // by file name
  nlohmann::json job;
  std::vector<std::string> training, evaluation;  // records as they stand in a data file
};

/// Texts with the labels "yes", "no" and "maybe"; BERT.
SmallTask classification();
/// Sentences with the entities "PER", "LOC" and "ORG"; GPT-2.
SmallTask tagging();
/// Texts of the letters "a" to "h", of which each is a token, as the blank is; GPT-2, which puts no
/// token before or behind a text.
SmallTask language();

/// One file of records: each ends with a line feed.
std::string file_of(const std::vector<std::string>& records);

/// Writes model folder and job below `folder`.
void write_task(const SmallTask& task, const std::filesystem::path& folder);
/// The job that write_task() wrote, with `overrides` as for --set.
config::JobConfig load_task(const std::filesystem::path& folder,
                            const std::vector<std::string>& overrides = {});

}  // namespace sotto::outside_test
