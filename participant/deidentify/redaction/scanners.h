// Detectors of personal data that have a form, one line at a time. Written by hand, not as regular
// expressions: each reads a bounded number of bytes for each place it looks at, so that no text,
// made by whomever, takes more than linear time, and a candidate is judged by more than its form
// (checksums, lengths by country or network, days of the calendar, what stands beside it).
// Pure; any thread. Findings of one scanner do not overlap and come in order.
#pragma once

#include "participant/deidentify/redaction/characters.h"
#include "participant/deidentify/redaction/finding.h"

namespace sotto::masking {

/// local@domain, also with "(at)", "[at]" and "(dot)", "[dot]".
Findings find_emails(const Line& line);
/// http, https and ftp addresses, and what begins with "www.".
Findings find_urls(const Line& line);
/// Dotted names under a common top-level or an internal domain. Endings that are also words or
/// endings of files need three labels.
Findings find_hosts(const Line& line);
/// ISO 13616: country, its length, remainder 1 modulo 97. Single spaces or hyphens between.
Findings find_ibans(const Line& line);
/// Payment cards by network and length, with the Luhn check. Single spaces or hyphens between.
Findings find_cards(const Line& line);
/// Numbers with a country code, with the separators of a national one, or behind a word that calls
/// them one ("call", "Tel.").
Findings find_phones(const Line& line);
/// Four numbers below 256; not behind "version" and the like.
Findings find_ipv4(const Line& line);
Findings find_ipv6(const Line& line);
Findings find_macs(const Line& line);
/// Days of the calendar in figures or with a month's name (English, German, French, Spanish,
/// Italian).
Findings find_dates(const Line& line);

/// Digits alone; true when their Luhn sum ends in 0.
[[nodiscard]] bool luhn_holds(std::string_view digits);
/// Letters and digits without separators; true when ISO 7064 modulo 97-10 gives 1.
[[nodiscard]] bool iban_holds(std::string_view compact);

}  // namespace sotto::masking
