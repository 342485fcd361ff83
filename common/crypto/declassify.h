// Where something made from secrets becomes public by design, code says so here, with the reason
// beside the call. tests/constant_time runs the code with all secrets marked as undefined under a
// memory checker, which reports every branch and every address that depends on one of them and was
// not declared. Outside of it, and in a release build, these do nothing.
#pragma once

#include <cstdint>
#include <span>

namespace sotto::crypto {

/// The bytes may be known to anybody from here on.
void declassify(std::span<const std::uint8_t> bytes);
/// The decision may be known to anybody; what led to it may not.
[[nodiscard]] bool declassified(bool decision);

}  // namespace sotto::crypto
