#include "participant/deidentify/redaction/generalise.h"

#include <algorithm>
#include <array>

#include <arpa/inet.h>

#include "common/base/check.h"
#include "participant/deidentify/redaction/characters.h"

namespace sotto::redaction {

namespace {

std::string with_blank(std::string_view text) {
  return text.empty() ? "" : " " + std::string(text);
}

std::string host_of(std::string_view url) {
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos)
    url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const std::size_t user = url.rfind('@'); user != std::string_view::npos)
    url.remove_prefix(user + 1);
  return with_blank(url.substr(0, url.find(':')));
}

/// Returns the only run of four digits; a year of two digits is not kept, because its century is
/// uncertain.
std::string year_of(std::string_view date) {
  for (std::size_t i = 0; i < date.size();) {
    std::size_t end = i;
    while (end < date.size() && is_digit(date[end]))
      ++end;
    if (end - i == 4) return with_blank(date.substr(i, 4));
    i = std::max(end, i + 1);
  }
  return "";
}

std::string country_code_of(std::string_view phone) {
  // Country codes have two digits, except zones 1 and 7 and the codes of three digits that begin
  // with these (ITU-T E.164).
  constexpr std::array<std::string_view, 9> kThree = {"21", "22", "23", "24", "25",
                                                      "26", "29", "35", "37"};
  constexpr std::array<std::string_view, 7> kThreeToo = {"38", "42", "50", "59", "67", "68", "96"};
  std::string digits;
  for (const char c : phone)
    if (is_digit(c)) digits += c;
  if (phone.starts_with("00"))
    digits.erase(0, 2);
  else if (!phone.starts_with("+"))
    return "";
  const std::string_view zone = std::string_view(digits).substr(0, 2);
  const auto is_in = [&](const auto& list) { return std::ranges::find(list, zone) != list.end(); };
  const std::size_t length = zone[0] == '1' || zone[0] == '7'    ? 1
                             : is_in(kThree) || is_in(kThreeToo) ? 3
                                                                 : 2;
  return " +" + digits.substr(0, length);
}

std::string network_of(std::string_view ipv6) {
  in6_addr address{};
  const std::string text(ipv6);
  if (::inet_pton(AF_INET6, text.c_str(), &address) != 1) return "";
  // The first 32 bits are kept: the prefix that a provider is assigned.
  std::fill(std::begin(address.s6_addr) + 4, std::end(address.s6_addr), std::uint8_t{0});
  std::array<char, INET6_ADDRSTRLEN> out{};
  SOTTO_CHECK(::inet_ntop(AF_INET6, &address, out.data(), out.size()) != nullptr, "an address");
  return " " + std::string(out.data()) + "/32";
}

}  // namespace

std::string generalised(FindingKind kind, std::string_view value) {
  switch (kind) {
    case FindingKind::kEmail: {
      const std::size_t sign = value.rfind('@');
      return sign == std::string_view::npos ? "" : with_blank(value.substr(sign));
    }
    case FindingKind::kUrl:
      return host_of(value);
    case FindingKind::kIban:
      return with_blank(value.substr(0, 2));
    case FindingKind::kPhone:
      return country_code_of(value);
    case FindingKind::kIpv4:
      return " " + std::string(value.substr(0, value.find('.', value.find('.') + 1))) + ".0.0/16";
    case FindingKind::kIpv6:
      return network_of(value);
    case FindingKind::kDate:
      return year_of(value);
    default:
      SOTTO_CHECK(false, "this kind cannot be generalised");
  }
}

}  // namespace sotto::redaction
