// ZapHandler answers ZeroMQ's question whether a CURVE key may connect (ZAP, RFC 27) from a fixed
// list of keys, and admits each of them only as often as a member's work needs. It has a small
// thread of its own, because a handshake waits for the answer while the loop may be busy.
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
  /// Receives the address of a refused connection, and the member when its key is admitted but
  /// connects too often. Called on the handler's thread.
  using OnRefused = std::function<void(std::optional<MemberId>, std::string)>;

  /// The most connections that a key may open in kInTime. More are refused with status 300, where a
  /// key that is not admitted gets 400. A connection without a frame lives no longer than kInTime
  /// (link_watch.h).
  static constexpr std::size_t kMostConnections = 8;
  static constexpr std::chrono::seconds kInTime{30};

  /// The handler answers as soon as it is constructed. Construct it before the server socket is
  /// bound, because ZeroMQ admits every key while there is no handler. The user id of an admitted
  /// key is its decimal member id.
  ZapHandler(ZmqContext& context, AdmittedKeys keys, OnRefused on_refused);
  /// Shuts the context down and joins the thread.
  ~ZapHandler();
  ZapHandler(const ZapHandler&) = delete;
  ZapHandler& operator=(const ZapHandler&) = delete;

  /// Counts the refused keys that are not admitted.
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(); }

 private:
  void serve();
  bool answer_one();
  /// Counts one more connection of the member. Returns false when it recently had too many.
  bool takes_another(MemberId member);

  ZmqContext& context_;
  AdmittedKeys keys_;
  OnRefused on_refused_;
  ZmqSocket socket_;  // used by the thread alone once it runs
  std::map<MemberId, std::deque<std::chrono::steady_clock::time_point>> lately_;
  std::atomic<std::uint64_t> refused_ = 0;
  std::thread thread_;
};

/// Returns the member of a ZAP user id; nullopt when ZapHandler gives no such id.
std::optional<MemberId> member_of_user_id(const char* user_id);

}  // namespace sotto::net
