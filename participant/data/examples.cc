#include "participant/data/examples.h"

#include <optional>
#include <utility>

#include "participant/data/label_reader.h"
#include "participant/data/records.h"

namespace sotto::data {
namespace {

/// Makes the example of a tagged sentence.
Result<Example> sentence_of(const RecordView& record, const RecordReader& reader,
                            const LabelReader& labels) {
  Example out;
  for (std::size_t i = 0; i < record.words.size(); ++i) {
    const std::optional<std::int64_t> tag = labels.find(record.tags[i].text);
    if (!tag) return reader.error_at(record.tags[i].at, "the record " + labels.unknown_label());
    if (*tag > 0 && out.label == 0) out.label = (*tag + 1) / 2;
    out.words.emplace_back(record.words[i].text);
    out.tags.push_back(*tag);
  }
  return out;
}

}  // namespace

Result<Example> example_of(const RecordView& record, const RecordReader& reader,
                           const LabelReader& labels) {
  Example out;
  if (labels.form() == tasks::RecordForm::kTaggedWords) {
    SOTTO_ASSIGN_OR_RETURN(out, sentence_of(record, reader, labels));
  } else {
    out.text = record.text.text;
  }
  if (labels.form() == tasks::RecordForm::kLabelledTexts) {
    const std::optional<std::int64_t> label = labels.find(record.label.text);
    if (!label)
      return reader.error_at(record.label.at,
                             "the record " + labels.unknown_label() + reader.header_hint(record));
    out.label = *label;
  }
  out.person = record.person.text;
  return out;
}

namespace {

/// Passes every example, or what is wrong with a record, to `take`.
template <class Take>
void for_each_example(RecordReader& reader, const LabelReader& labels, const Take& take) {
  while (const auto record = reader.next())
    take(record->ok() ? example_of(***record, reader, labels) : Result<Example>(record->error()));
}

using Damaged = storage::TextFile::Damaged;

Result<RecordReader> open_file(const std::filesystem::path& file, const config::JobConfig& job,
                               const config::DataLayout& layout, Damaged damaged) {
  SOTTO_ASSIGN_OR_RETURN(const auto plan, plan_for(file, layout, job.make_task()->form()));
  return RecordReader::open(file, plan, damaged);
}

Result<RecordReader> open_bytes(std::string_view bytes, const std::string& name,
                                const config::JobConfig& job, const config::DataLayout& layout,
                                Damaged damaged) {
  SOTTO_ASSIGN_OR_RETURN(const auto plan, plan_for(name, layout, job.make_task()->form()));
  SOTTO_ASSIGN_OR_RETURN(auto file,
                         storage::TextFile::of({bytes.begin(), bytes.end()}, name, damaged));
  return RecordReader::open(std::move(file), plan);
}

Result<std::vector<Example>> examples_of(RecordReader reader, const config::JobConfig& job) {
  std::vector<Example> examples;
  std::optional<Error> first;
  for_each_example(reader, LabelReader(job, {}), [&](Result<Example> example) {
    if (!example.ok() && !first) first = example.error();
    if (example.ok()) examples.push_back(std::move(example).value());
  });
  if (first) return *first;
  if (examples.empty()) return Error{reader.file().name() + ": there is no example"};
  return examples;
}

FittingExamples fitting_of(RecordReader reader, const config::JobConfig& job,
                           const std::vector<std::string>& declared) {
  FittingExamples out;
  if (reader.file().damage()) out.left_out.add(reader.file().damage()->message);
  for_each_example(reader, LabelReader(job, declared), [&](Result<Example> example) {
    if (example.ok())
      out.examples.push_back(std::move(example).value());
    else
      out.left_out.add(example.error().message);
  });
  return out;
}

}  // namespace

Result<std::vector<Example>> parse_examples(std::string_view bytes, const std::string& name,
                                            const config::JobConfig& job,
                                            const config::DataLayout& layout) {
  SOTTO_ASSIGN_OR_RETURN(auto reader, open_bytes(bytes, name, job, layout, Damaged::kRefused));
  return examples_of(std::move(reader), job);
}

Result<std::vector<Example>> read_examples(const std::filesystem::path& file,
                                           const config::JobConfig& job,
                                           const config::DataLayout& layout) {
  SOTTO_ASSIGN_OR_RETURN(auto reader, open_file(file, job, layout, Damaged::kRefused));
  return examples_of(std::move(reader), job);
}

Result<FittingExamples> fitting_examples(std::string_view bytes, const std::string& name,
                                         const config::JobConfig& job,
                                         const std::vector<std::string>& declared,
                                         const config::DataLayout& layout) {
  SOTTO_ASSIGN_OR_RETURN(auto reader, open_bytes(bytes, name, job, layout, Damaged::kKept));
  return fitting_of(std::move(reader), job, declared);
}

Result<FittingExamples> read_fitting_examples(const std::filesystem::path& file,
                                              const config::JobConfig& job,
                                              const std::vector<std::string>& declared,
                                              const config::DataLayout& layout) {
  SOTTO_ASSIGN_OR_RETURN(auto reader, open_file(file, job, layout, Damaged::kKept));
  return fitting_of(std::move(reader), job, declared);
}

namespace {

/// A line cannot hold the line ends of a cell of CSV or a string of JSONL; they become blanks.
std::string on_one_line(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text;
}

}  // namespace

std::string format_examples(const std::vector<Example>& examples, const config::JobConfig& job) {
  const auto task = job.make_task();
  std::string out;
  for (const Example& e : examples) {
    for (std::size_t i = 0; i < e.words.size(); ++i)
      out += e.words[i] + "\t" + task->label_text(e.tags[i]) + "\n";
    if (task->form() == tasks::RecordForm::kLabelledTexts) out += task->label_text(e.label) + "\t";
    out += on_one_line(e.text) + "\n";
  }
  return out;
}

}  // namespace sotto::data
