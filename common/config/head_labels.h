// The classes of a checkpoint's head by their names, and how they fit those of a job.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/model/weight_files.h"

namespace sotto::config {

/// The end of a sentence about a head that does not fit a job.
inline constexpr std::string_view kNewHeadHint =
    "; to begin with a new head, set model.new_head to true in the job";

/// Returns the names of the classes of a checkpoint's head, in the order of its outputs: those that
/// a run saved in the metadata of the weights (label.0 and so on), otherwise id2label of the
/// folder's config.json. Empty when there are none, or when they only number the outputs (LABEL_0
/// and so on), as Hugging Face's library names classes whose names it does not know. The Error
/// names config.json when its id2label does not number its names from 0 without gaps.
Result<std::vector<std::string>> head_labels(const WeightFiles& checkpoint,
                                             const std::filesystem::path& folder);

/// Returns for each class of a job the row of a checkpoint's head, by its name. `labels` are those
/// of head_labels(), `rows` is the number of the head's outputs, `classes` are those of the job's
/// task. Without labels the rows are taken in their order. The Error has both lists when they are
/// not the same names, and says how to begin with a new head.
Result<std::vector<std::size_t>> head_rows(const std::vector<std::string>& labels, std::size_t rows,
                                           const std::vector<std::string>& classes);

/// Fails when the model's config.json declares a problem that the job's task does not learn:
/// several classes for one text. A job with a new head may use such a model.
Status check_problem_type(const JobConfig& job);

/// Returns where the first values of a job's model are from, for a person: "from the weights of
/// model.safetensors; new: classifier.weight, classifier.bias", or "random, as the job says, seed
/// 1".
Result<std::string> source_of_initial_model(const JobConfig& job, const FlatParameters& model);

}  // namespace sotto::config
