// Answers ZeroMQ's question "may this CURVE key connect?" (ZAP, RFC 27) from a fixed list of keys.
// A small thread of its own, because a handshake waits for the answer while the loop may be busy.
#pragma once

#include <atomic>
#include <cstdint>
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
  /// The address that was refused; on the handler's thread.
  using OnRefused = std::function<void(std::string)>;

  /// Answers as soon as it is constructed: construct it before the server socket is bound, for
  /// without a handler ZeroMQ admits everybody. An admitted key's user id is its decimal member id.
  ZapHandler(ZmqContext& context, AdmittedKeys keys, OnRefused on_refused);
  /// Shuts the context down and joins.
  ~ZapHandler();
  ZapHandler(const ZapHandler&) = delete;
  ZapHandler& operator=(const ZapHandler&) = delete;

  [[nodiscard]] std::uint64_t refused() const { return refused_.load(); }

 private:
  void serve();
  bool answer_one();

  ZmqContext& context_;
  AdmittedKeys keys_;
  OnRefused on_refused_;
  ZmqSocket socket_;  // the thread's, once it runs
  std::atomic<std::uint64_t> refused_ = 0;
  std::thread thread_;
};

/// The member a ZAP user id names; nullopt when it is not one that ZapHandler gives.
std::optional<MemberId> member_of_user_id(const char* user_id);

}  // namespace sotto::net
