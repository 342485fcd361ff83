// Code calls these functions where a value computed from secrets becomes public by design; a
// comment beside the call gives the reason. tests/constant_time runs the code under a memory
// checker with all secrets marked as undefined, which reports every branch and every address that
// depends on a secret and was not declassified. Elsewhere, and in a release build, these functions
// do nothing.
#pragma once

#include <cstdint>
#include <span>

namespace sotto::crypto {

/// Declares that the bytes are public from here on.
void declassify(std::span<const std::uint8_t> bytes);
/// Returns `decision` and declares it public; the values that it was computed from stay secret.
[[nodiscard]] bool declassified(bool decision);

}  // namespace sotto::crypto
