#include "coordinator/dashboard/server.h"

#include <algorithm>
#include <list>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <sys/stat.h>

#include "coordinator/dashboard/control_socket.h"
#include "coordinator/dashboard/session.h"

namespace sotto::coordinator::dashboard {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Socket = asio::generic::stream_protocol::socket;

/// The page loads only files of this server, runs only its scripts, and cannot be framed.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The pause after a failed accept(), for example when there are no more file descriptors.
constexpr std::chrono::milliseconds kAcceptPause{200};

AddressRules rules_of(const std::optional<AddressDoor>& address) {
  if (!address) return {.is_our_name = [](std::string_view) { return false; }};
  return {
      .scheme = address->tls ? "https" : "http",
      .is_our_name = [door = *address](std::string_view name) { return door.is_our_name(name); },
      .token_hash = address->token_hash};
}

}  // namespace

void add_fields(boost::beast::http::fields& fields, std::string_view content_type) {
  using boost::beast::http::field;
  fields.set(field::content_type, content_type);
  fields.set(field::cache_control, "no-store");
  fields.set("Content-Security-Policy", kPolicy);
  fields.set("X-Content-Type-Options", "nosniff");
  fields.set("X-Frame-Options", "DENY");
  fields.set("Referrer-Policy", "no-referrer");
  fields.set("Cross-Origin-Resource-Policy", "same-origin");
}

std::string SessionBase::begin_stream(Cursor after) {
  ++context_->streams;
  streaming_ = true;
  cursor_ = after;
  boost::beast::http::fields fields;
  add_fields(fields, "text/event-stream");
  std::string head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
  for (const auto& f : fields)
    head += std::string(f.name_string()) + ": " + std::string(f.value()) + "\r\n";
  return head + "\r\n" + next_part();
}

std::string SessionBase::next_part() {
  StreamPart part = context_->view.stream(cursor_);
  cursor_ = part.cursor;
  return std::move(part.text);
}

struct Server::Hub : std::enable_shared_from_this<Hub> {
  Hub(asio::io_context& l, const RunView& view, RunCommands commands, ServerOptions o)
      : loop(l),
        options(std::move(o)),
        context(std::make_shared<SessionContext>(
            SessionContext{.api = Api(view, std::move(commands), rules_of(options.address)),
                           .view = view,
                           .limits = options.limits})),
        folder_door(l),
        address_door(l),
        folder_retry(l),
        address_retry(l),
        heart(l) {}

  void open() {
    open_folder_door();
    if (options.address) open_address_door();
    accept(folder_door, folder_retry, Door::kUnixSocket);
    if (options.address) accept(address_door, address_retry, Door::kTcp);
    beat();
  }

  /// Opens control.sock. This process holds the run's lock, so an existing socket is that of a
  /// process that has ended.
  void open_folder_door() {
    auto place = ControlSocket::in(options.folder);
    if (!place.ok()) throw StartupError(place.error().message);
    control_socket.emplace(std::move(place).value());
    const std::string path = control_socket->address();
    ::unlink(path.c_str());
    error_code failed;
    folder_door.open(asio::local::stream_protocol(), failed);
    // Linux takes the mode of the socket file from the descriptor, so at no time can other users
    // connect.
    if (!failed && ::fchmod(folder_door.native_handle(), S_IRUSR | S_IWUSR) != 0)
      failed = error_code(errno, boost::system::system_category());
    if (!failed) folder_door.bind(asio::local::stream_protocol::endpoint(path), failed);
    if (!failed) folder_door.listen(asio::socket_base::max_listen_connections, failed);
    if (failed)
      throw StartupError("cannot listen on " + (options.folder / "control.sock").string() + ": " +
                         failed.message());
  }

  void open_address_door() {
    const asio::ip::tcp::endpoint at(asio::ip::make_address(options.address->ip),
                                     options.address->port);
    error_code failed;
    address_door.open(at.protocol(), failed);
    if (!failed) address_door.set_option(asio::socket_base::reuse_address(true), failed);
    if (!failed) address_door.bind(at, failed);
    if (!failed) address_door.listen(asio::socket_base::max_listen_connections, failed);
    if (failed)
      throw StartupError("the dashboard cannot listen on " + options.address->ip + " port " +
                         std::to_string(options.address->port) + ": " + failed.message());
  }

  template <class Acceptor>
  void accept(Acceptor& door, asio::steady_timer& retry, Door kind) {
    door.async_accept([this, self = shared_from_this(), &door, &retry, kind](
                          const error_code& failed, auto socket) {
      if (context->closed) return;
      if (!failed) {
        admit(Socket(std::move(socket)), kind);
        return accept(door, retry, kind);
      }
      retry.expires_after(kAcceptPause);
      retry.async_wait([this, self, &door, &retry, kind](const error_code& cancelled) {
        if (!cancelled && !context->closed) accept(door, retry, kind);
      });
    });
  }

  void admit(Socket socket, Door kind) {
    auto& sessions = kind == Door::kTcp ? at_address : in_folder;
    std::erase_if(sessions, [](const auto& s) { return s.expired(); });
    if (sessions.size() >= options.limits.connections && !make_room(sessions)) return;
    std::shared_ptr<SessionBase> session;
    if (kind == Door::kTcp && options.address->tls) {
      session = std::make_shared<Session<TlsStream>>(context, kind, std::move(socket),
                                                     *options.address->tls);
    } else {
      session = std::make_shared<Session<PlainStream>>(context, kind, std::move(socket));
    }
    sessions.push_back(session);
    session->start();
  }

  static bool make_room(std::list<std::weak_ptr<SessionBase>>& sessions) {
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

  void beat() {
    heart.expires_after(options.limits.heartbeat);
    heart.async_wait([this, self = shared_from_this()](const error_code& cancelled) {
      if (cancelled || context->closed) return;
      each([](SessionBase& s) { s.heartbeat(); });
      beat();
    });
  }

  void close() {
    context->closed = true;
    error_code ignored;
    folder_door.close(ignored);
    address_door.close(ignored);
    heart.cancel();
    each([](SessionBase& s) { s.drop(); });
    if (control_socket) ::unlink(control_socket->address().c_str());
  }

  asio::io_context& loop;
  ServerOptions options;
  std::shared_ptr<SessionContext> context;
  std::optional<ControlSocket> control_socket;
  asio::local::stream_protocol::acceptor folder_door;
  asio::ip::tcp::acceptor address_door;
  asio::steady_timer folder_retry, address_retry, heart;
  std::list<std::weak_ptr<SessionBase>> in_folder, at_address;  // the oldest first
};

Server::Server(asio::io_context& loop, const RunView& view, RunCommands commands,
               ServerOptions options)
    : hub_(std::make_shared<Hub>(loop, view, std::move(commands), std::move(options))) {
  try {
    hub_->open();
  } catch (...) {
    hub_->close();
    throw;
  }
}

Server::~Server() {
  hub_->close();
}

void Server::publish() {
  hub_->each([](SessionBase& s) { s.publish(); });
}

std::string Server::url() const {
  if (!hub_->options.address) return {};
  const auto& door = *hub_->options.address;
  const std::string ip = door.ip.find(':') == std::string::npos ? door.ip : "[" + door.ip + "]";
  return std::string(door.tls ? "https" : "http") + "://" + ip + ":" +
         std::to_string(hub_->address_door.local_endpoint().port());
}

}  // namespace sotto::coordinator::dashboard
