// Session is one connection of a client: it reads requests and writes the answers of the Api, or a
// stream of events. Used only by plain_session.cc and tls_session.cc.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "coordinator/dashboard/session_base.h"

namespace sotto::coordinator::dashboard {

using PlainStream = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;
using TlsStream = boost::asio::ssl::stream<PlainStream>;

/// Sets the header fields of every answer.
inline void add_fields(boost::beast::http::fields& fields, std::string_view content_type) {
  fields.set(boost::beast::http::field::content_type, content_type);
  for (const auto& [name, value] : kAnswerFields)
    fields.set(name, value);
}

template <class Stream>
class HttpSession final : public HttpSessionBase {
  using Request = boost::beast::http::request<boost::beast::http::string_body>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;

 public:
  template <class... Rest>
  HttpSession(std::shared_ptr<HttpSessionContext> context, Listener listener,
              boost::asio::generic::stream_protocol::socket socket, Rest&... rest)
      : HttpSessionBase(std::move(context), listener),
        stream_(PlainStream(std::move(socket)), rest...),
        buffer_(context_->limits.header_bytes + context_->limits.body_bytes) {}

  void start() override {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      socket().expires_after(context_->limits.request);
      stream_.async_handshake(TlsStream::server,
                              [self = self()](const boost::system::error_code& failed) {
                                if (!failed) self->read();
                              });
    } else {
      read();
    }
  }

  void drop() override { socket().close(); }

  void publish() override {
    if (!streaming_ || writing_) return;
    std::string part = next_part();
    if (!part.empty()) write_part(std::move(part));
  }

  void heartbeat() override {
    if (streaming_ && !writing_) write_part(": \n\n");
  }

 private:
  std::shared_ptr<HttpSession> self() {
    return std::static_pointer_cast<HttpSession>(shared_from_this());
  }

  PlainStream& socket() {
    if constexpr (std::is_same_v<Stream, TlsStream>)
      return stream_.next_layer();
    else
      return stream_;
  }

  void read() {
    waits_ = true;
    parser_.emplace();
    parser_->header_limit(context_->limits.header_bytes);
    parser_->body_limit(context_->limits.body_bytes);
    socket().expires_after(context_->limits.request);
    boost::beast::http::async_read(stream_, buffer_, *parser_,
                                   [self = self()](const boost::system::error_code& failed,
                                                   std::size_t) { self->on_request(failed); });
  }

  void on_request(const boost::system::error_code& failed) {
    namespace http = boost::beast::http;
    if (context_->closed) return;
    waits_ = false;
    if (failed == http::error::header_limit || failed == http::error::buffer_overflow)
      return refuse(431, "the header of the request is too long");
    if (failed == http::error::body_limit)
      return refuse(413, "the body of the request is too long");
    if (failed && failed != http::error::end_of_stream &&
        failed.category() == make_error_code(http::error::bad_method).category() &&
        failed != http::error::partial_message)
      return refuse(400, "the request is not valid HTTP");
    if (failed) return drop();
    const Request& request = parser_->get();
    if (request.count(http::field::host) > 1)
      return refuse(400, "the request has more than one Host");
    const auto field = [&](http::field name) { return std::string(request[name]); };
    answer(context_->api.answer({.listener = listener_,
                                 .method = std::string(request.method_string()),
                                 .target = std::string(request.target()),
                                 .host = field(http::field::host),
                                 .origin = field(http::field::origin),
                                 .authorization = field(http::field::authorization),
                                 .last_event_id = std::string(request["Last-Event-ID"])}),
           request.keep_alive());
  }

  void refuse(unsigned status, std::string_view why) {
    answer({.status = status, .body = R"({"error":")" + std::string(why) + "\"}\n"}, false);
  }

  void answer(ApiReply reply, bool keep_alive) {
    namespace http = boost::beast::http;
    if (reply.events && context_->streams >= context_->limits.streams)
      return refuse(503, "too many streams of events are open");
    if (reply.events) {
      drop_at_end();
      return write_part(begin_stream(*reply.events));
    }
    response_ = Response(static_cast<http::status>(reply.status), 11);
    add_fields(response_, reply.content_type);
    if (reply.status == 401) response_.set(http::field::www_authenticate, "Bearer");
    if (!reply.allow.empty()) response_.set(http::field::allow, reply.allow);
    response_.body() = reply.asset.empty() ? std::move(reply.body) : std::string(reply.asset);
    response_.keep_alive(keep_alive);
    response_.prepare_payload();
    socket().expires_after(context_->limits.write);
    http::async_write(stream_, response_,
                      [self = self()](const boost::system::error_code& failed, std::size_t) {
                        if (failed || self->response_.need_eof()) return self->drop();
                        self->read();
                      });
  }

  /// A reader of a stream sends nothing more: any byte, or the end of the connection, ends the
  /// session. Keeps the session alive while it has nothing to write.
  void drop_at_end() {
    socket().expires_never();
    stream_.async_read_some(
        boost::asio::buffer(&last_byte_, 1),
        [self = self()](const boost::system::error_code&, std::size_t) { self->drop(); });
  }

  void write_part(std::string part) {
    writing_ = true;
    part_ = std::move(part);
    socket().expires_after(context_->limits.write);
    boost::asio::async_write(stream_, boost::asio::buffer(part_),
                             [self = self()](const boost::system::error_code& failed, std::size_t) {
                               self->writing_ = false;
                               if (failed) return self->drop();
                               if (!self->context_->closed) self->publish();
                             });
  }

  Stream stream_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  Response response_;
  std::string part_;
  char last_byte_ = 0;
  bool writing_ = false;
};

}  // namespace sotto::coordinator::dashboard
