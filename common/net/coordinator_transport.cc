#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <zmq.h>

#include "common/net/link_watch.h"
#include "common/net/socket_options.h"
#include "common/net/transport.h"
#include "common/net/zap_handler.h"
#include "common/net/zmq_pump.h"
#include "common/net/zmq_socket.h"

namespace sotto::net {

namespace {

// The links that a member may have. It has more than one only while an old link ends and a new one
// is up.
constexpr std::size_t kLinksPerMember = 4;

/// Links maps ZeroMQ's routing ids to the members whose links they are, as learned from
/// authenticated frames. A member that reconnects has a new routing id; frames are sent on the
/// newest link.
class Links {
 public:
  using Connection = std::optional<LinkWatch::Serial>;

  /// Records a frame from a link. `connection()` is called for the connection of a link that is
  /// new. Returns the connection of the member's oldest link where the member has one too many; the
  /// caller ends it, so that it holds no more frames for this process to read.
  template <class Ask>
  Connection note_frame(MemberId member, const std::string& routing_id, Ask connection) {
    const auto [owner, is_new] = owners_.try_emplace(routing_id, Owner{member, std::nullopt});
    if (!is_new && owner->second.member == member) return std::nullopt;
    // The earlier link with this id is gone, because ZeroMQ admits no second one with it.
    if (!is_new) drop_from(owner->second.member, routing_id);
    owner->second = {member, connection()};
    auto& links = links_[member];
    links.push_back(routing_id);
    if (links.size() <= kLinksPerMember) return std::nullopt;
    const std::string oldest = links.front();
    const Connection too_many = owners_.at(oldest).connection;
    forget(oldest);
    return too_many;
  }

  /// Returns nullptr when no link of the member is known.
  [[nodiscard]] const std::string* newest(MemberId member) const {
    const auto found = links_.find(member);
    return found == links_.end() || found->second.empty() ? nullptr : &found->second.back();
  }

  void forget(const std::string& routing_id) {
    const auto owner = owners_.find(routing_id);
    if (owner == owners_.end()) return;
    drop_from(owner->second.member, routing_id);
    owners_.erase(owner);
  }

 private:
  struct Owner {
    MemberId member{};
    Connection connection;
  };

  void drop_from(MemberId member, const std::string& routing_id) {
    std::erase(links_[member], routing_id);
  }

  std::map<MemberId, std::vector<std::string>> links_;  // oldest first
  std::map<std::string, Owner> owners_;
};

// Unauthenticated connections may use at most half of all files, and there is room for the
// handshakes of all members when they reconnect at the same time.
LinkWatch::Limits watch_limits(std::size_t members) {
  const std::size_t files = raise_file_limit();
  return {.unauthenticated =
              std::min<std::size_t>(1024 + members, std::max<std::size_t>(files / 2, 16))};
}

ZapHandler::AdmittedKeys keys_of(const std::vector<AdmittedMember>& members) {
  ZapHandler::AdmittedKeys keys;
  for (const AdmittedMember& member : members) {
    if (raw(member.id) == 0)
      throw StartupError("the roster has a member 0, which is the number of the coordinator");
    if (!keys.emplace(member.transport_key, member.id).second)
      throw StartupError("members " + std::to_string(raw(keys[member.transport_key])) + " and " +
                         std::to_string(raw(member.id)) +
                         " of the roster have the same transport key: one of them enrolled with a "
                         "copy of the other's card");
  }
  return keys;
}

// The longest frame is a range of a blob, or a list with an entry for every member.
std::int64_t max_frame_bytes(std::size_t members) {
  constexpr std::int64_t kChunk = std::int64_t{1} << 20;
  constexpr std::int64_t kSlack = std::int64_t{1} << 16;
  return std::min(kMaxFrameBytes, kChunk + kSlack + 256 * static_cast<std::int64_t>(members));
}

class CoordinatorTransport final : public Transport {
 public:
  CoordinatorTransport(boost::asio::io_context& loop, const CoordinatorSocketOptions& options,
                       TransportHandlers handlers)
      : loop_(loop),
        handlers_(std::make_shared<TransportHandlers>(std::move(handlers))),
        member_links_(std::make_shared<MemberLinks>(options.links)),
        zap_(context_, keys_of(options.members), refusal_reporter()),
        socket_(context_, ZMQ_ROUTER),
        watch_(loop, context_, socket_, watch_limits(options.members.size()), warner(),
               options.links.on_ended) {
    require_tcp_endpoint(options.listen, "the coordinator's listen address");
    set_common_options(socket_, options.identity, options.heartbeat_ms, options.queue_frames,
                       max_frame_bytes(options.members.size()));
    // Members send heartbeats four times as often, which keeps the routers' paths open. The
    // coordinator's only have to detect dead links, of which there may be thousands.
    socket_.set(ZMQ_HEARTBEAT_IVL, 4 * static_cast<int>(options.heartbeat_ms));
    socket_.set(ZMQ_CURVE_SERVER, 1);
    socket_.set(ZMQ_ROUTER_MANDATORY, 1);  // send() reports a full or missing link
    socket_.set(ZMQ_BACKLOG, 1024);
    bind(options.listen);
    pump_ = std::make_unique<ZmqPump>(loop, socket_, [this] { return receive_one(); });
  }

  SendOutcome send(MemberId peer, BytesView frame) override {
    while (const std::string* link = links_.newest(peer)) {
      const int error = socket_.send_now(view_of(*link), ZMQ_SNDMORE | ZMQ_DONTWAIT);
      pump_->wake();
      if (error == EAGAIN) return SendOutcome::kWouldBlock;
      if (error == 0) {
        const int rest = socket_.send(frame, ZMQ_DONTWAIT);
        SOTTO_CHECK(rest == 0, zmq_strerror(rest));  // the first part reserved the room
        ++counters_.frames_sent;
        counters_.bytes_sent += frame.size();
        return SendOutcome::kSent;
      }
      SOTTO_CHECK(error == EHOSTUNREACH, zmq_strerror(error));
      links_.forget(std::string(*link));
    }
    return SendOutcome::kUnreachable;
  }

  [[nodiscard]] TransportCounters counters() const override {
    TransportCounters counters = counters_;
    counters.handshakes_refused = zap_.refused();
    counters.ended_early = watch_.broken();
    counters.links_shed = watch_.shed();
    return counters;
  }

  [[nodiscard]] std::string endpoint() const {
    char text[256] = {};
    std::size_t size = sizeof text;
    SOTTO_CHECK(zmq_getsockopt(socket_.get(), ZMQ_LAST_ENDPOINT, text, &size) == 0,
                zmq_strerror(errno));
    return text;
  }

 private:
  ZapHandler::OnRefused refusal_reporter() {
    // The counts are used on the handler's thread alone.
    return [&loop = loop_, weak = std::weak_ptr(handlers_), links = std::weak_ptr(member_links_),
            repeats = std::make_shared<Repeats>()](std::optional<MemberId> member,
                                                   const std::string& address) {
      if (member)
        return boost::asio::post(loop, [links, member = *member] {
          const auto alive = links.lock();
          if (alive && alive->on_too_many) alive->on_too_many(member);
        });
      const auto count = repeats->again(address);
      if (!count) return;
      boost::asio::post(loop, [weak, address, count = *count] {
        const auto handlers = weak.lock();
        if (handlers && handlers->on_warning)
          handlers->on_warning("refused a connection from " + address +
                               ": its transport key is not in the roster (" +
                               std::to_string(count) + " refusals so far)");
      });
    };
  }

  std::function<void(std::string)> warner() {
    return [handlers = handlers_](std::string sentence) {
      if (handlers->on_warning) handlers->on_warning(std::move(sentence));
    };
  }

  void bind(const std::string& listen) {
    if (zmq_bind(socket_.get(), listen.c_str()) == 0) return;
    const int error = errno;
    std::string advice;
    if (error == EADDRINUSE)
      advice =
          ": another program uses this port; stop it (ss -ltnp shows it) or choose another port";
    else if (error == EADDRNOTAVAIL || error == ENODEV || error == EINVAL)
      advice =
          ": this machine does not have this address; use one that 'ip addr' shows, or "
          "tcp://*:PORT";
    else if (error == EACCES)
      advice = ": ports below 1024 need root; choose a higher port";
    throw StartupError("cannot listen on " + listen + " (" + zmq_strerror(error) + ")" + advice);
  }

  /// Reads one message. It is ignored unless it has the form [routing id][frame] and comes from a
  /// key that ZAP admitted.
  bool receive_one() {
    ZmqMessage routing_id;
    if (!socket_.receive(routing_id, ZMQ_DONTWAIT)) return false;
    bool more = routing_id.more();
    ZmqMessage frame;
    int parts = 0;
    for (; more; ++parts) {
      if (!socket_.receive(frame, ZMQ_DONTWAIT)) return false;
      more = frame.more();
    }
    const auto member = member_of_user_id(frame.user_id());
    if (parts != 1 || !member) return true;
    const BytesView id = routing_id.bytes();
    const auto too_many = links_.note_frame(*member, std::string(id.begin(), id.end()), [&] {
      return watch_.authenticated(frame.descriptor(), *member);
    });
    if (too_many) watch_.shut(*too_many);
    ++counters_.frames_received;
    counters_.bytes_received += frame.bytes().size();
    if (handlers_->on_frame) handlers_->on_frame({*member, frame.copy()});
    return true;
  }

  // The data members are destroyed from the last to the first: the pump, the watch, the socket (its
  // last frames linger), the ZAP thread, and the context, which waits for the linger.
  boost::asio::io_context& loop_;
  std::shared_ptr<TransportHandlers> handlers_;
  std::shared_ptr<MemberLinks> member_links_;
  ZmqContext context_;
  ZapHandler zap_;
  ZmqSocket socket_;
  LinkWatch watch_;
  std::unique_ptr<ZmqPump> pump_;
  Links links_;
  TransportCounters counters_;
};

}  // namespace

std::unique_ptr<Transport> listen(boost::asio::io_context& loop, CoordinatorSocketOptions options,
                                  TransportHandlers handlers) {
  return std::make_unique<CoordinatorTransport>(loop, options, std::move(handlers));
}

std::string bound_endpoint(const Transport& transport) {
  const auto* coordinator = dynamic_cast<const CoordinatorTransport*>(&transport);
  SOTTO_CHECK(coordinator != nullptr, "only a listening transport has a bound endpoint");
  return coordinator->endpoint();
}

}  // namespace sotto::net
