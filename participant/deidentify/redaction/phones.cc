// Scanner for telephone numbers.
#include <algorithm>
#include <array>
#include <string>

#include "participant/deidentify/redaction/scanners.h"

namespace sotto::redaction {

namespace {

/// A run of digits with the separators that are usual between them.
struct Run {
  std::size_t end = 0;
  std::size_t digits = 0;
  std::size_t separators = 0;         // places between groups of digits
  std::vector<std::size_t> groups{};  // digits of each
};

bool is_separator(char c) {
  return c == ' ' || c == '-' || c == '.' || c == '/' || c == '(' || c == ')';
}

/// Reads digits with at most three separators in a row. It stops above kMostDigits, which is more
/// than a phone number has: 15 digits (ITU-T E.164) and a trunk zero.
Run run_at(const Line& line, std::size_t begin) {
  constexpr std::size_t kMostDigits = 17, kMostSeparators = 3;
  Run run{.end = begin};
  std::size_t at = begin + (line.at(begin) == '+' ? 1 : 0);
  bool in_group = false;
  for (std::size_t between = 0; run.digits <= kMostDigits;) {
    if (is_digit(line.at(at))) {
      if (!in_group) {
        run.separators += run.groups.empty() ? 0U : 1U;
        run.groups.push_back(0);
      }
      in_group = true;
      between = 0;
      ++run.groups.back();
      ++run.digits;
      run.end = ++at;
    } else if (is_separator(line.at(at)) && between < kMostSeparators) {
      in_group = false;
      ++between;
      ++at;
    } else {
      break;
    }
  }
  return run;
}

constexpr auto kCalls = std::to_array<std::string_view>(
    {"call",     "phone",     "telephone", "tel",      "mobile",  "cell",    "fax",   "whatsapp",
     "ring",     "text",      "sms",       "telefon",  "handy",   "mobil",   "rufen", "anrufen",
     "telefono", "teléfono",  "cellulare", "portable", "appeler", "hotline", "dial",  "ph",
     "phones",   "rufnummer", "tél",       "llamar",   "calling"});

/// Returns whether a word shortly before `begin` announces a phone number.
bool behind_call(const Line& line, std::size_t begin) {
  constexpr std::size_t kReach = 28;
  std::string word;
  for (std::size_t i = begin > kReach ? begin - kReach : 0; i <= begin; ++i) {
    const char c = i == begin ? ' ' : line.at(i);
    if (is_word(c)) {
      word += lower(c);
      continue;
    }
    if (std::ranges::find(kCalls, word) != kCalls.end()) return true;
    word.clear();
  }
  return false;
}

bool is_north_american(const Run& run) {
  const auto& g = run.groups;
  const auto ends_so = [&](std::size_t at) {
    return g[at] == 3 && g[at + 1] == 3 && g[at + 2] == 4;
  };
  return (g.size() == 3 && ends_so(0)) || (g.size() == 4 && g[0] == 1 && ends_so(1));
}

bool is_phone(const Line& line, std::size_t begin, const Run& run) {
  if (run.digits < 7 || run.digits > 16) return false;
  const char first = line.at(begin);
  if (first == '+') return run.digits >= 8;
  const bool zero = first == '0' || (first == '(' && line.at(begin + 1) == '0');
  if (zero && line.at(begin + 1) == '0') return run.digits >= 10;
  // "0.333" is not a phone number.
  if (zero && run.groups.front() == 1 && first == '0') return false;
  if (zero && run.separators > 0) return run.digits >= 8 && run.digits <= 13;
  if (zero) return run.digits >= 10 && run.digits <= 12;
  if (is_north_american(run)) return true;
  return behind_call(line, begin) && run.digits <= 13;
}

}  // namespace

Findings find_phones(const Line& line) {
  Findings found;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line.at(i), before = line.before(i);
    const bool starts = is_digit(c) || (c == '(' && is_digit(line.at(i + 1))) ||
                        (c == '+' && is_digit(line.at(i + 1)));
    const bool inside = is_word(before) || before == '+' || before == '#' || before == '$' ||
                        ((before == '.' || before == ',' || before == '-' || before == '/') &&
                         i > 1 && is_word(line.before(i - 1)));
    if (!starts || inside) continue;
    const Run run = run_at(line, i);
    const bool goes_on = is_word(line.at(run.end));
    if (!goes_on && is_phone(line, i, run)) found.push_back({i, run.end, FindingKind::kPhone});
    i = std::max(i, run.end - 1);
  }
  return found;
}

}  // namespace sotto::redaction
