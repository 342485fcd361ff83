#include "tests/coordinator/dashboard/client.h"

#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace sotto::dashboard_test {

using Clock = std::chrono::steady_clock;

Client Client::to_port(std::uint16_t port) {
  Client client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  client.ended_ = ::connect(client.link_.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0;
  return client;
}

Client Client::to_folder(const std::filesystem::path& folder) {
  Client client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::strncpy(to.sun_path, (folder / "control.sock").c_str(), sizeof(to.sun_path) - 1);
  client.ended_ = ::connect(client.link_.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0;
  return client;
}

bool Client::send(std::string_view text) {
  return ::send(link_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(text.size());
}

std::string Client::read_until(std::string_view mark, milliseconds at_most) {
  const auto until = Clock::now() + at_most;
  while (!ended_ && (mark.empty() || held_.find(mark) == std::string::npos)) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now()).count();
    pollfd ready{.fd = link_.get(), .events = POLLIN, .revents = 0};
    if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) <= 0) break;
    char piece[65536];
    const ssize_t got = ::recv(link_.get(), piece, sizeof(piece), 0);
    ended_ = got <= 0;
    if (got > 0) held_.append(piece, static_cast<std::size_t>(got));
  }
  return std::exchange(held_, {});
}

std::optional<std::string> Client::read_to_end(milliseconds at_most) {
  std::string all = read_until("", at_most);
  if (!ended_) return std::nullopt;
  return all;
}

std::string status_of(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") ? answer.substr(9, 3) : "none: " + answer.substr(0, 80);
}

}  // namespace sotto::dashboard_test
