// What a guarantee of DP-SGD protects: neighbouring data sets differ by one such unit.
#pragma once

#include <cstdint>

namespace sotto::privacy {

/// The numbers are stored in ledgers.
enum class ProtectedUnit : std::uint8_t {
  kExample = 0,  // one training example
  kPerson = 1    // one person with all of her training examples at the site
};

}  // namespace sotto::privacy
