// Generalisation: the part of a value that is kept.
#pragma once

#include <string>
#include <string_view>

#include "participant/deidentify/redaction/finding.h"

namespace sotto::redaction {

/// Returns the part of a value that is kept, preceded by a blank, or nothing where the value cannot
/// be parsed. E-mail and URL: the host. IBAN: the country. Phone: the country code, where it can be
/// determined (only +1 and +7 have one digit, others two or three). IPv4: the first two numbers.
/// IPv6: the first two groups. Date: the year. Call it only for kinds for which
/// can_generalise(kind) is true.
std::string generalised(FindingKind kind, std::string_view value);

}  // namespace sotto::redaction
