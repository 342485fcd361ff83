// Answers ZeroMQ's question "may this CURVE key connect?" (ZAP, RFC 27) from a fixed list of keys,
// and not more often than a member's work needs. A small thread of its own, because a handshake
// waits for the answer while the loop may be busy.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "common/base/ids.h"
#include "common/net/zmq_socket.h"

namespace sotto::net {

class ZapHandler {
 public:
  using AdmittedKeys = std::map<Bytes32, MemberId>;
  /// The address that was refused, and the member when its key is admitted but comes too often; on
  /// the handler's thread.
  using OnRefused = std::function<void(std::optional<MemberId>, std::string)>;

  /// So many connections a key in so much time; more are refused, with status 500 where a key that
  /// is not admitted gets 400. A connection that has said nothing lives no longer than this
  /// (link_watch.h).
  static constexpr std::size_t kMostConnections = 8;
  static constexpr std::chrono::seconds kInTime{30};

  /// Answers as soon as it is constructed: construct it before the server socket is bound, for
  /// without a handler ZeroMQ admits everybody. An admitted key's user id is its decimal member id.
  ZapHandler(ZmqContext& context, AdmittedKeys keys, OnRefused on_refused);
  /// Shuts the context down and joins.
  ~ZapHandler();
  ZapHandler(const ZapHandler&) = delete;
  ZapHandler& operator=(const ZapHandler&) = delete;

  /// Keys that are not admitted.
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(); }

 private:
  void serve();
  bool answer_one();
  /// Counts one more connection of the member; false when there were too many lately.
  bool takes_another(MemberId member);

  ZmqContext& context_;
  AdmittedKeys keys_;
  OnRefused on_refused_;
  ZmqSocket socket_;  // the thread's, once it runs
  std::map<MemberId, std::deque<std::chrono::steady_clock::time_point>> lately_;
  std::atomic<std::uint64_t> refused_ = 0;
  std::thread thread_;
};

/// The member a ZAP user id names; nullopt when it is not one that ZapHandler gives.
std::optional<MemberId> member_of_user_id(const char* user_id);

}  // namespace sotto::net
