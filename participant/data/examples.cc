#include "participant/data/examples.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "common/base/utf8.h"

namespace sotto::learning {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names)
    out += (out.empty() ? "" : ", ") + name;
  return out;
}

/// Takes lines off the front of a file, numbered from 1. Only the line feed ends a line: U+0085 and
/// U+2028 occur inside real texts.
class Lines {
 public:
  explicit Lines(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }

  [[nodiscard]] std::size_t number() const { return number_; }

  /// Without its end.
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

/// The message names what is wrong, never the record itself.
Result<Example> parse_line(std::string_view line, const std::vector<std::string>& labels) {
  if (!is_utf8(line)) return Error{"is not UTF-8"};
  if (labels.empty()) {
    if (line.find_first_not_of(kBlanks) == std::string_view::npos) return Error{"has no text"};
    return Example{std::string(line), 0};
  }
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return Error{"has no tab between label and text"};
  const auto label = std::find(labels.begin(), labels.end(), line.substr(0, tab));
  if (label == labels.end())
    return Error{"has a label that the job does not name; it names " + joined(labels)};
  const std::string_view text = line.substr(tab + 1);
  if (text.find_first_not_of(kBlanks) == std::string_view::npos) return Error{"has no text"};
  return Example{std::string(text), label - labels.begin()};
}

/// Adds the word and the tag of a line to a sentence.
Status add_word(std::string_view line, const std::vector<std::string>& tags, Example& sentence) {
  if (!is_utf8(line)) return Error{"is not UTF-8"};
  const std::string_view parting =
      line.find('\t') == std::string_view::npos ? kBlanks : std::string_view("\t");
  const std::size_t first = line.find_first_of(parting), last = line.find_last_of(parting);
  if (first == std::string_view::npos) return Error{"has one column; a word and its tag make two"};
  const std::string_view word = line.substr(0, first);
  if (word.find_first_not_of(kBlanks) == std::string_view::npos) return Error{"has no word"};
  const auto found = std::find(tags.begin(), tags.end(), line.substr(last + 1));
  if (found == tags.end()) return Error{"ends in no tag of the job, which has " + joined(tags)};
  const std::int64_t tag = found - tags.begin();  // O, B of 0, I of 0, B of 1, I of 1, ...
  const std::int64_t before = sentence.tags.empty() ? 0 : sentence.tags.back();
  const bool goes_on = tag > 0 && tag % 2 == 0;
  if (goes_on && before != tag && before != tag - 1)
    return Error{"goes on with an entity that has not begun; in IOB2 an entity begins with B-"};
  if (tag > 0 && sentence.label == 0) sentence.label = (tag + 1) / 2;
  sentence.words.emplace_back(word);
  sentence.tags.push_back(tag);
  return {};
}

Error at_line(const std::string& name, std::size_t number, const Error& error) {
  return {name + ":" + std::to_string(number) + ": the line " + error.message};
}

Result<std::vector<Example>> parse_sentences(std::string_view bytes, const std::string& name,
                                             const std::vector<std::string>& tags) {
  std::vector<Example> sentences;
  Example sentence;
  const auto finish = [&] {
    if (!sentence.words.empty()) sentences.push_back(std::exchange(sentence, {}));
  };
  for (Lines lines(bytes); !lines.done();) {
    const std::string_view line = lines.next();
    if (line.starts_with("-DOCSTART-")) continue;
    if (line.find_first_not_of(kBlanks) == std::string_view::npos)
      finish();
    else if (const Status added = add_word(line, tags, sentence); !added)
      return at_line(name, lines.number(), added.error());
  }
  finish();
  if (sentences.empty()) return Error{name + ": holds no example"};
  return sentences;
}

}  // namespace

std::size_t label_count(const config::JobConfig& job) {
  return job.task.labels.size() + (job.is_token_classification() ? 1 : 0);
}

Result<std::vector<Example>> parse_examples(std::string_view bytes, const std::string& name,
                                            const config::JobConfig& job) {
  if (job.is_token_classification()) return parse_sentences(bytes, name, job.classes());
  std::vector<Example> examples;
  for (Lines lines(bytes); !lines.done();) {
    const std::string_view line = lines.next();
    if (line.empty()) continue;
    Result<Example> example = parse_line(line, job.task.labels);
    if (!example) return at_line(name, lines.number(), example.error());
    examples.push_back(std::move(example).value());
  }
  if (examples.empty()) return Error{name + ": holds no example"};
  return examples;
}

Result<std::vector<Example>> read_examples(const std::filesystem::path& file,
                                           const config::JobConfig& job) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return Error{file.string() + ": cannot be read"};
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return Error{file.string() + ": cannot be read"};
  return parse_examples(bytes, file.string(), job);
}

std::string format_examples(const std::vector<Example>& examples, const config::JobConfig& job) {
  const std::vector<std::string> classes = job.classes();
  const auto named = [&classes](std::int64_t i) -> const std::string& {
    return classes.at(static_cast<std::size_t>(i));
  };
  std::string out;
  for (const Example& e : examples) {
    for (std::size_t i = 0; i < e.words.size(); ++i)
      out += e.words[i] + "\t" + named(e.tags[i]) + "\n";
    if (e.words.empty() && !classes.empty()) out += named(e.label) + "\t";
    out += e.text + "\n";
  }
  return out;
}

}  // namespace sotto::learning
