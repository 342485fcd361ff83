// Reading of the crypto vectors: JSON under tests/vectors/crypto, bytes as hexadecimal.
#pragma once

#include <algorithm>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/base/bytes.h"
#include "common/crypto/secret.h"

namespace sotto::crypto {

inline nlohmann::json crypto_vectors(const std::string& file) {
  std::ifstream in(std::string(SOTTO_SOURCE_DIR) + "/tests/vectors/crypto/" + file);
  EXPECT_TRUE(in.good()) << file;
  return nlohmann::json::parse(in);
}

inline Bytes hex_bytes(const std::string& hex) {
  return from_hex(hex).value();
}

template <std::size_t N>
std::array<std::uint8_t, N> hex_array(const std::string& hex) {
  const Bytes bytes = hex_bytes(hex);
  SOTTO_CHECK(bytes.size() == N, "a vector of another size");
  std::array<std::uint8_t, N> out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

inline Secret32 hex_secret(const std::string& hex) {
  return Secret32::copy_of(hex_array<32>(hex));
}

}  // namespace sotto::crypto
