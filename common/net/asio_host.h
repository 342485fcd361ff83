// The Host of real processes: one io_context thread for sockets, alarm and signals, a pool for
// computation.
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
  /// `warn` gets sentences for the log: a refused key, strangers, a link that comes and goes.
  AsioHost(unsigned compute_threads, std::function<void(const std::string&)> warn);
  ~AsioHost() override;

  /// Opens the socket for `app`; throws StartupError. Then run().
  void listen(CoordinatorSocketOptions options, App& app);
  void connect(ParticipantSocketOptions options, App& app);
  /// Until finish(); returns its exit code.
  int run();

  [[nodiscard]] TransportCounters counters() const;

  /// For what else shall run on the App's thread, between its calls.
  [[nodiscard]] boost::asio::io_context& loop();

  [[nodiscard]] TimePoint now() const override;
  bool send(MemberId peer, Bytes frame) override;
  void wake_at(TimePoint when) override;
  void compute(std::function<void()> work, std::function<void()> done) override;
  [[nodiscard]] Strangers strangers() const override;
  void finish(int exit_code) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sotto::net
