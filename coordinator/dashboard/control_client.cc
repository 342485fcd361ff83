#include "coordinator/dashboard/control_client.h"

#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "coordinator/dashboard/control_socket.h"

namespace sotto::coordinator::dashboard {

namespace {

constexpr std::size_t kMaxAnswer = std::size_t{64} << 20;
constexpr timeval kReplyTimeout{.tv_sec = 30, .tv_usec = 0};

bool send_all(const storage::FileDescriptor& to, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(to.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// Reads until the other side closes the connection, as it does after one answer with HTTP/1.0.
Result<std::string> read_all(const storage::FileDescriptor& from) {
  std::string out;
  char piece[16384];
  for (;;) {
    const ssize_t got = ::recv(from.get(), piece, sizeof(piece), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return storage::system_error("the coordinator does not answer; look at its log");
    if (got == 0) return out;
    out.append(piece, static_cast<std::size_t>(got));
    if (out.size() > kMaxAnswer) return Error{"the coordinator's answer is too long"};
  }
}

Result<std::string> body_of(const std::string& answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.") || answer.size() < 12 || end == std::string::npos)
    return Error{"the coordinator's answer is cut short"};
  std::string body = answer.substr(end + 4);
  if (answer.substr(9, 3) == "200") return body;
  const auto reply = nlohmann::json::parse(body, nullptr, false);
  return Error{"the coordinator rejected the request: " +
               (reply.is_object() ? reply.value("error", "") : answer.substr(9, 3))};
}

}  // namespace

Result<std::optional<std::string>> ask_coordinator(const std::filesystem::path& folder,
                                                   std::string_view method,
                                                   std::string_view target) {
  SOTTO_ASSIGN_OR_RETURN(const auto place, ControlSocket::in(folder));
  const std::string path = place.address();
  const storage::FileDescriptor link(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(static_cast<void*>(address.sun_path), path.data(), path.size());
  ::setsockopt(link.get(), SOL_SOCKET, SO_RCVTIMEO, &kReplyTimeout, sizeof(kReplyTimeout));
  ::setsockopt(link.get(), SOL_SOCKET, SO_SNDTIMEO, &kReplyTimeout, sizeof(kReplyTimeout));
  const auto* to = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (!link.is_open() || ::connect(link.get(), to, sizeof(address)) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return std::optional<std::string>{};
    return storage::system_error("cannot reach " + (folder / "control.sock").string());
  }
  const std::string request =
      std::string(method) + " " + std::string(target) + " HTTP/1.0\r\nContent-Length: 0\r\n\r\n";
  if (!send_all(link, request))
    return storage::system_error("the coordinator does not accept requests");
  SOTTO_ASSIGN_OR_RETURN(auto answer, read_all(link));
  SOTTO_ASSIGN_OR_RETURN(auto body, body_of(answer));
  return std::optional<std::string>{std::move(body)};
}

}  // namespace sotto::coordinator::dashboard
