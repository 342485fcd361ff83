// Scanners for IBANs and payment cards.
#include <algorithm>
#include <array>
#include <string>

#include "participant/deidentify/redaction/scanners.h"

namespace sotto::redaction {

namespace {

struct CountryLength {
  std::string_view country;
  std::size_t length;
};

// The lengths in the SWIFT registry of ISO 13616.
constexpr auto kIbanLengths = std::to_array<CountryLength>(
    {{"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
     {"BH", 22}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22},
     {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FO", 18}, {"FR", 27},
     {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HR", 21}, {"HU", 28},
     {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20},
     {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21}, {"MC", 27}, {"MD", 24},
     {"ME", 22}, {"MK", 19}, {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NL", 18}, {"NO", 15}, {"PK", 24},
     {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"SA", 24}, {"SC", 31},
     {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"ST", 25}, {"SV", 28}, {"TL", 23}, {"TN", 24},
     {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}});

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

/// Returns the end of the IBAN that begins at `begin`; 0 when there is none.
std::size_t iban_end(const Line& line, std::size_t begin) {
  std::string compact = {upper(line.at(begin)), upper(line.at(begin + 1))};
  const auto country = std::ranges::find(kIbanLengths, compact, &CountryLength::country);
  if (country == kIbanLengths.end()) return 0;
  std::size_t at = begin + 2;
  while (compact.size() < country->length) {
    const bool separator = line.at(at) == ' ' || line.at(at) == '-';
    if (separator) ++at;
    if (!is_digit(line.at(at)) && !is_ascii_letter(line.at(at))) return 0;
    compact += upper(line.at(at++));
  }
  return !is_word(line.at(at)) && iban_holds(compact) ? at : 0;
}

struct Network {
  unsigned first, last;  // limits of the prefix
  std::size_t prefix;    // digits of the prefix
  std::size_t shortest, longest;
};

// Issuer identification numbers (ISO/IEC 7812) of the networks in common use.
constexpr auto kNetworks = std::to_array<Network>({{4, 4, 1, 13, 19},
                                                   {51, 55, 2, 16, 16},
                                                   {2221, 2720, 4, 16, 16},
                                                   {34, 34, 2, 15, 15},
                                                   {37, 37, 2, 15, 15},
                                                   {300, 305, 3, 14, 14},
                                                   {36, 36, 2, 14, 14},
                                                   {38, 39, 2, 14, 14},
                                                   {6011, 6011, 4, 16, 19},
                                                   {644, 659, 3, 16, 19},
                                                   {3528, 3589, 4, 16, 19},
                                                   {62, 62, 2, 16, 19},
                                                   {50, 50, 2, 16, 19},
                                                   {56, 58, 2, 16, 19},
                                                   {67, 67, 2, 16, 19}});

bool is_card(std::string_view digits) {
  const bool fits = std::ranges::any_of(kNetworks, [&](const Network& n) {
    unsigned start = 0;
    for (std::size_t i = 0; i < n.prefix; ++i)
      start = 10 * start + static_cast<unsigned>(digits[i] - '0');
    return start >= n.first && start <= n.last && digits.size() >= n.shortest &&
           digits.size() <= n.longest;
  });
  return fits && luhn_holds(digits);
}

/// Returns the end of the longest card number that begins at `begin` and ends at the end of a group
/// of digits; 0 when there is none.
std::size_t card_end(const Line& line, std::size_t begin) {
  constexpr std::size_t kLongest = 19, kShortest = 13;
  std::string digits;
  std::size_t best = 0;
  for (std::size_t at = begin; digits.size() < kLongest;) {
    digits += line.at(at++);
    const char next = line.at(at);
    if (is_digit(next)) continue;
    if (!is_word(next) && digits.size() >= kShortest && is_card(digits)) best = at;
    const bool goes_on = (next == ' ' || next == '-') && is_digit(line.at(at + 1));
    if (!goes_on) return best;
    if (digits.size() < kLongest) ++at;
  }
  return best;
}

}  // namespace

bool luhn_holds(std::string_view digits) {
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const int digit = digits[digits.size() - 1 - i] - '0';
    const int twice = i % 2 == 0 ? digit : 2 * digit;
    sum += twice > 9 ? twice - 9 : twice;
  }
  return sum % 10 == 0;
}

bool iban_holds(std::string_view compact) {
  if (compact.size() < 5) return false;
  unsigned remainder = 0;
  for (std::size_t i = 0; i < compact.size(); ++i) {
    const char c = compact[(i + 4) % compact.size()];
    const auto value = static_cast<unsigned>(is_digit(c) ? c - '0' : c - 'A' + 10);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return is_digit(compact[2]) && is_digit(compact[3]) && remainder == 1;
}

Findings find_ibans(const Line& line) {
  return find_each(line, FindingKind::kIban, [&](std::size_t i) {
    const bool begins = is_ascii_letter(line.at(i)) && !is_word(line.before(i));
    return begins ? iban_end(line, i) : 0;
  });
}

Findings find_cards(const Line& line) {
  return find_each(line, FindingKind::kCard, [&](std::size_t i) {
    const bool begins = is_digit(line.at(i)) && !is_word(line.before(i));
    return begins ? card_end(line, i) : 0;
  });
}

}  // namespace sotto::redaction
