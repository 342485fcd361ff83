#include "common/net/link_watch.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <zmq.h>

#include "common/base/check.h"

namespace sotto::net {

namespace {

constexpr const char* kMonitor = "inproc://link-watch";
// ZeroMQ reports the end of every connection, but not every handshake that fails (that of a web
// client, for example).
constexpr int kMonitored =
    ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
constexpr std::chrono::seconds kLookEvery{1};

struct Peer {
  std::string address;
  std::string with_port;
};

/// Returns the peer of a descriptor. It is empty when the descriptor is no connection any more.
Peer peer_of(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  char text[INET6_ADDRSTRLEN] = {};
  std::uint16_t port = 0;
  if (storage.ss_family == AF_INET) {
    const auto* four = reinterpret_cast<const sockaddr_in*>(&storage);
    ::inet_ntop(AF_INET, &four->sin_addr, text, sizeof text);
    port = ntohs(four->sin_port);
  } else if (storage.ss_family == AF_INET6) {
    const auto* six = reinterpret_cast<const sockaddr_in6*>(&storage);
    ::inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof text);
    port = ntohs(six->sin6_port);
  } else {
    return {};
  }
  std::string address = text;
  if (address.starts_with("::ffff:")) address = address.substr(7);  // IPv4 on an IPv6 socket
  return {address, address + " port " + std::to_string(port)};
}

std::string times(std::uint64_t count) {
  return count == 1 ? "" : " (" + std::to_string(count) + " times so far)";
}

}  // namespace

LinkWatch::LinkWatch(boost::asio::io_context& loop, ZmqContext& context, ZmqSocket& socket,
                     Limits limits, std::function<void(std::string)> warn,
                     std::function<void(MemberId)> on_ended)
    : limits_(limits),
      warn_(std::move(warn)),
      on_ended_(std::move(on_ended)),
      watched_(socket),
      monitor_(context, ZMQ_PAIR),
      alarm_(loop),
      self_(std::make_shared<LinkWatch*>(this)) {
  monitor_.set(ZMQ_LINGER, 0);
  // The queue has no limit, because ZeroMQ's own thread would wait for room in it, and every member
  // with that thread.
  monitor_.set(ZMQ_RCVHWM, 0);
  SOTTO_CHECK(zmq_socket_monitor(watched_.get(), kMonitor, kMonitored) == 0, zmq_strerror(errno));
  SOTTO_CHECK(zmq_connect(monitor_.get(), kMonitor) == 0, zmq_strerror(errno));
  pump_ = std::make_unique<ZmqPump>(loop, monitor_, [this] { return event_one(); });
  schedule_check();
}

LinkWatch::~LinkWatch() {
  zmq_socket_monitor(watched_.get(), nullptr, 0);
}

std::optional<LinkWatch::Serial> LinkWatch::authenticated(int descriptor, MemberId member) {
  while (event_one()) {  // the event of its acceptance may still be queued
  }
  const auto at = at_descriptor_.find(descriptor);
  if (at == at_descriptor_.end()) return std::nullopt;
  Connection& connection = connections_.at(at->second);
  if (std::exchange(connection.unauthenticated, false)) --unauthenticated_;
  connection.member = member;
  return at->second;
}

void LinkWatch::shut(Serial serial) {
  const auto at = connections_.find(serial);
  if (at == connections_.end()) return;
  at->second.member.reset();
  shut(at->second);
}

void LinkWatch::shut(const Connection& connection) {
  // The descriptor may already belong to another connection, whose event is still queued.
  if (connection.peer.empty() || peer_of(connection.descriptor).with_port != connection.peer)
    return;
  ::shutdown(connection.descriptor, SHUT_RDWR);
}

bool LinkWatch::event_one() {
  ZmqMessage event;
  if (!monitor_.receive(event, ZMQ_DONTWAIT)) return false;
  const BytesView bytes = event.bytes();  // u16 event, u32 value, in the machine's byte order
  std::uint16_t what = 0;
  std::uint32_t value = 0;
  if (bytes.size() >= sizeof what + sizeof value) {
    std::memcpy(&what, bytes.data(), sizeof what);
    std::memcpy(&value, bytes.data() + sizeof what, sizeof value);
  }
  for (bool more = event.more(); more;) {
    ZmqMessage address;  // the local address
    if (!monitor_.receive(address, ZMQ_DONTWAIT)) return false;
    more = address.more();
  }
  happened(what, static_cast<int>(value));
  return true;
}

void LinkWatch::happened(std::uint16_t event, int value) {
  if (event == ZMQ_EVENT_ACCEPTED) return accepted(value);
  if (event == ZMQ_EVENT_DISCONNECTED) return disconnected(value);
  if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) ++refused_;
}

void LinkWatch::accepted(int descriptor) {
  disconnected(descriptor);  // in case that event was lost
  Peer peer = peer_of(descriptor);
  const Serial serial = next_++;
  at_descriptor_[descriptor] = serial;
  connections_[serial] = {.descriptor = descriptor,
                          .peer = std::move(peer.with_port),
                          .address = std::move(peer.address),
                          .since = checks_,
                          .unauthenticated = true};
  if (++unauthenticated_ > limits_.unauthenticated) shed_one_of_the_most();
}

void LinkWatch::disconnected(int descriptor) {
  const auto at = at_descriptor_.find(descriptor);
  if (at == at_descriptor_.end()) return;
  const auto connection = connections_.extract(at->second);
  at_descriptor_.erase(at);
  if (const auto member = connection.mapped().member; member && on_ended_) on_ended_(*member);
  if (!connection.mapped().unauthenticated) return;
  --unauthenticated_;
  // Refused keys are counted by the ZapHandler. ZeroMQ does not report which connection belonged to
  // which key.
  if (refused_ > 0) return void(--refused_);
  const std::string& known = connection.mapped().address;
  const std::string address = known.empty() ? "an unknown address" : known;
  if (const auto count = broken_.again(address))
    warn_("a connection from " + address + " ended before it sent a frame" + times(*count) +
          ": its peer is a port scanner or another program that is not a participant");
}

void LinkWatch::shed(Connection& connection, const char* why) {
  connection.unauthenticated = false;
  --unauthenticated_;
  shut(connection);
  if (const auto count = shed_.again(connection.address))
    warn_("closed a connection from " + connection.address + ": " + why + times(*count));
}

void LinkWatch::shed_one_of_the_most() {
  std::map<std::string, std::size_t> each;
  for (const auto& [serial, connection] : connections_)
    if (connection.unauthenticated) ++each[connection.address];
  const auto most = std::max_element(each.begin(), each.end(),
                                     [](auto& a, auto& b) { return a.second < b.second; });
  // Closes the oldest one, because a member's connection delivers its first frame within moments.
  for (auto& [serial, connection] : connections_)
    if (connection.unauthenticated && connection.address == most->first)
      return shed(connection, "too many connections are unauthenticated, most of them from there");
}

void LinkWatch::check_connections() {
  ++checks_;
  for (auto& [serial, connection] : connections_) {
    if (checks_ - connection.since <= limits_.patience_s) break;  // those after it are newer
    if (connection.unauthenticated) shed(connection, "it has sent nothing since it was opened");
  }
  schedule_check();
}

void LinkWatch::schedule_check() {
  alarm_.expires_after(kLookEvery);
  alarm_.async_wait([weak = std::weak_ptr(self_)](boost::system::error_code /*cancelled*/) {
    if (const auto self = weak.lock()) (*self)->check_connections();
  });
}

}  // namespace sotto::net
