// The coordinator's one HTTP server, with two doors: RUN_FOLDER/control.sock (mode 0600, always)
// and an address, where one is given. On the event loop that drives the run, so that nothing needs
// a lock; what a client can make it do is bounded in connections, bytes and time, and a client that
// is slow loses its own connection and nothing else. All calls on the loop's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "coordinator/dashboard/api.h"
#include "coordinator/dashboard/door.h"
#include "coordinator/dashboard/run_view.h"

namespace boost::asio {
class io_context;
}

namespace sotto::coordinator::dashboard {

struct ServerLimits {
  std::size_t connections = 64;  // a door; the one that has waited longest for a request makes room
  std::size_t streams = 32;      // of events, of all connections
  std::uint32_t header_bytes = 8 << 10;
  std::uint64_t body_bytes = 1 << 10;
  std::chrono::milliseconds request{10000};  // a handshake, a whole request, also the idle time
  std::chrono::milliseconds write{20000};    // an answer, a part of a stream
  std::chrono::milliseconds heartbeat{15000};
};

struct ServerOptions {
  std::filesystem::path folder;  // of the run, whose lock this process holds
  std::optional<AddressDoor> address;
  ServerLimits limits{};
};

class Server final : public RunEventSink {
 public:
  /// `loop` and `view` outlive it. Opens both doors; throws StartupError naming the one that cannot
  /// be.
  Server(boost::asio::io_context& loop, const RunView& view, RunCommands commands,
         ServerOptions options);
  ~Server() override;

  /// Sink: after the view, which has the news. They go to every stream of events that is ready for
  /// them.
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
