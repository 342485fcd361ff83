// A coordinator and participants on loopback, all on the test's own loop.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "common/crypto/key_agreement.h"
#include "common/net/transport.h"

namespace sotto::net {

inline CurveIdentity new_identity() {
  crypto::OsRandom random;
  crypto::Secret32 secret = crypto::Secret32::random(random);
  const crypto::AgreementKey key(secret.clone());
  return {key.public_key(), std::move(secret)};
}

inline CurveIdentity copy(const CurveIdentity& identity) {
  return {identity.public_key, identity.secret_key.clone()};
}

inline Bytes bytes_of(std::string_view text) {
  const BytesView view = view_of(text);
  return {view.begin(), view.end()};
}

inline std::string text_of(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

/// Runs the loop until `done` or the time is over; says which.
inline bool run_until(boost::asio::io_context& loop, const std::function<bool()>& done,
                      int milliseconds = 20000) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    loop.restart();
    loop.run_one_for(std::chrono::milliseconds(5));
  }
  return true;
}

inline void run_for(boost::asio::io_context& loop, int milliseconds) {
  run_until(
      loop, [] { return false; }, milliseconds);
}

/// What one end has seen.
struct Seen {
  std::vector<ReceivedFrame> frames;
  int connected = 0;
  int disconnected = 0;
  std::vector<std::string> warnings;

  TransportHandlers handlers() {
    return {[this](ReceivedFrame frame) { frames.push_back(std::move(frame)); },
            [this] { ++connected; }, [this] { ++disconnected; },
            [this](std::string sentence) { warnings.push_back(std::move(sentence)); }};
  }

  [[nodiscard]] bool warned_of(std::string_view text) const {
    for (const std::string& warning : warnings)
      if (warning.find(text) != std::string::npos) return true;
    return false;
  }
};

/// Identities of a coordinator and of members 1 to n.
struct Federation {
  explicit Federation(std::uint32_t n) {
    for (std::uint32_t id = 1; id <= n; ++id)
      members.emplace(id, new_identity());
  }

  [[nodiscard]] CoordinatorSocketOptions listening(
      const std::string& at = "tcp://127.0.0.1:*") const {
    CoordinatorSocketOptions options;
    options.listen = at;
    options.identity = copy(coordinator);
    for (const auto& [id, identity] : members)
      options.members.push_back({MemberId{id}, identity.public_key});
    options.heartbeat_ms = 500;
    return options;
  }

  [[nodiscard]] ParticipantSocketOptions joining(std::uint32_t id, const std::string& at) const {
    ParticipantSocketOptions options;
    options.endpoint = at;
    options.identity = copy(members.at(id));
    options.coordinator_key = coordinator.public_key;
    options.heartbeat_ms = 500;
    return options;
  }

  CurveIdentity coordinator = new_identity();
  std::map<std::uint32_t, CurveIdentity> members;
};

}  // namespace sotto::net
