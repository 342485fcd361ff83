#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <zmq.h>

#include "common/net/socket_options.h"
#include "common/net/transport.h"
#include "common/net/zmq_pump.h"
#include "common/net/zmq_socket.h"

namespace sotto::net {

namespace {

constexpr int kReconnectMs = 100;       // doubles
constexpr int kReconnectMaxMs = 10000;  // up to here
// ZeroMQ gives up on an address for good when the peer violated the protocol or refused this site's
// key. The coordinator may enrol the key later, so this transport reconnects by itself, after this
// time, which doubles.
constexpr std::chrono::seconds kRedial{3};
constexpr std::chrono::seconds kRedialMax{30};
constexpr const char* kConnectionMonitor = "inproc://monitor";
constexpr int kConnectionEvents =
    ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;

/// The status by which a coordinator refuses an admitted key that connects too often.
constexpr std::uint32_t kTooOften = 500;

class ParticipantTransport final : public Transport {
 public:
  ParticipantTransport(boost::asio::io_context& loop, const ParticipantSocketOptions& options,
                       TransportHandlers handlers)
      : handlers_(std::move(handlers)),
        endpoint_(options.endpoint),
        socket_(context_, ZMQ_DEALER),
        monitor_(context_, ZMQ_PAIR),
        redial_(loop),
        self_(std::make_shared<ParticipantTransport*>(this)) {
    require_tcp_endpoint(endpoint_, "the coordinator's address");
    set_common_options(socket_, options.identity, options.heartbeat_ms, options.queue_frames,
                       kMaxFrameBytes);
    socket_.set(ZMQ_CURVE_SERVERKEY, BytesView(options.coordinator_key));
    // ZMQ_IMMEDIATE is not set, because with it a lost link discards frames that arrived before and
    // were not read yet, such as the coordinator's last ones. Instead send() refuses frames while
    // the link is down.
    socket_.set(ZMQ_RECONNECT_IVL, kReconnectMs);
    socket_.set(ZMQ_RECONNECT_IVL_MAX, kReconnectMaxMs);
    monitor_.set(ZMQ_LINGER, 0);
    SOTTO_CHECK(zmq_socket_monitor(socket_.get(), kConnectionMonitor, kConnectionEvents) == 0,
                zmq_strerror(errno));
    SOTTO_CHECK(zmq_connect(monitor_.get(), kConnectionMonitor) == 0, zmq_strerror(errno));
    dial();
    pump_ = std::make_unique<ZmqPump>(loop, socket_, [this] { return receive_one(); });
    monitor_pump_ = std::make_unique<ZmqPump>(loop, monitor_, [this] { return event_one(); });
  }

  ~ParticipantTransport() override { zmq_socket_monitor(socket_.get(), nullptr, 0); }

  SendOutcome send(MemberId peer, BytesView frame) override {
    SOTTO_CHECK(peer == kCoordinatorId, "a participant has a link only to the coordinator");
    if (!connected_) return SendOutcome::kUnreachable;
    const int error = socket_.send_now(frame, ZMQ_DONTWAIT);
    pump_->wake();
    if (error == EAGAIN) return SendOutcome::kWouldBlock;
    SOTTO_CHECK(error == 0, zmq_strerror(error));
    ++counters_.frames_sent;
    counters_.bytes_sent += frame.size();
    return SendOutcome::kSent;
  }

  [[nodiscard]] TransportCounters counters() const override { return counters_; }

 private:
  void dial() {
    if (zmq_connect(socket_.get(), endpoint_.c_str()) != 0)
      throw StartupError("cannot connect to " + endpoint_ + " (" + zmq_strerror(errno) +
                         "): check the coordinator's address");
  }

  void dial_again_later() {
    if (redial_pending_) return;
    redial_pending_ = true;
    redial_.expires_after(redial_after_);
    redial_after_ = std::min(2 * redial_after_, kRedialMax);
    redial_.async_wait([weak = std::weak_ptr(self_)](boost::system::error_code /*cancelled*/) {
      if (const auto self = weak.lock()) (*self)->dial_again();
    });
  }

  void dial_again() {
    redial_pending_ = false;
    if (connected_) return;
    zmq_disconnect(socket_.get(), endpoint_.c_str());  // fails when ZeroMQ has given up on it
    dial();
    pump_->wake();
  }

  bool receive_one() {
    ZmqMessage frame;
    if (!socket_.receive(frame, ZMQ_DONTWAIT)) return false;
    int parts = 1;
    for (; frame.more(); ++parts)
      if (!socket_.receive(frame, ZMQ_DONTWAIT)) return false;
    if (parts != 1) return true;
    ++counters_.frames_received;
    counters_.bytes_received += frame.bytes().size();
    if (handlers_.on_frame) handlers_.on_frame({kCoordinatorId, frame.copy()});
    return true;
  }

  bool event_one() {
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
      ZmqMessage address;
      if (!monitor_.receive(address, ZMQ_DONTWAIT)) return false;
      more = address.more();
    }
    happened(what, value);
    return true;
  }

  void happened(std::uint16_t what, std::uint32_t value) {
    if (what == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return up();
    if (what == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH && value == kTooOften)
      warn("the coordinator at " + endpoint_ +
           " accepts no more connections with this site's key for now; another program may use "
           "this participant's folder, or this program restarts repeatedly");
    else if (what == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
      warn("the coordinator at " + endpoint_ +
           " rejected this site's key; check that this participant's card is enrolled in its "
           "roster");
    else if (what != ZMQ_EVENT_DISCONNECTED)
      warn("the handshake with " + endpoint_ +
           " failed: it is not the coordinator with the pinned key, or not a coordinator; check "
           "its address and the federation file");
    else if (connected_)
      down();
    dial_again_later();
  }

  void up() {
    connected_ = true;
    warned_ = false;
    redial_after_ = kRedial;
    if (handlers_.on_connected) handlers_.on_connected();
  }

  void down() {
    connected_ = false;
    if (handlers_.on_disconnected) handlers_.on_disconnected();
  }

  // The connection is tried again and again; the operator is warned once.
  void warn(std::string sentence) {
    if (warned_) return;
    warned_ = true;
    if (handlers_.on_warning) handlers_.on_warning(std::move(sentence));
  }

  TransportHandlers handlers_;
  std::string endpoint_;
  ZmqContext context_;
  ZmqSocket socket_;
  ZmqSocket monitor_;
  std::unique_ptr<ZmqPump> pump_;
  std::unique_ptr<ZmqPump> monitor_pump_;
  boost::asio::steady_timer redial_;
  std::chrono::seconds redial_after_ = kRedial;
  bool redial_pending_ = false;
  bool connected_ = false;
  bool warned_ = false;
  TransportCounters counters_;
  // Handlers in the loop hold it weakly and do nothing once the transport is gone.
  std::shared_ptr<ParticipantTransport*> self_;
};

}  // namespace

std::unique_ptr<Transport> connect(boost::asio::io_context& loop, ParticipantSocketOptions options,
                                   TransportHandlers handlers) {
  return std::make_unique<ParticipantTransport>(loop, options, std::move(handlers));
}

}  // namespace sotto::net
