// AsioHost is the Host of real processes: one io_context thread for sockets, alarm and signals, and
// a pool for computation.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/host.h"
#include "common/net/transport.h"

namespace boost::asio {
class io_context;
}

namespace sotto::net {

class AsioHost final : public Host {
 public:
  /// `warn` receives sentences for the log: a refused key, unauthenticated connections, a lost
  /// link.
  AsioHost(unsigned compute_threads, std::function<void(const std::string&)> warn);
  ~AsioHost() override;

  /// Open the socket for `app`; they throw StartupError. Call run() afterwards.
  void listen(CoordinatorSocketOptions options, App& app);
  void connect(ParticipantSocketOptions options, App& app);
  /// Runs until finish() and returns its exit code.
  int run();

  [[nodiscard]] TransportCounters counters() const;

  /// The event loop, for other work that has to run on the App's thread, between its calls.
  [[nodiscard]] boost::asio::io_context& loop();

  [[nodiscard]] TimePoint now() const override;
  bool send(MemberId peer, Bytes frame) override;
  void wake_at(TimePoint when) override;
  void compute(std::function<void()> work, std::function<void()> done) override;
  [[nodiscard]] UnauthenticatedConnections unauthenticated() const override;
  void finish(int exit_code) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sotto::net
