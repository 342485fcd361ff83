// Scanners for e-mail, URL, host, IP and MAC addresses.
#include <algorithm>
#include <array>
#include <string>

#include <arpa/inet.h>

#include "participant/deidentify/redaction/scanners.h"

namespace sotto::redaction {

namespace {

bool matches(const Line& line, std::size_t at, std::string_view lower_text) {
  for (std::size_t i = 0; i < lower_text.size(); ++i)
    if (lower(line.at(at + i)) != lower_text[i]) return false;
  return true;
}

bool is_label(char c) {
  return c == '-' || is_word(c);
}

/// Returns the end of dotted labels that begin at `begin`, with each dot between two labels; the
/// last label begins with a letter and has at least two characters. 0 when there are none.
std::size_t domain_end(const Line& line, std::size_t begin) {
  constexpr std::size_t kLongest = 253;
  std::size_t at = begin, last_dot = 0;
  while (at - begin < kLongest) {
    if (is_label(line.at(at))) {
      ++at;
    } else if (line.at(at) == '.' && at > begin && is_word(line.at(at + 1))) {
      last_dot = at++;
    } else {
      break;
    }
  }
  while (at > begin && line.at(at - 1) == '-')
    --at;
  const bool ends_well = last_dot != 0 && at >= last_dot + 3 && !is_digit(line.at(last_dot + 1));
  return ends_well ? at : 0;
}

/// Returns the end of " [at] " and the like, or of "@", at `at`; 0 when there is none.
std::size_t at_sign_end(const Line& line, std::size_t at) {
  if (line.at(at) == '@') return at + 1;
  constexpr std::array<std::string_view, 6> kSpelled = {"(at)",   "[at]",   "{at}",
                                                        " (at) ", " [at] ", " {at} "};
  for (const std::string_view spelled : kSpelled)
    if (matches(line, at, spelled)) return at + spelled.size();
  return 0;
}

/// Like domain_end(), with dots also written as "(dot)" and "[dot]".
std::size_t spelled_domain_end(const Line& line, std::size_t begin) {
  constexpr std::array<std::string_view, 4> kDots = {"(dot)", "[dot]", " (dot) ", " [dot] "};
  if (const std::size_t end = domain_end(line, begin); end != 0) return end;
  std::size_t at = begin;
  int labels = 0;
  while (labels < 8) {
    const std::size_t start = at;
    while (at - start < 63 && is_label(line.at(at)))
      ++at;
    if (at == start) return 0;
    ++labels;
    const auto dot =
        std::ranges::find_if(kDots, [&](std::string_view d) { return matches(line, at, d); });
    if (dot == kDots.end()) break;
    at += dot->size();
  }
  return labels > 1 ? at : 0;
}

bool is_local_part(char c) {
  return is_word(c) || std::string_view(".+-%'&=~!#$*/?^`{|}").find(c) != std::string_view::npos;
}

/// Common top-level domains. Those of the second list are also words or file extensions.
constexpr auto kTopLevel = std::to_array<std::string_view>(
    {"com",      "org",  "net",      "edu",  "gov",         "mil",  "int",    "info",  "biz",
     "app",      "dev",  "cloud",    "eu",   "uk",          "de",   "fr",     "es",    "nl",
     "ch",       "pl",   "se",       "dk",   "fi",          "cz",   "pt",     "ie",    "gr",
     "ru",       "cn",   "jp",       "br",   "ca",          "au",   "hu",     "ro",    "tr",
     "ua",       "kr",   "mx",       "io",   "ai",          "tech", "online", "local", "lan",
     "internal", "corp", "intranet", "home", "localdomain", "test", "example"});
constexpr auto kAmbiguousTopLevel = std::to_array<std::string_view>(
    {"at", "be", "it", "is", "in", "no",   "so",    "to",   "us",   "me", "my", "do",
     "py", "md", "sh", "rs", "cc", "site", "store", "shop", "name", "co", "tv"});

template <std::size_t N>
bool is_in(const std::array<std::string_view, N>& list, std::string_view text) {
  std::string lowered(text);
  std::ranges::transform(lowered, lowered.begin(), lower);
  return std::ranges::find(list, lowered) != list.end();
}

/// Returns the end of four numbers below 256, and no more than four; 0 when there are none.
std::size_t ipv4_end(const Line& line, std::size_t begin) {
  std::size_t at = begin;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && line.at(at++) != '.') return 0;
    unsigned value = 0;
    const std::size_t start = at;
    while (is_digit(line.at(at)) && at - start < 4)
      value = 10 * value + static_cast<unsigned>(line.at(at++) - '0');
    const bool leading_zero = at - start > 1 && line.at(start) == '0';
    if (at == start || value > 255 || leading_zero) return 0;
  }
  const bool goes_on = is_word(line.at(at)) || (line.at(at) == '.' && is_digit(line.at(at + 1)));
  return goes_on ? 0 : at;
}

/// Returns whether the word before `at`, with up to three other characters between, announces a
/// version.
bool behind_version(const Line& line, std::size_t at) {
  constexpr std::array<std::string_view, 8> kWords = {"version", "versions", "release", "firmware",
                                                      "build",   "section",  "chapter", "ver"};
  std::size_t end = at;
  while (end > 0 && at - end < 3 && !is_ascii_letter(line.at(end - 1)))
    --end;
  std::size_t begin = end;
  while (begin > 0 && end - begin < 10 && is_ascii_letter(line.at(begin - 1)))
    --begin;
  return is_in(kWords, line.text().substr(begin, end - begin));
}

bool is_ipv6(std::string_view text) {
  const auto colons = std::ranges::count(text, ':');
  const bool has_digit = std::ranges::any_of(text, is_digit);
  const std::string terminated(text);
  in6_addr ignored{};
  // "add::bed" may well be something else.
  return colons >= 2 && (has_digit || colons >= 4) && text != "::" &&
         ::inet_pton(AF_INET6, terminated.c_str(), &ignored) == 1;
}

/// Returns the end of six pairs between equal separators, or of three groups of four between dots;
/// 0 when there are none.
std::size_t mac_end(const Line& line, std::size_t begin) {
  const auto groups = [&](std::size_t count, std::size_t digits, char separator) -> std::size_t {
    std::size_t at = begin;
    for (std::size_t group = 0; group < count; ++group) {
      if (group > 0 && line.at(at++) != separator) return 0;
      for (std::size_t i = 0; i < digits; ++i)
        if (!is_hex(line.at(at++))) return 0;
    }
    const bool goes_on =
        is_word(line.at(at)) || (line.at(at) == separator && is_hex(line.at(at + 1)));
    return goes_on ? 0 : at;
  };
  return std::max({groups(6, 2, ':'), groups(6, 2, '-'), groups(3, 4, '.')});
}

}  // namespace

Findings find_emails(const Line& line) {
  constexpr std::size_t kLongestLocal = 64;
  Findings found;
  std::size_t done = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line.at(i);
    if (c != '@' && c != '(' && c != '[' && c != '{' && c != ' ') continue;
    const std::size_t sign_end = at_sign_end(line, i);
    if (sign_end == 0) continue;
    std::size_t begin = i;
    while (begin > done && i - begin < kLongestLocal && is_local_part(line.at(begin - 1)))
      --begin;
    while (begin < i && !is_word(line.at(begin)))
      ++begin;
    const std::size_t end =
        c == '@' ? domain_end(line, sign_end) : spelled_domain_end(line, sign_end);
    if (begin == i || end == 0) continue;
    found.push_back({begin, end, FindingKind::kEmail});
    done = end;
    i = end - 1;
  }
  return found;
}

Findings find_urls(const Line& line) {
  constexpr std::array<std::string_view, 4> kStarts = {"http://", "https://", "ftp://", "www."};
  constexpr std::string_view kStops = " \t\r\n\"<>`{}|\\^";
  constexpr std::string_view kLooseEnds = ".,;:!?'*_)]}";
  Findings found;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (is_word(line.before(i))) continue;
    const char c = lower(line.at(i));
    if (c != 'h' && c != 'f' && c != 'w') continue;
    const auto start =
        std::ranges::find_if(kStarts, [&](std::string_view s) { return matches(line, i, s); });
    if (start == kStarts.end()) continue;
    std::size_t end = i + start->size();
    const std::size_t body = end;
    while (end < line.size() && kStops.find(line.at(end)) == std::string_view::npos)
      ++end;
    // "(see www.example.org/a_(b))": a closing parenthesis belongs to the URL where it closes one
    // in it.
    const std::string_view all = line.text().substr(i, end - i);
    auto unopened = std::ranges::count(all, ')') - std::ranges::count(all, '(');
    while (end > body && kLooseEnds.find(line.at(end - 1)) != std::string_view::npos) {
      if (line.at(end - 1) == ')' && unopened-- <= 0) break;
      --end;
    }
    if (end < body + 2) continue;
    found.push_back({i, end, FindingKind::kUrl});
    i = end;
  }
  return found;
}

Findings find_hosts(const Line& line) {
  Findings found;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (!is_word(line.at(i)) || is_label(line.before(i)) || line.before(i) == '@' ||
        line.before(i) == '.')
      continue;
    const std::size_t end = domain_end(line, i);
    if (end == 0) continue;
    const std::string_view name = line.text().substr(i, end - i);
    const std::string_view last = name.substr(name.rfind('.') + 1);
    const auto labels = 1 + std::ranges::count(name, '.');
    if (is_in(kTopLevel, last) || (labels > 2 && is_in(kAmbiguousTopLevel, last)))
      found.push_back({i, end, FindingKind::kHost});
    i = end;
  }
  return found;
}

Findings find_ipv4(const Line& line) {
  return find_each(line, FindingKind::kIpv4, [&](std::size_t i) -> std::size_t {
    if (!is_digit(line.at(i)) || is_word(line.before(i)) || line.before(i) == '.') return 0;
    const std::size_t end = ipv4_end(line, i);
    return end != 0 && behind_version(line, i) ? 0 : end;
  });
}

Findings find_ipv6(const Line& line) {
  constexpr std::size_t kLongest = 45;
  Findings found;
  const auto is_part = [](char c) { return is_hex(c) || c == ':' || c == '.'; };
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (!is_part(line.at(i)) || is_word(line.before(i)) || is_part(line.before(i))) continue;
    std::size_t end = i;
    while (is_part(line.at(end)) && end - i <= kLongest)
      ++end;
    const std::size_t next = end;
    const bool in_word = is_word(line.at(end));
    // The text may continue with a colon, or the sentence may end with a dot.
    while (end > i &&
           (line.at(end - 1) == '.' || (line.at(end - 1) == ':' && line.before(end - 1) != ':')))
      --end;
    if (!in_word && end - i <= kLongest && is_ipv6(line.text().substr(i, end - i)))
      found.push_back({i, end, FindingKind::kIpv6});
    i = next;
  }
  return found;
}

Findings find_macs(const Line& line) {
  return find_each(line, FindingKind::kMac, [&](std::size_t i) {
    const char before = line.before(i);
    const bool inside = is_word(before) || before == ':' || before == '-';
    return is_hex(line.at(i)) && !inside ? mac_end(line, i) : 0;
  });
}

}  // namespace sotto::redaction
