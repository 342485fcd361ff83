// Where personal data stand in a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sotto::masking {

/// In the order in which overlapping findings win, after what the site's own patterns find.
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

/// Every kind but kPattern, with the name that plans, reports and samples give it.
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
  std::size_t pattern = 0;  // of the plan's patterns, for kPattern
};

using Findings = std::vector<Finding>;

}  // namespace sotto::masking
