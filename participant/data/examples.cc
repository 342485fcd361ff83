#include "participant/data/examples.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "common/base/utf8.h"

namespace sotto::learning {
namespace {

std::string known_labels(const std::vector<std::string>& labels) {
  std::string out;
  for (const std::string& label : labels)
    out += (out.empty() ? "" : ", ") + label;
  return out;
}

/// One line without its end; the message names what is wrong, never the record itself.
Result<Example> parse_line(std::string_view line, const std::vector<std::string>& labels) {
  if (!is_utf8(line)) return Error{"is not UTF-8"};
  if (labels.empty()) {
    if (line.find_first_not_of(" \t") == std::string_view::npos) return Error{"has no text"};
    return Example{std::string(line), 0};
  }
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return Error{"has no tab between label and text"};
  const auto label = std::find(labels.begin(), labels.end(), line.substr(0, tab));
  if (label == labels.end())
    return Error{"has a label that the job does not name; it names " + known_labels(labels)};
  const std::string_view text = line.substr(tab + 1);
  if (text.find_first_not_of(" \t") == std::string_view::npos) return Error{"has no text"};
  return Example{std::string(text), label - labels.begin()};
}

}  // namespace

Result<std::vector<Example>> parse_examples(std::string_view bytes, const std::string& name,
                                            const std::vector<std::string>& labels) {
  std::vector<Example> examples;
  for (std::size_t number = 1; !bytes.empty(); ++number) {
    // Only the line feed ends a line: U+0085 and U+2028 occur inside real texts.
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    Result<Example> example = parse_line(line, labels);
    if (!example)
      return Error{name + ":" + std::to_string(number) + ": the line " + example.error().message};
    examples.push_back(std::move(example).value());
  }
  if (examples.empty()) return Error{name + ": holds no example"};
  return examples;
}

Result<std::vector<Example>> read_examples(const std::filesystem::path& file,
                                           const std::vector<std::string>& labels) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return Error{file.string() + ": cannot be read"};
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return Error{file.string() + ": cannot be read"};
  return parse_examples(bytes, file.string(), labels);
}

}  // namespace sotto::learning
