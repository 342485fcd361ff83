// What may stay of a value: with a blank before it, or nothing where it cannot be read.
#pragma once

#include <string>
#include <string_view>

#include "participant/deidentify/redaction/finding.h"

namespace sotto::masking {

/// E-mail and URL: their host. IBAN: country. Phone: country code, where it has one that can be
/// told
/// (+1 and +7 alone are of one digit, others of two or three). IPv4: first two numbers. IPv6: first
/// two groups. Date: year. For can_generalise(kind) alone.
std::string generalised(Kind kind, std::string_view value);

}  // namespace sotto::masking
