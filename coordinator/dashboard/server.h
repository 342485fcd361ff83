// Server is the coordinator's HTTP server, with two listeners: RUN_FOLDER/control.sock (mode 0600,
// always) and an address, where one is given. It runs on the event loop that drives the run, so
// that nothing needs a lock. What a client can make it do is bounded in connections, bytes and
// time; a client that is slow loses its own connection and affects nothing else. All calls on the
// loop's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "coordinator/dashboard/address_listener.h"
#include "coordinator/dashboard/api.h"
#include "coordinator/dashboard/run_view.h"

namespace boost::asio {
class io_context;
}

namespace sotto::coordinator::dashboard {

struct DashboardLimits {
  /// Connections per listener. A new one replaces the oldest that has not sent a whole request.
  std::size_t connections = 64;
  std::size_t streams = 32;  // streams of events, over all connections
  std::uint32_t header_bytes = 8 << 10;
  std::uint64_t body_bytes = 1 << 10;
  std::chrono::milliseconds request{10000};  // for a handshake, a whole request and the idle time
  std::chrono::milliseconds write{20000};    // for an answer or a part of a stream
  std::chrono::milliseconds heartbeat{15000};
};

struct DashboardOptions {
  std::filesystem::path folder;  // of the run, whose lock this process holds
  std::optional<AddressListener> address;
  DashboardLimits limits{};
};

class DashboardServer final : public RunEventSink {
 public:
  /// `loop` and `view` outlive it. Opens both listeners; throws StartupError that names the one
  /// which cannot be opened.
  DashboardServer(boost::asio::io_context& loop, const RunView& view, RunCommands commands,
                  DashboardOptions options);
  ~DashboardServer() override;

  /// Sink: added after the view, from which it sends news to every stream of events that is ready
  /// for them.
  void on_event(const RunEvent&, std::uint64_t) override { publish(); }

  void on_status(const RunStatus&, std::uint64_t) override { publish(); }

  /// "http://127.0.0.1:7300"; empty without an address.
  [[nodiscard]] std::string url() const;

 private:
  void publish();

  struct Hub;
  std::shared_ptr<Hub> hub_;
};

}  // namespace sotto::coordinator::dashboard
