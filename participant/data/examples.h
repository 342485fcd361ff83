// A site's texts, labelled or not, and how they are read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/config/job.h"
#include "participant/data/left_out.h"

namespace sotto::learning {

/// One text, or one sentence whose words are tagged: what differential privacy protects.
struct Example {
  std::string text;        // empty where words are tagged
  std::int64_t label = 0;  // a number of the task: tasks::Task::label_number(); of a tagged
                           // sentence 1 + the label of its first entity, 0 where it has none
  std::vector<std::string> words{};  // of a tagged sentence, and their tags: indexes into
  std::vector<std::int64_t> tags{};  // the task's classes()
};

/// The records of a file that fit a job.
struct FittingExamples {
  std::vector<Example> examples;
  LeftOut left_out{};
};

/// Reads what a site trains and evaluates on. Unlike read_examples(), what does not fit - a line
/// that is malformed, a label that the job does not name or that is not in `declared` (the site's
/// data.labels) - is left out, of token classification the whole sentence. An Error only where the
/// file cannot be read: the answer to a job must not depend on single records.
Result<FittingExamples> read_fitting_examples(const std::filesystem::path& file,
                                              const config::JobConfig& job,
                                              const std::vector<std::string>& declared);
/// The same from bytes in memory; `name` stands in the messages.
FittingExamples fitting_examples(std::string_view bytes, const std::string& name,
                                 const config::JobConfig& job,
                                 const std::vector<std::string>& declared);

/// For tools. "label TAB text" lines, UTF-8; where the job has no labels a line is a text. For
/// token classification a line a word as in CoNLL's files: the word in its first column, the tag in
/// its last, columns parted by tabs, or by blanks where a line has no tab; an empty line ends a
/// sentence, and a line that begins with -DOCSTART- is left out. Tags are IOB2: an "I-" that goes
/// on with nothing is an Error. Errors name file and line: unknown label, missing tab, bad
/// encoding. They never show the record.
Result<std::vector<Example>> read_examples(const std::filesystem::path& file,
                                           const config::JobConfig& job);
/// The same from bytes in memory; `name` stands in the errors.
Result<std::vector<Example>> parse_examples(std::string_view bytes, const std::string& name,
                                            const config::JobConfig& job);

/// What parse_examples reads back.
std::string format_examples(const std::vector<Example>& examples, const config::JobConfig& job);

}  // namespace sotto::learning
