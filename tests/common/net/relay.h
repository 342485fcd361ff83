// What lies between two organisations: a TCP relay in this process that delays, narrows, stalls and
// cuts what goes through it, and that forgets connections as NATs do. A thread of its own; every
// call is from any other.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace sotto::net {

class Relay {
 public:
  /// Listens on a free port of loopback and passes every connection on to `target`
  /// (tcp://127.0.0.1:port), which need not listen yet.
  explicit Relay(const std::string& target);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  [[nodiscard]] std::string endpoint() const;

  /// Bytes passed on from those who connected to the target, and back.
  [[nodiscard]] std::uint64_t up_bytes() const;
  [[nodiscard]] std::uint64_t down_bytes() const;
  /// Connections accepted until now.
  [[nodiscard]] std::uint64_t connections() const;

  // From now on, for old and new connections.

  /// Each piece waits so long on its way.
  void delay(std::chrono::milliseconds each_way);
  /// At most so many bytes a second, for each connection and direction; 0: no limit.
  void narrow(std::uint64_t bytes_per_second);
  /// Nothing moves, nothing is closed, until resume().
  void stall();
  void resume();
  /// A connection without a byte for so long is forgotten; 0: never.
  void forget_idle(std::chrono::milliseconds after);

  // Once, for the connections that there are.

  /// Both ends see the connection die.
  void cut();
  /// The same as soon as so many more bytes have passed in either direction.
  void cut_after(std::uint64_t bytes);
  /// Bytes vanish from now on, and no end is told.
  void forget();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sotto::net
