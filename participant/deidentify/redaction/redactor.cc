#include "participant/deidentify/redaction/redactor.h"

#include <algorithm>
#include <span>

#include <re2/re2.h>

#include "common/base/check.h"
#include "common/base/utf8.h"
#include "common/crypto/hash.h"
#include "participant/deidentify/redaction/generalise.h"
#include "participant/deidentify/redaction/scanners.h"

namespace sotto::redaction {

struct Redactor::Patterns {
  std::vector<std::unique_ptr<RE2>> compiled;

  /// Makes one bounded match attempt at each position where a word begins, so that the time is
  /// linear. Searching for all matches of an expression in one text is not linear in any engine.
  [[nodiscard]] Findings find(const Line& line) const {
    Findings found;
    for (std::size_t i = 0; i < line.size() && !compiled.empty(); ++i) {
      if (line.at(i) == ' ' || is_word(line.before(i))) continue;
      for (std::size_t p = 0; p < compiled.size(); ++p) {
        const std::size_t end = match_end(*compiled[p], line, i);
        if (end == 0) continue;
        found.push_back({i, end, FindingKind::kPattern, p});
        i = end - 1;
        break;
      }
    }
    return found;
  }

 private:
  [[nodiscard]] static std::size_t match_end(const RE2& regex, const Line& line,
                                             std::size_t begin) {
    const std::size_t window = std::min(line.size(), begin + kMaxPatternBytes);
    re2::StringPiece match;
    const re2::StringPiece text(line.text().data(), line.size());
    if (!regex.Match(text, begin, window, RE2::ANCHOR_START, &match, 1) || match.empty()) return 0;
    const std::size_t end = begin + match.size();
    return is_word(line.at(end - 1)) && is_word(line.at(end)) ? 0 : end;
  }
};

namespace {

/// Returns a form that does not depend on how the value was written, so that it gets the same
/// pseudonym.
std::string canonical(FindingKind kind, std::string_view value) {
  std::string out;
  for (const char c : value) {
    switch (kind) {
      case FindingKind::kCard:
      case FindingKind::kPhone:
        if (is_digit(c)) out += c;
        break;
      case FindingKind::kIban:
      case FindingKind::kMac:
        if (is_digit(c) || is_ascii_letter(c)) out += lower(c);
        break;
      case FindingKind::kPattern:
        out += c;
        break;
      default:
        out += lower(c);
    }
  }
  // 0049 and +49 are the same country.
  if (kind == FindingKind::kPhone && out.starts_with("00")) out.erase(0, 2);
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

/// Taken marks the bytes of a line that belong to a finding.
class Taken {
 public:
  explicit Taken(std::size_t length) : bytes_(length, false) {}

  [[nodiscard]] bool overlaps(const Finding& f) const {
    // Findings have at most a few hundred bytes, except a URL, which comes first and once.
    return std::find(at(f.begin), at(f.end), true) != at(f.end);
  }

  [[nodiscard]] bool has(std::size_t byte) const { return bytes_[byte]; }

  void take(const Finding& f) {
    std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(f.begin),
              bytes_.begin() + static_cast<std::ptrdiff_t>(f.end), true);
  }

 private:
  [[nodiscard]] std::vector<bool>::const_iterator at(std::size_t byte) const {
    return bytes_.begin() + static_cast<std::ptrdiff_t>(byte);
  }

  std::vector<bool> bytes_;
};

/// Returns the words of a name that do not belong to another finding.
Findings rest_of(const Finding& name, const Taken& taken, std::string_view line) {
  Findings rest;
  for (std::size_t at = name.begin; at < name.end; ++at) {
    if (taken.has(at) || !is_word(line[at])) continue;
    std::size_t end = at;
    while (end < name.end && !taken.has(end))
      ++end;
    while (!is_word(line[end - 1]))
      --end;
    rest.push_back({at, end, FindingKind::kName});
    at = end;
  }
  return rest;
}

/// Returns the names, reduced to the words that do not belong to other findings. Overlapping names
/// are joined, so that everything that either finder found is redacted.
Findings united_names(std::span<const Finding> found, const Taken& taken, std::string_view line) {
  Findings names;
  for (const Finding& f : found) {
    const Findings rest = taken.overlaps(f) ? rest_of(f, taken, line) : Findings{f};
    names.insert(names.end(), rest.begin(), rest.end());
  }
  std::ranges::sort(names, {}, &Finding::begin);
  Findings united;
  for (const Finding& f : names) {
    if (!united.empty() && f.begin < united.back().end)
      united.back().end = std::max(united.back().end, f.end);
    else
      united.push_back(f);
  }
  return united;
}

/// Accepts findings in the order of their kinds and drops those that overlap an accepted one; names
/// come last.
Findings without_overlaps(Findings found, std::string_view line) {
  std::ranges::stable_sort(found, {}, &Finding::kind);
  const auto first_name = std::ranges::find(found, FindingKind::kName, &Finding::kind);
  Taken taken(line.size());
  Findings kept;
  for (auto f = found.begin(); f != first_name; ++f) {
    if (taken.overlaps(*f)) continue;
    taken.take(*f);
    kept.push_back(*f);
  }
  const Findings names = united_names({first_name, found.end()}, taken, line);
  kept.insert(kept.end(), names.begin(), names.end());
  std::ranges::sort(kept, {}, &Finding::begin);
  return kept;
}

}  // namespace

Redactor::Redactor(RedactionPlan plan, std::optional<crypto::Secret32> key)
    : plan_(std::move(plan)), key_(std::move(key)) {}

Redactor::Redactor(Redactor&&) noexcept = default;
Redactor& Redactor::operator=(Redactor&&) noexcept = default;
Redactor::~Redactor() = default;

Result<Redactor> Redactor::make(RedactionPlan plan, std::optional<crypto::Secret32> key,
                                std::unique_ptr<SpanFinder> names_model) {
  if (plan.needs_key() && !key)
    return Error{"the plan asks for pseudonyms, which need the site's key; give --key"};
  if (plan.names_model && names_model == nullptr)
    return Error{"the plan asks for an NER model, but none was opened"};
  Redactor out(std::move(plan), std::move(key));
  out.names_model_ = std::move(names_model);
  if (!out.plan_.names.empty()) {
    SOTTO_ASSIGN_OR_RETURN(auto names, NameFinder::read(out.plan_.names));
    out.names_ = std::move(names);
  }
  auto patterns = std::make_unique<Patterns>();
  for (const PatternPlan& p : out.plan_.patterns) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_longest_match(true);
    auto compiled = std::make_unique<RE2>(p.regex, options);
    if (!compiled->ok()) return Error{"pattern " + p.name + ": " + compiled->error()};
    patterns->compiled.push_back(std::move(compiled));
  }
  out.patterns_ = std::move(patterns);
  return out;
}

Result<Findings> Redactor::find(std::string_view text) const {
  const Line line(text);
  Findings all = patterns_->find(line);
  const auto add = [&all](Findings more) { all.insert(all.end(), more.begin(), more.end()); };
  add(find_urls(line));
  add(find_emails(line));
  add(find_ibans(line));
  add(find_cards(line));
  add(find_macs(line));
  add(find_ipv6(line));
  add(find_ipv4(line));
  add(find_dates(line));
  add(find_phones(line));
  add(find_hosts(line));
  if (names_) add(names_->find(text));
  if (names_model_ != nullptr) {
    SOTTO_ASSIGN_OR_RETURN(const auto spans, names_model_->find(text));
    for (const Span& span : spans)
      all.push_back({span.begin, span.end, FindingKind::kName});
  }
  return without_overlaps(std::move(all), text);
}

Result<MaskedText> Redactor::mask(std::string_view text, const std::string& name) const {
  if (const std::size_t good = utf8_prefix(text); good != text.size())
    return Error{
        name + ":" + line_and_column(text, good) +
        ": the text is not UTF-8; convert the file, for example with iconv -f LATIN1 -t UTF-8"};
  MaskedText out;
  out.text.reserve(text.size());
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    SOTTO_ASSIGN_OR_RETURN(const Findings found, find(line));
    std::size_t done = 0;
    for (const Finding& f : found) {
      ++out.counts[name_of(f)];
      out.text += line.substr(done, f.begin - done);
      out.text += replacement(f, line.substr(f.begin, f.end - f.begin));
      done = f.end;
    }
    out.text += line.substr(done);
    if (end < text.size()) out.text += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string Redactor::name_of(const Finding& finding) const {
  if (finding.kind == FindingKind::kPattern) return plan_.patterns[finding.pattern].name;
  return std::string(std::ranges::find(kKinds, finding.kind, &NamedKind::kind)->name);
}

bool Redactor::knows(std::string_view kind) const {
  return std::ranges::find(kKinds, kind, &NamedKind::name) != std::end(kKinds) ||
         std::ranges::find(plan_.patterns, kind, &PatternPlan::name) != plan_.patterns.end();
}

std::string Redactor::replacement(const Finding& finding, std::string_view value) const {
  const Action action = finding.kind == FindingKind::kPattern
                            ? plan_.patterns[finding.pattern].action
                            : plan_.action(finding.kind);
  switch (action) {
    case Action::kKeep:
      return std::string(value);
    case Action::kRemove:
      return "";
    case Action::kPlaceholder:
      return "[" + upper(name_of(finding)) + "]";
    case Action::kPseudonym:
      return pseudonym(finding, value);
    case Action::kGeneralise:
      return "[" + upper(name_of(finding)) + generalised(finding.kind, value) + "]";
  }
  SOTTO_CHECK(false, "an action is one of five");
}

std::string Redactor::pseudonym(const Finding& finding, std::string_view value) const {
  constexpr std::size_t kShownBytes = 8;
  const std::string name = name_of(finding);
  const std::string plain = canonical(finding.kind, value);
  // The kind and its length come first, so that different pairs of kind and value never give the
  // same bytes.
  ByteWriter kind;
  kind.u64(name.size());
  const crypto::Secret32 tag =
      crypto::kdf("SOTTO pseudonym", *key_, {kind.view(), view_of(name), view_of(plain)});
  return "[" + upper(name) + "-" + to_hex(BytesView(tag.expose()).first(kShownBytes)) + "]";
}

}  // namespace sotto::redaction
