// Unsigned 256-bit integers for the tables of exact noise, with the few operations that the tables
// need. Overflow is a programming error (SOTTO_CHECK).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/check.h"

namespace sotto::privacy {

__extension__ using Uint128 = unsigned __int128;

class WideInteger {
 public:
  WideInteger() = default;

  /// Returns value * 2^shift; shift is a multiple of 64.
  static WideInteger of(std::uint64_t value, std::size_t shift = 0) {
    WideInteger out;
    out.limbs_.at(shift / 64) = value;
    return out;
  }

  [[nodiscard]] bool is_zero() const { return limbs_ == std::array<std::uint64_t, 4>{}; }

  [[nodiscard]] bool less(const WideInteger& other) const {
    for (std::size_t i = 4; i-- > 0;)
      if (limbs_[i] != other.limbs_[i]) return limbs_[i] < other.limbs_[i];
    return false;
  }

  /// Returns the number of bits up to the highest one that is set.
  [[nodiscard]] unsigned bit_width() const {
    for (std::size_t i = 4; i-- > 0;)
      if (limbs_[i] != 0)
        return static_cast<unsigned>(64 * i + 64) -
               static_cast<unsigned>(__builtin_clzll(limbs_[i]));
    return 0;
  }

  WideInteger& operator+=(const WideInteger& other) {
    Uint128 carry = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      carry += Uint128{limbs_[i]} + other.limbs_[i];
      limbs_[i] = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
    SOTTO_CHECK(carry == 0, "a 256-bit sum overflows");
    return *this;
  }

  WideInteger& operator-=(const WideInteger& other) {
    std::uint64_t borrow = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const Uint128 difference = Uint128{limbs_[i]} - other.limbs_[i] - borrow;
      limbs_[i] = static_cast<std::uint64_t>(difference);
      borrow = static_cast<std::uint64_t>(difference >> 64) & 1U;
    }
    SOTTO_CHECK(borrow == 0, "a 256-bit difference is negative");
    return *this;
  }

  WideInteger& operator*=(std::uint64_t factor) {
    Uint128 carry = 0;
    for (std::uint64_t& limb : limbs_) {
      carry += Uint128{limb} * factor;
      limb = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
    SOTTO_CHECK(carry == 0, "a 256-bit product overflows");
    return *this;
  }

  /// Divides and rounds down.
  WideInteger& operator/=(std::uint64_t divisor) {
    SOTTO_CHECK(divisor != 0, "a division by zero");
    Uint128 rest = 0;
    for (std::size_t i = 4; i-- > 0;) {
      rest = rest << 64 | limbs_[i];
      limbs_[i] = static_cast<std::uint64_t>(rest / divisor);
      rest %= divisor;
    }
    return *this;
  }

  /// Returns a * b / 2^192, rounded down: the product of two fixed-point numbers with 192
  /// fractional bits.
  static WideInteger fixed_product(const WideInteger& a, const WideInteger& b) {
    std::array<std::uint64_t, 8> whole{};
    for (std::size_t i = 0; i < 4; ++i) {
      Uint128 carry = 0;
      for (std::size_t j = 0; j < 4; ++j) {
        carry += Uint128{a.limbs_[i]} * b.limbs_[j] + whole[i + j];
        whole[i + j] = static_cast<std::uint64_t>(carry);
        carry >>= 64;
      }
      whole[i + 4] = static_cast<std::uint64_t>(carry);
    }
    SOTTO_CHECK(whole[7] == 0, "a fixed-point product overflows");
    WideInteger out;
    out.limbs_ = {whole[3], whole[4], whole[5], whole[6]};
    return out;
  }

 private:
  std::array<std::uint64_t, 4> limbs_{};  // the lowest first
};

}  // namespace sotto::privacy
