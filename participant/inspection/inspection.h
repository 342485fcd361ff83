// Inspection looks at the plain files of a site before they are used: what is in them, and what
// training, `data split` or `data import` would refuse, leave out or should be warned about. Its
// results are for the site's own people and never leave the site.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/config/job.h"
#include "common/config/site.h"
#include "participant/data/examples.h"
#include "participant/data/records.h"
#include "participant/text/token_statistics.h"
#include "participant/text/tokenizer.h"

namespace sotto::inspection {

/// Finding is one thing that is wrong or worth a look.
struct Finding {
  bool is_error = false;  // some command refuses the file or the record, or leaves it out
  std::string what;       // with the file and place
};

/// Column is a column of a table, or a key of JSONL.
struct Column {
  std::string name;
  std::string role;  // "text", "label", "person" or empty; from the layout, or guessed by its name
};

/// FileReport is what is in one file.
struct FileReport {
  std::string file;
  data::Format format = data::Format::kAuto;  // kAuto: the file could not be read
  std::string delimiter;                      // of CSV
  bool has_byte_order_mark = false, has_header = false, has_person = false;
  std::string line_ends;  // "LF", "CRLF", "mixed"
  std::vector<Column> columns;
  std::uint64_t examples = 0;
  data::LeftOut left_out;
  std::map<std::string, std::uint64_t> labels;  // of tagged words: the kinds of entities
  std::uint64_t duplicates = 0;  // records whose text an earlier record has, with the same label
  std::uint64_t conflicts = 0;   // the same with another label
  std::uint64_t persons = 0, most_of_one_person = 0;
  std::optional<text::TokenStatistics> tokens;
};

struct Options {
  config::DataLayout layout;
  std::optional<config::JobConfig> job;  // its task and labels; without one any label is permitted
  std::vector<std::string> declared;     // the site's data.labels
  std::shared_ptr<const text::Tokenizer> tokenizer;  // null: no lengths
  std::size_t max_length = 0;                        // of the job; 0: nothing is cut
};

/// One thread. Memory: the file that is being read, and 24 bytes for each record of all files.
class Inspection {
 public:
  explicit Inspection(Options options);
  ~Inspection();
  Inspection(const Inspection&) = delete;
  Inspection& operator=(const Inspection&) = delete;

  enum class Split { kTraining, kEvaluation };
  /// Reads a file. A file that cannot be read becomes a report without examples and a finding.
  void add(const std::filesystem::path& file, Split split);

  /// Compares the files with one another; call it after the last add().
  void compare();

  [[nodiscard]] const std::vector<FileReport>& reports() const { return reports_; }

  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }

  [[nodiscard]] bool has_errors() const;

 private:
  struct SeenFile;
  struct SeenRecord;

  void error(std::string what) { findings_.push_back({true, std::move(what)}); }

  void warn(std::string what) { findings_.push_back({false, std::move(what)}); }

  Status read(const std::filesystem::path& path, storage::TextFile file, SeenFile& seen,
              FileReport& report);
  void count_labels(const data::RecordView& record, FileReport& report) const;
  void add_record(const data::RecordView& record, SeenFile& seen, FileReport& report);
  void find_duplicates(SeenFile& seen, FileReport& report, const data::RecordReader& reader);
  void look_at_labels(const FileReport& report);
  void conclude(const FileReport& report);
  void compare(const SeenFile& train, const SeenFile& evaluation);

  Options options_;
  std::vector<FileReport> reports_;
  std::vector<Finding> findings_;
  std::vector<SeenFile> files_;
};

/// Returns the layout with the columns that it leaves open guessed by their names, and the role of
/// each column.
std::vector<Column> roles_of(const std::vector<std::string>& columns, config::DataLayout& layout);

}  // namespace sotto::inspection
