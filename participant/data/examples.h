// A site's texts, with or without labels, and the functions that read them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/config/site.h"

namespace sotto::data {

/// Example is one text, or one sentence whose words are tagged: the unit that differential privacy
/// protects.
struct Example {
  std::string text;        // empty where words are tagged
  std::int64_t label = 0;  // a number of the task: tasks::Task::label_number(); of a tagged
                           // sentence 1 + the label of its first entity, 0 where it has none
  std::vector<std::string> words{};  // of a tagged sentence, and their tags: indexes into
  std::vector<std::int64_t> tags{};  // the task's classes()
  /// The person whom the example is about, as data.columns.person names them. Empty: the example is
  /// a person of its own.
  std::string person{};
};

/// LeftOut counts the records that do not fit a job. They are left out instead of the job being
/// refused, because a refusal would reveal to the coordinator what is in the data. For the site's
/// own people; never sent. It contains places and causes, never a record.
struct LeftOut {
  static constexpr std::size_t kNamed = 5;

  std::uint64_t count = 0;
  std::vector<std::string> first{};  // place and cause of the first kNamed records

  void add(std::string place_and_cause) {
    if (++count <= kNamed) first.push_back(std::move(place_and_cause));
  }

  void add(const LeftOut& more) {
    count += more.count;
    for (const std::string& line : more.first)
      if (first.size() < kNamed) first.push_back(line);
  }

  /// Returns a line for a log; empty where nothing was left out.
  [[nodiscard]] std::string warning(const std::string& what) const {
    if (count == 0) return {};
    std::string out = std::to_string(count) + " " + what + " do not fit the job and are skipped: ";
    for (std::size_t i = 0; i < first.size(); ++i)
      out += (i == 0 ? "" : "; ") + first[i];
    return count > first.size() ? out + "; and " + std::to_string(count - first.size()) + " more"
                                : out;
  }
};

/// FittingExamples are the records of a file that fit a job.
struct FittingExamples {
  std::vector<Example> examples;
  LeftOut left_out{};
};

/// Reads the examples that a site trains and evaluates on, in the site's layout (RecordReader).
/// Unlike read_examples(), it leaves out what does not fit: a record that is malformed, or a label
/// that the job does not name or that is not in `declared` (the site's data.labels). For token
/// classification the whole sentence is left out. Damage of the whole text (storage::TextFile) is
/// named among what was left out. Returns an Error only where there is no such file, or where the
/// header line or the layout does not fit, because the answer to a job must not depend on records.
Result<FittingExamples> read_fitting_examples(const std::filesystem::path& file,
                                              const config::JobConfig& job,
                                              const std::vector<std::string>& declared,
                                              const config::DataLayout& layout = {});
/// Reads the same from bytes in memory; `name` is the name of the file in messages, and its ending
/// decides as that of a file.
Result<FittingExamples> fitting_examples(std::string_view bytes, const std::string& name,
                                         const config::JobConfig& job,
                                         const std::vector<std::string>& declared,
                                         const config::DataLayout& layout = {});

/// Reads examples for tools. Without a layout the format is "label TAB text" lines in UTF-8; where
/// the job has no labels, a line is a text. For token classification each line holds a word, as in
/// CoNLL's files: the word in the first column and the tag in the last. Columns are separated by
/// tabs, or by blanks where a line has no tab; an empty line ends a sentence, and a line that
/// begins with -DOCSTART- is left out. Tags are IOB2: an "I-" that continues no entity is an Error.
/// An Error is that of the first record that does not fit and never contains the record.
Result<std::vector<Example>> read_examples(const std::filesystem::path& file,
                                           const config::JobConfig& job,
                                           const config::DataLayout& layout = {});
/// Reads the same from bytes in memory; `name` is the name of the file in errors.
Result<std::vector<Example>> parse_examples(std::string_view bytes, const std::string& name,
                                            const config::JobConfig& job,
                                            const config::DataLayout& layout = {});

class LabelReader;
class RecordReader;
struct RecordView;
/// Makes the example of a record of `reader`. An Error where its label, or one of its tags, does
/// not fit.
Result<Example> example_of(const RecordView& record, const RecordReader& reader,
                           const LabelReader& labels);

/// Returns the text that parse_examples() reads back; line ends inside a text become blanks, and
/// persons are left out.
std::string format_examples(const std::vector<Example>& examples, const config::JobConfig& job);

}  // namespace sotto::data
