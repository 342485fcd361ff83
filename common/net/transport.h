// Moving frames between the coordinator and its members. Knows peers and bytes, no rounds. ZeroMQ
// with CURVE on both ends; the coordinator admits only transport keys of the roster (ZAP) and names
// the peer by the key it proved, never by what the frame says.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/crypto/secret.h"

namespace boost::asio {
class io_context;
}

namespace sotto::net {

struct ReceivedFrame {
  MemberId peer{};  // authenticated by CURVE + ZAP; kCoordinatorId on a participant
  Bytes frame;
};

/// Called on the event loop's thread, one at a time. Handlers must not block.
struct TransportHandlers {
  std::function<void(ReceivedFrame)> on_frame;
  /// Participant: the link to the coordinator came up (again). Coordinator: never called; a member
  /// says Hello.
  std::function<void()> on_connected;
  /// The link went down; ZeroMQ goes on reconnecting by itself.
  std::function<void()> on_disconnected;
};

enum class SendOutcome {
  kSent,
  kWouldBlock,  // the peer's queue is full: bounded, so try again later; blobs are pulled and never
                // hit this
  kUnreachable,  // not connected now
};

struct TransportCounters {
  std::uint64_t frames_sent = 0, frames_received = 0;
  std::uint64_t bytes_sent = 0, bytes_received = 0;
  std::uint64_t handshakes_refused = 0;  // strangers' keys
};

/// One thread: all calls on the io_context's thread.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual SendOutcome send(MemberId peer, BytesView frame) = 0;
  [[nodiscard]] virtual TransportCounters counters() const = 0;
};

struct CurveIdentity {
  Bytes32 public_key{};
  crypto::Secret32 secret_key;
};

struct AdmittedMember {
  MemberId id{};
  Bytes32 transport_key{};
};

struct CoordinatorSocketOptions {
  std::string listen;  // tcp://host:port; port 0 or "*" picks one, see bound_endpoint
  CurveIdentity identity;
  std::vector<AdmittedMember> members;
  std::uint32_t heartbeat_ms = 15000;  // at most 30 s so that NATs keep the path
  std::uint32_t queue_frames = 1024;   // a peer
};

struct ParticipantSocketOptions {
  std::string endpoint;
  CurveIdentity identity;
  Bytes32 coordinator_key{};
  std::uint32_t heartbeat_ms = 15000;
  std::uint32_t queue_frames = 1024;
};

/// Throw StartupError, with what to do, when the address is taken or malformed.
std::unique_ptr<Transport> listen(boost::asio::io_context& loop, CoordinatorSocketOptions options,
                                  TransportHandlers handlers);
std::unique_ptr<Transport> connect(boost::asio::io_context& loop, ParticipantSocketOptions options,
                                   TransportHandlers handlers);
/// The address a listening transport is bound to.
std::string bound_endpoint(const Transport& transport);

}  // namespace sotto::net
