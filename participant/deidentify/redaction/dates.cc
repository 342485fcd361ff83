// Scanner for calendar dates.
#include <algorithm>
#include <array>
#include <string>

#include "participant/deidentify/redaction/scanners.h"

namespace sotto::redaction {

namespace {

struct Number {
  unsigned value = 0;
  std::size_t digits = 0;
  std::size_t end = 0;
};

/// Reads at most four digits, because a number of five digits is not part of a date.
Number number_at(const Line& line, std::size_t at) {
  Number out{.end = at};
  while (out.digits < 5 && is_digit(line.at(out.end))) {
    out.value = 10 * out.value + static_cast<unsigned>(line.at(out.end++) - '0');
    ++out.digits;
  }
  return out;
}

bool is_day(const Number& n) {
  return n.digits >= 1 && n.digits <= 2 && n.value >= 1 && n.value <= 31;
}

bool is_month(const Number& n) {
  return n.digits >= 1 && n.digits <= 2 && n.value >= 1 && n.value <= 12;
}

bool is_year(const Number& n) {
  return n.digits == 4 && n.value >= 1800 && n.value < 2200;
}

// English, German, French, Spanish, Italian; bytes of UTF-8.
constexpr auto kMonths = std::to_array<std::string_view>(
    {"january",   "february",  "march",    "april",    "may",        "june",    "july",
     "august",    "september", "october",  "november", "december",   "jan",     "feb",
     "mar",       "apr",       "jun",      "jul",      "aug",        "sep",     "sept",
     "oct",       "nov",       "dec",      "januar",   "februar",    "märz",    "mai",
     "juni",      "juli",      "oktober",  "dezember", "okt",        "dez",     "janvier",
     "février",   "mars",      "avril",    "juin",     "juillet",    "août",    "septembre",
     "octobre",   "novembre",  "décembre", "enero",    "febrero",    "marzo",   "abril",
     "mayo",      "junio",     "julio",    "agosto",   "septiembre", "octubre", "noviembre",
     "diciembre", "gennaio",   "febbraio", "aprile",   "maggio",     "giugno",  "luglio",
     "settembre", "ottobre",   "dicembre"});
/// In lower case these are also ordinary words.
constexpr auto kAlsoWords =
    std::to_array<std::string_view>({"may", "march", "mar", "mars", "mai", "dec", "sept"});

/// Returns the end of a month's name at `at`, 0 when there is none.
std::size_t month_end(const Line& line, std::size_t at) {
  constexpr std::size_t kLongest = 12;
  std::size_t end = at;
  std::string word;
  while (end - at <= kLongest && is_word(line.at(end)) && !is_digit(line.at(end)))
    word += lower(line.at(end++));
  if (std::ranges::find(kMonths, word) == kMonths.end()) return 0;
  const bool small = line.at(at) == lower(line.at(at));
  if (small && std::ranges::find(kAlsoWords, word) != kAlsoWords.end()) return 0;
  return line.at(end) == '.' && word.size() <= 4 ? end + 1 : end;
}

/// Finds three numbers between two equal separators: 2024-03-01, 1.3.2024, 03/01/24.
std::size_t figures_end(const Line& line, std::size_t begin) {
  const Number first = number_at(line, begin);
  const char separator = line.at(first.end);
  if (first.digits == 0 || (separator != '-' && separator != '.' && separator != '/')) return 0;
  const auto skip = [&](std::size_t at) {
    return at + (separator == '.' && line.at(at) == ' ' ? 1 : 0);
  };
  const Number second = number_at(line, skip(first.end + 1));
  if (second.digits == 0 || line.at(second.end) != separator) return 0;
  const Number third = number_at(line, skip(second.end + 1));
  if (is_word(line.at(third.end)) && line.at(third.end) != 'T' && line.at(third.end) != 'Z')
    return 0;
  const bool more = line.at(third.end) == separator && is_digit(line.at(third.end + 1));
  if (third.digits == 0 || more) return 0;
  if (is_year(first) && is_month(second) && is_day(third)) return third.end;
  // Between dots the day comes first.
  const bool day_and_month = (is_day(first) && is_month(second)) ||
                             (separator != '.' && is_month(first) && is_day(second));
  // A year of two digits is accepted only after two numbers of two digits; otherwise it may be a
  // version.
  const bool short_year = third.digits == 2 && second.digits == 2 && first.digits == 2;
  return day_and_month && (is_year(third) || short_year) ? third.end : 0;
}

std::size_t skip_spaces(const Line& line, std::size_t at) {
  return at + (line.at(at) == ' ' ? 1 : 0);
}

/// Reads ", 2024" or " 2024" after a day and a month; returns the end with or without it.
std::size_t year_end(const Line& line, std::size_t at) {
  std::size_t start = at;
  if (line.at(start) == ',') ++start;
  start = skip_spaces(line, start);
  for (const std::string_view word : {"de ", "del "})
    if (line.text().substr(std::min(start, line.size()), word.size()) == word) start += word.size();
  const Number year = number_at(line, start);
  return start > at && is_year(year) && !is_word(line.at(year.end)) ? year.end : at;
}

/// Finds "1 March 2024", "1. März", "3rd of May", "1 de mayo de 2024".
std::size_t day_first_end(const Line& line, std::size_t begin) {
  const Number day = number_at(line, begin);
  if (!is_day(day)) return 0;
  std::size_t at = day.end;
  for (const std::string_view ending : {"st", "nd", "rd", "th", "er", "."})
    if (line.text().substr(at, ending.size()) == ending) {
      at += ending.size();
      break;
    }
  if (line.at(at) != ' ' && line.at(at) != '-') return 0;
  ++at;
  for (const std::string_view word : {"of ", "de "})
    if (line.text().substr(std::min(at, line.size()), word.size()) == word) at += word.size();
  const std::size_t month = month_end(line, at);
  if (month == 0) return 0;
  if (line.at(month) == '-') {  // 01-Mar-2024
    const Number year = number_at(line, month + 1);
    return is_year(year) || year.digits == 2 ? year.end : 0;
  }
  return year_end(line, month);
}

/// Finds "March 1, 2024", "Mar 1st".
std::size_t month_first_end(const Line& line, std::size_t begin) {
  const std::size_t month = month_end(line, begin);
  if (month == 0 || line.at(month) != ' ') return 0;
  const Number day = number_at(line, month + 1);
  if (!is_day(day)) return 0;
  std::size_t at = day.end;
  for (const std::string_view ending : {"st", "nd", "rd", "th"})
    if (line.text().substr(at, ending.size()) == ending) at += ending.size();
  if (is_word(line.at(at)) || (line.at(at) == '.' && is_digit(line.at(at + 1)))) return 0;
  return year_end(line, at);
}

}  // namespace

Findings find_dates(const Line& line) {
  Findings found;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line.at(i), before = line.before(i);
    if (!is_word(c) || is_word(before)) continue;
    std::size_t end = 0;
    if (is_digit(c)) {
      const bool inside = (before == '.' || before == '-' || before == '/') && i > 1 &&
                          is_digit(line.before(i - 1));
      if (!inside) end = std::max(figures_end(line, i), day_first_end(line, i));
    } else {
      end = month_first_end(line, i);
    }
    if (end == 0) continue;
    found.push_back({i, end, FindingKind::kDate});
    i = end - 1;
  }
  return found;
}

}  // namespace sotto::redaction
