// Transport of frames between the coordinator and its members. It knows peers and bytes, but no
// rounds. Both ends use ZeroMQ with CURVE. The coordinator admits only transport keys of the roster
// (ZAP) and identifies the peer by the key that it proved, never by a field of the frame.
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

/// The handlers are called on the event loop's thread, one at a time. They must not block and must
/// not destroy the transport; any may be empty.
struct TransportHandlers {
  std::function<void(ReceivedFrame)> on_frame;
  /// Participant: the link to the coordinator is up (again). Coordinator: never called; a member
  /// sends Hello.
  std::function<void()> on_connected;
  /// Participant: the link is down; the transport reconnects by itself. Queued frames may be sent
  /// first on the next link, before those of on_connected, or be lost.
  std::function<void()> on_disconnected;
  /// One sentence for the operator's log: a refused key, a coordinator other than the enrolled one,
  /// a port scanner. Called once until the next connection; on the coordinator for the 1st, 2nd,
  /// 4th, 8th ... event from one address.
  std::function<void(std::string)> on_warning;
};

enum class SendOutcome {
  kSent,
  // The bounded queue of the peer is full: try again later. Blobs are pulled and never cause this.
  kWouldBlock,
  kUnreachable,  // not connected now
};

struct TransportCounters {
  std::uint64_t frames_sent = 0, frames_received = 0;
  std::uint64_t bytes_sent = 0, bytes_received = 0;
  // The coordinator's counts of connections that are not those of members.
  std::uint64_t handshakes_refused = 0;  // keys that are not in the roster
  std::uint64_t ended_early = 0;         // connections without a frame: scanners, garbage
  std::uint64_t links_shed = 0;          // closed: too many, or without a frame for long
};

/// Transport sends frames to peers. All calls are made on the io_context's thread. Destruction
/// waits, 2 s at most, until the last frames are sent.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual SendOutcome send(MemberId peer, BytesView frame) = 0;
  [[nodiscard]] virtual TransportCounters counters() const = 0;
};

/// The longest frame that a participant accepts. The coordinator's limit is lower and depends on
/// its number of members.
inline constexpr std::int64_t kMaxFrameBytes = std::int64_t{8} << 20;

struct CurveIdentity {
  Bytes32 public_key{};
  crypto::Secret32 secret_key;
};

struct AdmittedMember {
  MemberId id{};
  Bytes32 transport_key{};
};

/// Events of a member's connections. Called on the event loop's thread; any may be empty.
struct MemberLinks {
  /// The member recently opened more connections than its work needs; the newest was refused.
  std::function<void(MemberId)> on_too_many;
  /// A connection that had delivered frames ended, and not because the member has a newer one.
  std::function<void(MemberId)> on_ended;
};

struct CoordinatorSocketOptions {
  std::string listen;  // tcp://host:port; port 0 or "*": any, see bound_endpoint
  CurveIdentity identity;
  std::vector<AdmittedMember> members;
  MemberLinks links{};
  std::uint32_t heartbeat_ms = 15000;  // at most 30 s, so that NATs keep the path
  // A peer that does not read its frames can make this process hold this many of the longest ones.
  std::uint32_t queue_frames = 64;
};

struct ParticipantSocketOptions {
  std::string endpoint;
  CurveIdentity identity;
  Bytes32 coordinator_key{};
  std::uint32_t heartbeat_ms = 15000;
  std::uint32_t queue_frames = 64;
};

/// Open a transport. They throw StartupError, with advice, when the address is in use or malformed
/// or the two keys are no pair.
std::unique_ptr<Transport> listen(boost::asio::io_context& loop, CoordinatorSocketOptions options,
                                  TransportHandlers handlers);
std::unique_ptr<Transport> connect(boost::asio::io_context& loop, ParticipantSocketOptions options,
                                   TransportHandlers handlers);
/// Returns the address to which a listening transport is bound.
std::string bound_endpoint(const Transport& transport);

/// Raises this process's soft limit on open files (a connection is a file) to its hard limit, or to
/// 2^20 where that is lower, and returns the limit in effect.
std::uint64_t raise_file_limit();

}  // namespace sotto::net
