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

/// Called on the event loop's thread, one at a time. Handlers must not block nor destroy the
/// transport; any may be empty.
struct TransportHandlers {
  std::function<void(ReceivedFrame)> on_frame;
  /// Participant: the link to the coordinator came up (again). Coordinator: never called; a member
  /// says Hello.
  std::function<void()> on_connected;
  /// Participant: the link went down; the transport goes on trying by itself. What was queued may
  /// leave first on the next link, ahead of what on_connected sends, or be lost.
  std::function<void()> on_disconnected;
  /// One sentence for the operator's log: a refused key, a coordinator that is not the enrolled
  /// one, a port scanner. Once until the next connection; on the coordinator at the 1st, 2nd, 4th,
  /// 8th ... from one address.
  std::function<void(std::string)> on_warning;
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
  // The coordinator's: what others than members do.
  std::uint64_t handshakes_refused = 0;  // strangers' keys
  std::uint64_t came_to_nothing = 0;     // connections without a word: scanners, garbage
  std::uint64_t links_shed = 0;          // closed: too many, or one that said nothing for long
};

/// One thread: all calls on the io_context's thread. Destruction waits a moment (2 s at most) for
/// the last frames to leave.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual SendOutcome send(MemberId peer, BytesView frame) = 0;
  [[nodiscard]] virtual TransportCounters counters() const = 0;
};

/// The longest frame a participant accepts. The coordinator accepts less, by its number of members.
inline constexpr std::int64_t kMaxFrameBytes = std::int64_t{8} << 20;

struct CurveIdentity {
  Bytes32 public_key{};
  crypto::Secret32 secret_key;
};

struct AdmittedMember {
  MemberId id{};
  Bytes32 transport_key{};
};

/// What a member does with its connections. Called on the event loop's thread; any may be empty.
struct MemberLinks {
  /// It opened more connections lately than its work needs; the newest was refused.
  std::function<void(MemberId)> on_too_many;
  /// One that had delivered frames ended, and not because the member has a newer one.
  std::function<void(MemberId)> on_ended;
};

struct CoordinatorSocketOptions {
  std::string listen;  // tcp://host:port; port 0 or "*" picks one, see bound_endpoint
  CurveIdentity identity;
  std::vector<AdmittedMember> members;
  MemberLinks links{};
  std::uint32_t heartbeat_ms = 15000;  // at most 30 s so that NATs keep the path
  // A peer that does not read what it asked for can make us hold this many of the longest frames.
  std::uint32_t queue_frames = 64;
};

struct ParticipantSocketOptions {
  std::string endpoint;
  CurveIdentity identity;
  Bytes32 coordinator_key{};
  std::uint32_t heartbeat_ms = 15000;
  std::uint32_t queue_frames = 64;
};

/// Throw StartupError, with what to do, when the address is taken or malformed or the key pair is
/// none.
std::unique_ptr<Transport> listen(boost::asio::io_context& loop, CoordinatorSocketOptions options,
                                  TransportHandlers handlers);
std::unique_ptr<Transport> connect(boost::asio::io_context& loop, ParticipantSocketOptions options,
                                   TransportHandlers handlers);
/// The address a listening transport is bound to.
std::string bound_endpoint(const Transport& transport);

/// Raises this process's soft limit on open files to its hard limit (a connection is a file) and
/// returns what holds now.
std::uint64_t raise_file_limit();

}  // namespace sotto::net
