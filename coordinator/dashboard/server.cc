#include "coordinator/dashboard/server.h"

#include <algorithm>
#include <list>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <sys/stat.h>

#include "coordinator/dashboard/control_socket.h"
#include "coordinator/dashboard/session_base.h"

namespace sotto::coordinator::dashboard {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// The pause after a failed accept(), for example when there are no more file descriptors.
constexpr std::chrono::milliseconds kAcceptPause{200};

AddressRules rules_of(const std::optional<AddressListener>& address) {
  if (!address) return {.is_our_name = [](std::string_view) { return false; }};
  return {.scheme = address->tls ? "https" : "http",
          .is_our_name =
              [listener = *address](std::string_view name) { return listener.is_our_name(name); },
          .token_hash = address->token_hash};
}

}  // namespace

std::string HttpSessionBase::begin_stream(Cursor after) {
  ++context_->streams;
  streaming_ = true;
  cursor_ = after;
  std::string head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n";
  for (const auto& [name, value] : kAnswerFields)
    head += std::string(name) + ": " + std::string(value) + "\r\n";
  return head + "\r\n" + next_part();
}

std::string HttpSessionBase::next_part() {
  StreamPart part = context_->view.stream(cursor_);
  cursor_ = part.cursor;
  return std::move(part.text);
}

struct DashboardServer::Hub : std::enable_shared_from_this<Hub> {
  Hub(asio::io_context& l, const RunView& view, RunCommands commands, DashboardOptions o)
      : loop(l),
        options(std::move(o)),
        context(std::make_shared<HttpSessionContext>(
            HttpSessionContext{.api = Api(view, std::move(commands), rules_of(options.address)),
                               .view = view,
                               .limits = options.limits})),
        folder_listener(l),
        address_listener(l),
        folder_retry(l),
        address_retry(l),
        heartbeat_timer(l) {}

  void open() {
    open_folder_listener();
    if (options.address) open_address_listener();
    accept(folder_listener, folder_retry, Listener::kUnixSocket);
    if (options.address) accept(address_listener, address_retry, Listener::kTcp);
    send_heartbeat();
  }

  /// Opens control.sock. This process holds the run's lock, so an existing socket is that of a
  /// process that has ended.
  void open_folder_listener() {
    control_socket.emplace(ControlSocket::in(options.folder).or_stop());
    const std::string path = control_socket->address();
    ::unlink(path.c_str());
    error_code failed;
    folder_listener.open(asio::local::stream_protocol(), failed);
    // Linux takes the mode of the socket file from the descriptor, so at no time can other users
    // connect.
    if (!failed && ::fchmod(folder_listener.native_handle(), S_IRUSR | S_IWUSR) != 0)
      failed = error_code(errno, boost::system::system_category());
    if (!failed) folder_listener.bind(asio::local::stream_protocol::endpoint(path), failed);
    if (!failed) folder_listener.listen(asio::socket_base::max_listen_connections, failed);
    if (failed)
      throw StartupError("cannot listen on " + (options.folder / "control.sock").string() + ": " +
                         failed.message());
  }

  void open_address_listener() {
    const asio::ip::tcp::endpoint at(asio::ip::make_address(options.address->ip),
                                     options.address->port);
    error_code failed;
    address_listener.open(at.protocol(), failed);
    if (!failed) address_listener.set_option(asio::socket_base::reuse_address(true), failed);
    if (!failed) address_listener.bind(at, failed);
    if (!failed) address_listener.listen(asio::socket_base::max_listen_connections, failed);
    if (failed)
      throw StartupError("the dashboard cannot listen on " + options.address->ip + " port " +
                         std::to_string(options.address->port) + ": " + failed.message());
  }

  template <class Acceptor>
  void accept(Acceptor& listener, asio::steady_timer& retry, Listener kind) {
    listener.async_accept([this, self = shared_from_this(), &listener, &retry, kind](
                              const error_code& failed, auto socket) {
      if (context->closed) return;
      if (!failed) {
        admit(ClientSocket(std::move(socket)), kind);
        return accept(listener, retry, kind);
      }
      retry.expires_after(kAcceptPause);
      retry.async_wait([this, self, &listener, &retry, kind](const error_code& cancelled) {
        if (!cancelled && !context->closed) accept(listener, retry, kind);
      });
    });
  }

  void admit(ClientSocket socket, Listener kind) {
    auto& sessions = kind == Listener::kTcp ? at_address : in_folder;
    std::erase_if(sessions, [](const auto& s) { return s.expired(); });
    if (sessions.size() >= options.limits.connections && !make_room(sessions)) return;
    const bool tls = kind == Listener::kTcp && options.address->tls;
    const std::shared_ptr<HttpSessionBase> session =
        tls ? make_tls_session(context, kind, std::move(socket), *options.address->tls)
            : make_plain_session(context, kind, std::move(socket));
    sessions.push_back(session);
    session->start();
  }

  static bool make_room(std::list<std::weak_ptr<HttpSessionBase>>& sessions) {
    for (auto at = sessions.begin(); at != sessions.end(); ++at) {
      const auto session = at->lock();
      if (!session || !session->waits()) continue;
      session->drop();
      sessions.erase(at);
      return true;
    }
    return false;
  }

  template <class Action>
  void each(Action action) {
    for (auto* sessions : {&in_folder, &at_address})
      for (const auto& weak : *sessions)
        if (const auto session = weak.lock()) action(*session);
  }

  void send_heartbeat() {
    heartbeat_timer.expires_after(options.limits.heartbeat);
    heartbeat_timer.async_wait([this, self = shared_from_this()](const error_code& cancelled) {
      if (cancelled || context->closed) return;
      each([](HttpSessionBase& s) { s.heartbeat(); });
      send_heartbeat();
    });
  }

  void close() {
    context->closed = true;
    error_code ignored;
    folder_listener.close(ignored);
    address_listener.close(ignored);
    heartbeat_timer.cancel();
    each([](HttpSessionBase& s) { s.drop(); });
    if (control_socket) ::unlink(control_socket->address().c_str());
  }

  asio::io_context& loop;
  DashboardOptions options;
  std::shared_ptr<HttpSessionContext> context;
  std::optional<ControlSocket> control_socket;
  asio::local::stream_protocol::acceptor folder_listener;
  asio::ip::tcp::acceptor address_listener;
  asio::steady_timer folder_retry, address_retry, heartbeat_timer;
  std::list<std::weak_ptr<HttpSessionBase>> in_folder, at_address;  // the oldest first
};

DashboardServer::DashboardServer(asio::io_context& loop, const RunView& view, RunCommands commands,
                                 DashboardOptions options)
    : hub_(std::make_shared<Hub>(loop, view, std::move(commands), std::move(options))) {
  try {
    hub_->open();
  } catch (...) {
    hub_->close();
    throw;
  }
}

DashboardServer::~DashboardServer() {
  hub_->close();
}

void DashboardServer::publish() {
  hub_->each([](HttpSessionBase& s) { s.publish(); });
}

std::string DashboardServer::url() const {
  if (!hub_->options.address) return {};
  const auto& listener = *hub_->options.address;
  const std::string ip =
      listener.ip.find(':') == std::string::npos ? listener.ip : "[" + listener.ip + "]";
  return std::string(listener.tls ? "https" : "http") + "://" + ip + ":" +
         std::to_string(hub_->address_listener.local_endpoint().port());
}

}  // namespace sotto::coordinator::dashboard
