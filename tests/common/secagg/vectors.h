// Reading of tests/vectors/secagg, which a Python script made from the documents without this code.
#pragma once

#include <deque>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "common/crypto/secret.h"
#include "common/crypto/secure_random.h"
#include "common/encoding/lanes.h"
#include "common/wire/messages.h"

namespace sotto::secagg::vectors {

using Json = nlohmann::json;

inline Json load(const std::string& file) {
  std::ifstream in(SOTTO_SOURCE_DIR "/tests/vectors/secagg/" + file);
  SOTTO_CHECK(in.good(), "a vector file is missing");
  return Json::parse(in);
}

inline Bytes bytes(const Json& hex) {
  return from_hex(hex.get<std::string>()).value();
}

template <std::size_t N>
std::array<std::uint8_t, N> array(const Json& hex) {
  const Bytes from = bytes(hex);
  SOTTO_CHECK(from.size() == N, "a vector of another size");
  std::array<std::uint8_t, N> out{};
  std::copy(from.begin(), from.end(), out.begin());
  return out;
}

inline Bytes32 bytes32(const Json& hex) {
  return array<32>(hex);
}

inline crypto::Secret32 secret(const Json& hex) {
  return crypto::Secret32::copy_of(bytes32(hex));
}

inline encoding::LaneSpec lane_spec(const Json& json) {
  return {.word_bits = json["word_bits"],
          .bits = json["bits"],
          .kind = static_cast<encoding::LaneKind>(json.value("codec", 1)),
          .length = json["length"],
          .chunk_words = json["chunk_words"]};
}

inline std::vector<encoding::LaneSpec> lane_specs(const Json& json) {
  std::vector<encoding::LaneSpec> out;
  for (const Json& lane : json)
    out.push_back(lane_spec(lane));
  return out;
}

/// Words stand as hexadecimal numbers. Set whole, so that bits above the lane's are there too.
inline encoding::RingVector ring_vector(const encoding::LaneSpec& spec, const Json& words) {
  encoding::RingVector out(spec);
  SOTTO_CHECK(words.size() == spec.length, "a vector of another length");
  std::visit(
      [&](auto& into) {
        using Word = typename std::decay_t<decltype(into)>::value_type;
        for (std::size_t i = 0; i < words.size(); ++i)
          into[i] = static_cast<Word>(std::stoull(words[i].get<std::string>(), nullptr, 16));
      },
      out.words());
  return out;
}

inline encoding::RingUpdate ring_update(const std::vector<encoding::LaneSpec>& specs,
                                        const Json& words) {
  encoding::RingUpdate out;
  for (std::size_t i = 0; i < specs.size(); ++i)
    out.lanes.push_back(ring_vector(specs[i], words.at(i)));
  return out;
}

/// The lane's words as the vectors write them.
inline Json words_of(const encoding::RingVector& lane) {
  Json out = Json::array();
  for (std::uint64_t i = 0; i < lane.spec().length; ++i) {
    std::ostringstream text;
    text << std::hex << lane.at(i);
    out.push_back(text.str());
  }
  return out;
}

/// Gives out the values of a vector, one a call, and complains about a call that asks for another
/// size or for more: so the order in which the code draws is part of what a test says.
class ScriptedRandom final : public crypto::SecureRandom {
 public:
  void say(const Json& hex) { next_.push_back(bytes(hex)); }

  void fill(std::span<std::uint8_t> out) override {
    SOTTO_CHECK(!next_.empty(), "more randomness was drawn than the vector has");
    SOTTO_CHECK(next_.front().size() == out.size(), "randomness is drawn in another order");
    std::copy(next_.front().begin(), next_.front().end(), out.begin());
    next_.pop_front();
  }

  [[nodiscard]] bool used_up() const { return next_.empty(); }

 private:
  std::deque<Bytes> next_;
};

}  // namespace sotto::secagg::vectors
