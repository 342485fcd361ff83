// HttpSessionBase is one connection of a client, as the server sees it. The two kinds of it, with
// and without TLS, are compiled apart from the server and from each other, because Beast's
// templates take long to compile (session.h).
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/generic/stream_protocol.hpp>

#include "coordinator/dashboard/api.h"
#include "coordinator/dashboard/server.h"

namespace sotto::coordinator::dashboard {

/// The header fields of every answer, after Content-Type. The page loads only files of this server,
/// runs only its scripts, and cannot be framed.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kAnswerFields{{
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
     "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
}};

class HttpSessionBase;

/// The state that all connections share. It outlives them, because each holds a pointer to it.
struct HttpSessionContext {
  Api api;
  const RunView& view;
  DashboardLimits limits;
  std::size_t streams = 0;
  bool closed = false;  // the server is destroyed: nothing above may be used
};

class HttpSessionBase : public std::enable_shared_from_this<HttpSessionBase> {
 public:
  HttpSessionBase(std::shared_ptr<HttpSessionContext> context, Listener listener)
      : context_(std::move(context)), listener_(listener) {}

  HttpSessionBase(const HttpSessionBase&) = delete;
  HttpSessionBase& operator=(const HttpSessionBase&) = delete;

  virtual ~HttpSessionBase() {
    if (streaming_) --context_->streams;
  }

  virtual void start() = 0;
  /// Closes the connection; what is under way ends with an error.
  virtual void drop() = 0;
  /// publish() sends what the stream has not sent of the view. heartbeat() sends an empty comment.
  virtual void publish() = 0;
  virtual void heartbeat() = 0;

  /// Returns true when no whole request has arrived; such connections are closed first when there
  /// are too many.
  [[nodiscard]] bool waits() const { return waits_; }

 protected:
  [[nodiscard]] std::string begin_stream(Cursor after);
  /// The next part of a stream; empty when there is nothing new.
  [[nodiscard]] std::string next_part();

  std::shared_ptr<HttpSessionContext> context_;
  Listener listener_;
  bool waits_ = true;
  bool streaming_ = false;
  Cursor cursor_;
};

using ClientSocket = boost::asio::generic::stream_protocol::socket;

std::shared_ptr<HttpSessionBase> make_plain_session(std::shared_ptr<HttpSessionContext> context,
                                                    Listener listener, ClientSocket socket);
std::shared_ptr<HttpSessionBase> make_tls_session(std::shared_ptr<HttpSessionContext> context,
                                                  Listener listener, ClientSocket socket,
                                                  boost::asio::ssl::context& tls);

}  // namespace sotto::coordinator::dashboard
