#include "participant/data/examples.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "common/base/utf8.h"
#include "participant/data/label_reader.h"

namespace sotto::data {
namespace {

constexpr std::string_view kBlanks = " \t";

/// Lines removes lines from the front of a file and numbers them from 1. Only the line feed ends a
/// line: U+0085 and U+2028 occur inside texts.
class Lines {
 public:
  explicit Lines(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }

  [[nodiscard]] std::size_t number() const { return number_; }

  /// Returns the next line without its end.
  std::string_view next() {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number_;
    return line;
  }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

/// Parses a line. An Error states the mistake and never contains the record.
Result<Example> parse_line(std::string_view line, const LabelReader& labels) {
  if (!is_utf8(line)) return Error{"is not UTF-8"};
  if (labels.form() == tasks::RecordForm::kTexts) {
    if (line.find_first_not_of(kBlanks) == std::string_view::npos) return Error{"has no text"};
    return Example{std::string(line), 0};
  }
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return Error{"has no tab between the label and the text"};
  const std::optional<std::int64_t> label = labels.find(line.substr(0, tab));
  if (!label) return Error{labels.unknown_label()};
  const std::string_view text = line.substr(tab + 1);
  if (text.find_first_not_of(kBlanks) == std::string_view::npos) return Error{"has no text"};
  return Example{std::string(text), *label};
}

Status add_word(std::string_view line, const LabelReader& tags, Example& sentence) {
  if (!is_utf8(line)) return Error{"is not UTF-8"};
  const std::string_view parting =
      line.find('\t') == std::string_view::npos ? kBlanks : std::string_view("\t");
  const std::size_t first = line.find_first_of(parting), last = line.find_last_of(parting);
  if (first == std::string_view::npos) return Error{"has one column, but needs a word and its tag"};
  const std::string_view word = line.substr(0, first);
  if (word.find_first_not_of(kBlanks) == std::string_view::npos) return Error{"has no word"};
  const std::optional<std::int64_t> found = tags.find(line.substr(last + 1));
  if (!found) return Error{tags.unknown_label()};
  const std::int64_t tag = *found;  // O, B of 0, I of 0, B of 1, I of 1, ...
  const std::int64_t before = sentence.tags.empty() ? 0 : sentence.tags.back();
  const bool goes_on = tag > 0 && tag % 2 == 0;
  if (goes_on && before != tag && before != tag - 1)
    return Error{"continues an entity that has not begun; in IOB2 an entity begins with B-"};
  if (tag > 0 && sentence.label == 0) sentence.label = (tag + 1) / 2;
  sentence.words.emplace_back(word);
  sentence.tags.push_back(tag);
  return {};
}

Error at_line(const std::string& name, std::size_t number, const Error& error) {
  return {name + ":" + std::to_string(number) + ": the line " + error.message};
}

/// Passes every example, or the mistake in a record with its place, to `take`.
template <class Take>
void for_each_sentence(std::string_view bytes, const std::string& name, const LabelReader& tags,
                       const Take& take) {
  Example sentence;
  std::optional<Error> wrong;  // the first mistake of the current sentence
  const auto finish = [&] {
    Example done = std::exchange(sentence, {});
    if (auto found = std::exchange(wrong, std::nullopt))
      take(Result<Example>(*found));
    else if (!done.words.empty())
      take(Result<Example>(std::move(done)));
  };
  for (Lines lines(bytes); !lines.done();) {
    const std::string_view line = lines.next();
    if (line.starts_with("-DOCSTART-")) continue;
    if (line.find_first_not_of(kBlanks) == std::string_view::npos) {
      finish();
    } else if (!wrong) {
      if (const Status added = add_word(line, tags, sentence); !added)
        wrong = at_line(name, lines.number(), added.error());
    }
  }
  finish();
}

template <class Take>
void for_each_example(std::string_view bytes, const std::string& name, const config::JobConfig& job,
                      const std::vector<std::string>& declared, const Take& take) {
  const LabelReader labels(job, declared);
  if (labels.form() == tasks::RecordForm::kTaggedWords)
    return for_each_sentence(bytes, name, labels, take);
  for (Lines lines(bytes); !lines.done();) {
    const std::string_view line = lines.next();
    if (line.empty()) continue;
    Result<Example> example = parse_line(line, labels);
    take(example.ok() ? std::move(example)
                      : Result<Example>(at_line(name, lines.number(), example.error())));
  }
}

Result<std::string> bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return Error{file.string() + ": cannot be read"};
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return Error{file.string() + ": cannot be read"};
  return bytes;
}

}  // namespace

Result<std::vector<Example>> parse_examples(std::string_view bytes, const std::string& name,
                                            const config::JobConfig& job) {
  std::vector<Example> examples;
  std::optional<Error> first;
  for_each_example(bytes, name, job, {}, [&](Result<Example> example) {
    if (!example.ok() && !first) first = example.error();
    if (example.ok()) examples.push_back(std::move(example).value());
  });
  if (first) return *first;
  if (examples.empty()) return Error{name + ": there is no example"};
  return examples;
}

Result<std::vector<Example>> read_examples(const std::filesystem::path& file,
                                           const config::JobConfig& job) {
  SOTTO_ASSIGN_OR_RETURN(const auto bytes, bytes_of(file));
  return parse_examples(bytes, file.string(), job);
}

FittingExamples fitting_examples(std::string_view bytes, const std::string& name,
                                 const config::JobConfig& job,
                                 const std::vector<std::string>& declared) {
  FittingExamples out;
  for_each_example(bytes, name, job, declared, [&](Result<Example> example) {
    if (example.ok())
      out.examples.push_back(std::move(example).value());
    else
      out.left_out.add(example.error().message);
  });
  return out;
}

Result<FittingExamples> read_fitting_examples(const std::filesystem::path& file,
                                              const config::JobConfig& job,
                                              const std::vector<std::string>& declared) {
  SOTTO_ASSIGN_OR_RETURN(const auto bytes, bytes_of(file));
  return fitting_examples(bytes, file.string(), job, declared);
}

std::string format_examples(const std::vector<Example>& examples, const config::JobConfig& job) {
  const auto task = job.make_task();
  std::string out;
  for (const Example& e : examples) {
    for (std::size_t i = 0; i < e.words.size(); ++i)
      out += e.words[i] + "\t" + task->label_text(e.tags[i]) + "\n";
    if (task->form() == tasks::RecordForm::kLabelledTexts) out += task->label_text(e.label) + "\t";
    out += e.text + "\n";
  }
  return out;
}

}  // namespace sotto::data
