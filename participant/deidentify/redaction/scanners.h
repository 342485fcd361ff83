// Scanners detect personal data that has a form, one line at a time. They are written by hand
// instead of as regular expressions: each reads a bounded number of bytes at each position, so that
// no text, hostile ones included, takes more than linear time, and a candidate is judged by more
// than its form (checksums, lengths by country or network, days of the calendar, adjacent text).
// The functions are pure and may be called from any thread. Findings of one scanner do not overlap
// and are in order.
#pragma once

#include "participant/deidentify/redaction/characters.h"
#include "participant/deidentify/redaction/finding.h"

namespace sotto::redaction {

/// Finds local@domain, also with "(at)", "[at]" and "(dot)", "[dot]".
Findings find_emails(const Line& line);
/// Finds http, https and ftp addresses, and addresses that begin with "www.".
Findings find_urls(const Line& line);
/// Finds dotted names under a common top-level domain or an internal one. Endings that are also
/// words or file extensions need three labels.
Findings find_hosts(const Line& line);
/// Finds IBANs by ISO 13616: the country, its length, and remainder 1 modulo 97. Single spaces or
/// hyphens may separate the groups.
Findings find_ibans(const Line& line);
/// Finds payment cards by network and length, with the Luhn check. Single spaces or hyphens may
/// separate the groups.
Findings find_cards(const Line& line);
/// Finds phone numbers: with a country code, with the separators of a national number, or after a
/// word that announces one ("call", "Tel.").
Findings find_phones(const Line& line);
/// Finds four numbers below 256, except after "version" and the like.
Findings find_ipv4(const Line& line);
Findings find_ipv6(const Line& line);
Findings find_macs(const Line& line);
/// Finds days of the calendar in figures or with a month's name (English, German, French, Spanish,
/// Italian).
Findings find_dates(const Line& line);

/// Returns what begins at each position of the line where `end_of` returns an end, and not 0. The
/// search goes on behind it.
template <class EndOf>
Findings find_each(const Line& line, FindingKind kind, const EndOf& end_of) {
  Findings found;
  for (std::size_t i = 0; i < line.size(); ++i)
    if (const std::size_t end = end_of(i); end != 0) {
      found.push_back({i, end, kind});
      i = end;
    }
  return found;
}

/// Returns whether the Luhn sum ends in 0. `digits` contains digits only.
[[nodiscard]] bool luhn_holds(std::string_view digits);
/// Returns whether ISO 7064 modulo 97-10 gives 1. `compact` contains letters and digits without
/// separators.
[[nodiscard]] bool iban_holds(std::string_view compact);

}  // namespace sotto::redaction
