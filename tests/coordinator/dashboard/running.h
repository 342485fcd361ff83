// The real server on a loop of its own, as the coordinator has it, and what a client needs to be
// let in.
#pragma once

#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "coordinator/dashboard/server.h"
#include "tests/coordinator/dashboard/client.h"

namespace sotto::coordinator::dashboard {

using dashboard_test::Client;
using dashboard_test::milliseconds;
using dashboard_test::status_of;

inline const std::string kToken(40, 't');

inline RunStatus some_status(std::uint64_t round) {
  RunStatus s{.state = RunState::kRunning, .server_round = round, .num_server_rounds = 10};
  s.members = {
      {.id = MemberId{1}, .name = "a", .state = MemberState::kAccepted, .connected = true}};
  return s;
}

inline AddressListener loopback() {
  return {.ip = "127.0.0.1", .token_hash = hash_of_token(view_of(kToken)), .tls = {}};
}

class Running {
 public:
  explicit Running(const std::filesystem::path& folder, DashboardLimits limits = {},
                   AddressListener listener = loopback()) {
    view.on_status(some_status(1), 1);
    server.emplace(
        loop, view,
        RunCommands{.pause = [this] { return ++asked, Status(); },
                    .resume = [this] { return ++asked, Status(); },
                    .finish_and_stop = [this] { ++asked; },
                    .stop_now = [this] { ++asked; }},
        DashboardOptions{.folder = folder, .address = std::move(listener), .limits = limits});
    const std::string url = server->url();
    port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    thread = std::thread([this] { loop.run(); });
  }

  ~Running() {
    on_loop([this] { server.reset(); });
    loop.stop();
    thread.join();
  }

  void on_loop(std::function<void()> what) {
    std::promise<void> done;
    boost::asio::post(loop, [&] {
      what();
      done.set_value();
    });
    done.get_future().wait();
  }

  std::string get(const std::string& path, const std::string& more = "") {
    Client client = Client::to_port(port);
    client.send("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                "\r\nConnection: close\r\n" + more + "\r\n");
    return client.read_to_end().value_or("still open");
  }

  boost::asio::io_context loop;
  RunView view{{.federation = "f",
                .job = R"({"name":"j"})",
                .folder = "/r",
                .version = "v",
                .started_unix_s = 1}};
  int asked = 0;
  std::optional<DashboardServer> server;
  std::uint16_t port = 0;
  std::thread thread;
};

inline const std::string kBearer = "Authorization: Bearer " + kToken + "\r\n";

}  // namespace sotto::coordinator::dashboard
