// Finding: the position and kind of personal data in a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sotto::redaction {

/// The kinds of personal data, in the order of precedence among overlapping findings. Matches of
/// the site's own patterns come first.
enum class FindingKind : std::uint8_t {
  kPattern,
  kUrl,
  kEmail,
  kIban,
  kCard,
  kMac,
  kIpv6,
  kIpv4,
  kDate,
  kPhone,
  kHost,
  kName
};

/// Every kind but kPattern, with its name in plans, reports and samples.
struct NamedKind {
  FindingKind kind;
  std::string_view name;
};

inline constexpr NamedKind kKinds[] = {
    {FindingKind::kUrl, "url"},   {FindingKind::kEmail, "email"}, {FindingKind::kIban, "iban"},
    {FindingKind::kCard, "card"}, {FindingKind::kMac, "mac"},     {FindingKind::kIpv6, "ipv6"},
    {FindingKind::kIpv4, "ipv4"}, {FindingKind::kDate, "date"},   {FindingKind::kPhone, "phone"},
    {FindingKind::kHost, "host"}, {FindingKind::kName, "name"}};

/// Bytes [begin, end) of one line.
struct Finding {
  std::size_t begin = 0, end = 0;
  FindingKind kind = FindingKind::kPattern;
  std::size_t pattern = 0;  // index in the plan's patterns, for kPattern
};

using Findings = std::vector<Finding>;

}  // namespace sotto::redaction
