// Finding: the position and kind of personal data in a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sotto::masking {

/// The kinds of personal data, in the order of precedence among overlapping findings. Matches of
/// the site's own patterns come first.
enum class Kind : std::uint8_t {
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
  Kind kind;
  std::string_view name;
};

inline constexpr NamedKind kKinds[] = {
    {Kind::kUrl, "url"},     {Kind::kEmail, "email"}, {Kind::kIban, "iban"}, {Kind::kCard, "card"},
    {Kind::kMac, "mac"},     {Kind::kIpv6, "ipv6"},   {Kind::kIpv4, "ipv4"}, {Kind::kDate, "date"},
    {Kind::kPhone, "phone"}, {Kind::kHost, "host"},   {Kind::kName, "name"}};

/// Bytes [begin, end) of one line.
struct Finding {
  std::size_t begin = 0, end = 0;
  Kind kind = Kind::kPattern;
  std::size_t pattern = 0;  // index in the plan's patterns, for kPattern
};

using Findings = std::vector<Finding>;

}  // namespace sotto::masking
