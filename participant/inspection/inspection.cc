#include "participant/inspection/inspection.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>
#include <unordered_map>
#include <utility>

#include "common/storage/text_file.h"
#include "participant/data/label_reader.h"
#include "participant/data/record_file.h"
#include "participant/deidentify/tables/rows.h"
#include "participant/text/unicode.h"

namespace sotto::inspection {
namespace {

using data::Format;
using data::RecordReader;
using data::RecordView;
using tasks::RecordForm;

constexpr std::size_t kUncut = SIZE_MAX;

/// Places keeps the first offsets of a kind.
class Places {
 public:
  void add(std::uint64_t offset) {
    kept_.insert(offset);
    if (kept_.size() > kNamed) kept_.erase(std::prev(kept_.end()));
  }

  /// Returns "line 3, line 7".
  [[nodiscard]] std::string lines(const RecordReader& reader) const {
    std::string out;
    for (const std::uint64_t offset : kept_)
      out += (out.empty() ? "line " : ", line ") + std::to_string(reader.file().line_of(offset));
    return out;
  }

 private:
  static constexpr std::size_t kNamed = 5;
  std::set<std::uint64_t> kept_;
};

/// Names by which data sets call the column of each role, in lower case.
struct KnownNames {
  std::string_view role;
  std::string config::DataLayout::*column;
  std::vector<std::string_view> names;
};

const std::vector<KnownNames>& known_names() {
  static const std::vector<KnownNames> kNames{
      {"text",
       &config::DataLayout::text,
       {"text", "sentence", "utterance", "review", "question", "content", "body", "message",
        "comment", "tweet", "document", "query", "description", "title", "tokens", "words"}},
      {"label",
       &config::DataLayout::label,
       {"label", "labels", "class", "category", "intent", "target", "sentiment", "topic", "score",
        "rating", "tags", "ner_tags", "y"}},
      {"person",
       &config::DataLayout::person,
       {"person", "person_id", "patient", "patient_id", "user", "user_id", "customer",
        "customer_id", "author", "subject_id", "client_id"}}};
  return kNames;
}

std::string count_of(std::uint64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

/// Returns "LF", "CRLF" or "mixed"; empty for an empty text.
std::string line_ends_of(std::string_view text) {
  std::size_t all = 0, with_cr = 0;
  for (std::size_t at = text.find('\n'); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    ++all;
    with_cr += at > 0 && text[at - 1] == '\r' ? 1U : 0U;
  }
  if (all == 0) return "";
  return with_cr == 0 ? "LF" : with_cr == all ? "CRLF" : "mixed";
}

/// Returns the form of records of a file that no job describes.
RecordForm form_of(const std::filesystem::path& file, std::string_view text,
                   const config::DataLayout& layout) {
  const bool tagged = layout.format == Format::kConll || file.extension() == ".conll" ||
                      text.starts_with("-DOCSTART-");
  if (tagged) return RecordForm::kTaggedWords;
  if (!layout.text.empty())
    return layout.label.empty() ? RecordForm::kTexts : RecordForm::kLabelledTexts;
  if (layout.format == Format::kLines) return RecordForm::kTexts;
  const bool has_tab = text.substr(0, text.find('\n')).find('\t') != std::string_view::npos;
  return has_tab ? RecordForm::kLabelledTexts : RecordForm::kTexts;
}

/// Returns the format that a file's ending tells where its columns are not named yet.
Format table_format(const std::filesystem::path& file, const config::DataLayout& layout) {
  if (layout.format != Format::kAuto) return layout.format;
  const std::string ending = file.extension().string();
  if (ending == ".csv") return Format::kCsv;
  if (ending == ".jsonl" || ending == ".ndjson") return Format::kJsonl;
  if (layout.text.empty()) return Format::kAuto;
  if (ending == ".json") return Format::kJsonl;
  return ending == ".tsv" || ending == ".tab" ? Format::kTsv : Format::kCsv;
}

/// Returns the form in which two labels that people take for the same are equal.
std::string folded(const std::string& label) {
  std::string text = text::lower_case(text::normalized(label, text::NormalForm::kNfc));
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t'; });
  return text;
}

/// Returns the groups of labels that differ only in case, blanks or Unicode form.
std::vector<std::vector<std::string>> alike(const std::set<std::string>& labels) {
  std::map<std::string, std::vector<std::string>> groups;
  for (const std::string& label : labels)
    groups[folded(label)].push_back(label);
  std::vector<std::vector<std::string>> out;
  for (auto& [key, group] : groups)
    if (group.size() > 1) out.push_back(std::move(group));
  return out;
}

std::string quoted_list(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items)
    out += (out.empty() ? "\"" : ", \"") + item + "\"";
  return out;
}

}  // namespace

struct Inspection::SeenRecord {
  std::uint64_t text = 0;   // hash
  std::uint64_t label = 0;  // hash
  std::uint64_t at = 0;     // offset in the file's text
};

struct Inspection::SeenFile {
  std::filesystem::path path;
  Split split = Split::kTraining;
  std::vector<SeenRecord> records{};  // sorted by text, then by place
  std::unordered_map<std::string, std::uint64_t> persons{};
};

std::vector<Column> roles_of(const std::vector<std::string>& columns, config::DataLayout& layout) {
  for (const KnownNames& known : known_names()) {
    std::string& chosen = layout.*known.column;
    // A person is not guessed: the guarantee would follow from it.
    for (std::size_t i = 0; chosen.empty() && i < known.names.size() && known.role != "person"; ++i)
      for (const std::string& column : columns)
        if (text::lower_case(column) == known.names[i]) chosen = column;
  }
  std::vector<Column> out;
  for (const std::string& column : columns) {
    std::string role;
    for (const KnownNames& known : known_names()) {
      const bool may_be_person =
          known.role == "person" && layout.person.empty() &&
          std::ranges::find(known.names, text::lower_case(column)) != known.names.end();
      if (layout.*known.column == column) role = known.role;
      if (role.empty() && may_be_person) role = "person?";
    }
    out.push_back({column, std::move(role)});
  }
  return out;
}

Inspection::Inspection(Options options) : options_(std::move(options)) {}

Inspection::~Inspection() = default;

bool Inspection::has_errors() const {
  return std::ranges::any_of(findings_, &Finding::is_error);
}

void Inspection::add(const std::filesystem::path& file, Split split) {
  FileReport report{.file = file.string()};
  SeenFile seen{.path = file, .split = split};
  Status read_all;
  if (data::is_record_store(file)) {
    read_all = Error{file.string() +
                     " is a record store; sotto-participant data show prints what it contains"};
  } else {
    auto text = storage::TextFile::read(file);
    read_all = text.ok() ? read(file, std::move(text).value(), seen, report) : text.error();
  }
  if (!read_all) error(read_all.error().message);
  if (read_all) conclude(report);
  reports_.push_back(std::move(report));
  files_.push_back(std::move(seen));
}

Status Inspection::read(const std::filesystem::path& path, storage::TextFile file, SeenFile& seen,
                        FileReport& report) {
  report.has_byte_order_mark = file.has_byte_order_mark();
  report.line_ends = line_ends_of(file.text());
  config::DataLayout layout = options_.layout;
  data::RecordPlan peeked{.format = table_format(path, layout),
                          .delimiter = tables::delimiter_named(layout.delimiter)};
  SOTTO_ASSIGN_OR_RETURN(const auto columns, data::columns_of(file, peeked));
  const bool guessed = layout.text.empty() && !columns.empty();
  if (!columns.empty()) report.columns = roles_of(columns, layout);
  const RecordForm form =
      options_.job ? options_.job->make_task()->form() : form_of(path, file.text(), layout);
  if (guessed && layout.text.empty()) {
    std::string known;
    for (const std::string& column : columns)
      known += (known.empty() ? "" : ", ") + column;
    return file.error_at(0,
                         "no column has a name that texts usually have; name it with --text; the "
                         "columns are " +
                             known);
  }
  SOTTO_ASSIGN_OR_RETURN(const auto plan, data::plan_for(path, layout, form));
  report.format = plan.format;
  report.has_header = plan.format == Format::kCsv || plan.format == Format::kTsv;
  report.has_person = !plan.person.empty();
  if (plan.format == Format::kCsv)
    report.delimiter = tables::name_of_delimiter(
        plan.delimiter != 0 ? plan.delimiter : tables::detected_csv(file.text()).delimiter);
  if (guessed)
    warn(report.file + ": the columns were guessed by their names; set data.columns.text to \"" +
         plan.text + "\"" +
         (plan.label.empty() ? "" : " and data.columns.label to \"" + plan.label + "\"") +
         " in site.json if that is right");
  if (options_.tokenizer) report.tokens.emplace(*options_.tokenizer, options_.max_length);
  SOTTO_ASSIGN_OR_RETURN(auto reader, RecordReader::open(std::move(file), plan));
  std::optional<data::LabelReader> labels;
  if (options_.job) labels.emplace(*options_.job, options_.declared);
  while (const auto record = reader.next()) {
    if (!record->ok()) {
      report.left_out.add(record->error().message);
      continue;
    }
    count_labels(***record, report);
    const auto example = labels ? data::example_of(***record, reader, *labels) : data::Example{};
    if (example.ok())
      add_record(***record, seen, report);
    else
      report.left_out.add(example.error().message);
  }
  find_duplicates(seen, report, reader);
  return {};
}

void Inspection::count_labels(const RecordView& record, FileReport& report) const {
  for (const data::FieldView& tag : record.tags)
    if (tag.text.starts_with("B-")) ++report.labels[std::string(tag.text.substr(2))];
  const bool is_class = !options_.job || !options_.job->make_task()->classes().empty();
  if (is_class && !record.label.text.empty()) ++report.labels[std::string(record.label.text)];
}

void Inspection::add_record(const RecordView& record, SeenFile& seen, FileReport& report) {
  ++report.examples;
  std::string text(record.text.text), label(record.label.text);
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i < record.words.size(); ++i) {
    words.push_back(record.words[i].text);
    text.append(record.words[i].text).append("\n");
    label.append(record.tags[i].text).append("\n");
  }
  const std::hash<std::string> hash;
  seen.records.push_back({hash(text), hash(label), record.at});
  if (report.has_person) ++seen.persons[std::string(record.person.text)];
  if (!report.tokens) return;
  const std::vector<std::int32_t> ids = words.empty()
                                            ? options_.tokenizer->encode_framed(text, kUncut)
                                            : options_.tokenizer->encode_words(words, kUncut).ids;
  report.tokens->add(ids, ids.size());
}

void Inspection::find_duplicates(SeenFile& seen, FileReport& report, const RecordReader& reader) {
  std::ranges::sort(seen.records, {}, [](const SeenRecord& r) { return std::pair(r.text, r.at); });
  Places equal, different;
  for (std::size_t i = 1, first = 0; i < seen.records.size(); ++i) {
    if (seen.records[i].text != seen.records[first].text) {
      first = i;
      continue;
    }
    const bool same_label = seen.records[i].label == seen.records[first].label;
    ++(same_label ? report.duplicates : report.conflicts);
    (same_label ? equal : different).add(seen.records[i].at);
  }
  for (const auto& [name, count] : seen.persons)
    report.most_of_one_person = std::max(report.most_of_one_person, count);
  report.persons = seen.persons.size();
  if (report.duplicates > 0)
    warn(report.file + ": " + count_of(report.duplicates, "duplicate") +
         " of an earlier text with the same label, first in " + equal.lines(reader));
  if (report.conflicts > 0)
    warn(report.file + ": " + count_of(report.conflicts, "duplicate") +
         " of an earlier text with another label, first in " + different.lines(reader));
}

void Inspection::look_at_labels(const FileReport& report) {
  std::set<std::string> labels;
  for (const auto& [label, count] : report.labels)
    labels.insert(label);
  if (options_.job)
    labels.insert(options_.job->task.labels.begin(), options_.job->task.labels.end());
  for (const std::vector<std::string>& group : alike(labels))
    warn(report.file + ": the labels " + quoted_list(group) +
         " differ only in case, blanks or Unicode form");
  if (report.labels.size() == 1)
    warn(report.file + ": all examples have the label " +
         quoted_list({report.labels.begin()->first}));
  if (!options_.job) return;
  for (const std::string& label : options_.job->task.labels)
    if (!report.labels.contains(label))
      warn(report.file + ": no example has the label " + quoted_list({label}));
}

void Inspection::conclude(const FileReport& report) {
  if (report.left_out.count > 0) error(report.left_out.warning("records"));
  if (report.examples == 0)
    error(report.file + ": there is no example" + (options_.job ? " that fits the job" : ""));
  if (report.line_ends == "mixed")
    warn(report.file + ": some lines end with CRLF and some with LF");
  if (!report.labels.empty()) look_at_labels(report);
  if (report.tokens)
    for (const std::string& line : report.tokens->warnings())
      warn(report.file + ": " + line);
}

void Inspection::compare() {
  for (const SeenFile& train : files_)
    for (const SeenFile& evaluation : files_)
      if (train.split == Split::kTraining && evaluation.split == Split::kEvaluation)
        compare(train, evaluation);
}

void Inspection::compare(const SeenFile& train, const SeenFile& evaluation) {
  const std::string both = evaluation.path.string() + " and " + train.path.string();
  std::error_code ignored;
  if (std::filesystem::equivalent(train.path, evaluation.path, ignored))
    return error(both +
                 " are the same file; the guarantee does not cover the evaluation split, "
                 "which needs examples of its own");
  const auto in_training = [&train](const auto& person) {
    return train.persons.contains(person.first);
  };
  if (const auto persons = std::ranges::count_if(evaluation.persons, in_training); persons > 0)
    warn(both + ": " + count_of(static_cast<std::uint64_t>(persons), "person") +
         " of the evaluation split " + (persons == 1 ? "is" : "are") +
         " in the training examples too");
  const auto text_of = [](const SeenRecord& r) { return r.text; };
  std::uint64_t shared = 0;
  for (const SeenRecord& record : evaluation.records) {
    const auto found = std::ranges::lower_bound(train.records, record.text, {}, text_of);
    shared += found != train.records.end() && found->text == record.text ? 1U : 0U;
  }
  if (shared == 0) return;
  const std::string what = both + ": " + count_of(shared, "text") + " of " +
                           std::to_string(evaluation.records.size()) + " in the evaluation split " +
                           (shared == 1 ? "is" : "are") +
                           " in the training examples too; the guarantee does not cover them";
  const bool same = shared == evaluation.records.size() && shared == train.records.size();
  same ? error(what) : warn(what);
}

}  // namespace sotto::inspection
