#include "participant/deidentify/redaction/sample.h"

#include <algorithm>

#include "common/base/utf8.h"

namespace sotto::redaction {

namespace {

struct Marked {
  std::size_t begin = 0, end = 0;
  std::string kind;
};

struct MarkedLine {
  std::string text;
  std::vector<Marked> marks;
};

/// Removes the marks. The Error's text is the position of the mistake within the line.
Result<MarkedLine> unmarked(std::string_view line) {
  MarkedLine out;
  std::size_t at = 0;
  while (at < line.size()) {
    const std::size_t open = std::min(line.find('<', at), line.size());
    out.text += line.substr(at, open - at);
    if (open == line.size()) break;
    const std::size_t named = line.find('>', open);
    const std::string kind(
        named == std::string_view::npos ? "" : line.substr(open + 1, named - open - 1));
    const std::string closing = "</" + kind + ">";
    const std::size_t close = kind.empty() ? std::string_view::npos : line.find(closing, open);
    if (close == std::string_view::npos) return Error{std::to_string(open)};
    const std::size_t begin = out.text.size();
    out.text += line.substr(named + 1, close - named - 1);
    out.marks.push_back({begin, out.text.size(), kind});
    at = close + closing.size();
  }
  return out;
}

void judge(const Redactor& masker, const MarkedLine& line, const Findings& findings,
           Scores& scores) {
  const auto count = [&](const std::string& kind, std::size_t Score::*what) {
    ++(scores.by_kind[kind].*what);
    ++(scores.all.*what);
  };
  for (const Finding& f : findings)
    count(masker.name_of(f), &Score::found);
  std::vector<bool> hidden(line.text.size(), false);
  for (const Finding& f : findings)
    std::fill(hidden.begin() + static_cast<std::ptrdiff_t>(f.begin),
              hidden.begin() + static_cast<std::ptrdiff_t>(f.end), true);
  for (const Marked& m : line.marks) {
    count(m.kind, &Score::marked);
    if (std::ranges::any_of(findings, [&](const Finding& f) {
          return f.begin == m.begin && f.end == m.end && masker.name_of(f) == m.kind;
        }))
      count(m.kind, &Score::right);
    if (std::all_of(hidden.begin() + static_cast<std::ptrdiff_t>(m.begin),
                    hidden.begin() + static_cast<std::ptrdiff_t>(m.end),
                    [](bool byte) { return byte; }))
      count(m.kind, &Score::covered);
  }
}

}  // namespace

Result<Scores> score(const Redactor& masker, std::string_view sample, const std::string& name) {
  if (const std::size_t good = utf8_prefix(sample); good != sample.size())
    return Error{name + ":" + line_and_column(sample, good) + ": the text is not UTF-8"};
  Scores scores;
  std::string_view rest = sample;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.starts_with('#')) continue;
    const auto read = unmarked(line);
    if (!read)
      return Error{
          name + ":" + std::to_string(number) + ":" +
          std::to_string(1 + utf8_length(line.substr(0, std::stoul(read.error().message)))) +
          ": a mark is not closed, as in <email>...</email>"};
    for (const Marked& m : read->marks) {
      const bool known = masker.knows(m.kind);
      if (!known)
        return Error{name + ":" + std::to_string(number) + ":1: a mark has the unknown kind " +
                     m.kind};
    }
    ++scores.lines;
    SOTTO_ASSIGN_OR_RETURN(const Findings findings, masker.find(read->text));
    judge(masker, *read, findings, scores);
  }
  if (scores.lines == 0) return Error{name + ":1:1: the file contains no text"};
  return scores;
}

}  // namespace sotto::redaction
