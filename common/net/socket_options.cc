#include "common/net/socket_options.h"

#include <algorithm>
#include <string>

#include <sys/resource.h>
#include <zmq.h>

#include "common/crypto/key_agreement.h"

namespace sotto::net {

namespace {

constexpr int kLingerMs = 2000;
constexpr int kHandshakeMs = 10000;
// The frames of a peer that are received and not yet handled. It is small because a peer can make
// this process hold this many frames.
constexpr int kReceiveQueue = 64;
constexpr rlim_t kEnoughFiles = rlim_t{1} << 20;

}  // namespace

void set_common_options(ZmqSocket& socket, const CurveIdentity& identity,
                        std::uint32_t heartbeat_ms, std::uint32_t queue_frames,
                        std::int64_t max_frame_bytes) {
  if (zmq_has("curve") == 0)
    throw StartupError(
        "this libzmq was built without CURVE; install one with CURVE (such as Debian's)");
  // CURVE's keys are X25519 keys. Two keys that are no pair would show only as a handshake that
  // never succeeds, so they are refused here.
  if (crypto::AgreementKey(identity.secret_key.clone()).public_key() != identity.public_key)
    throw StartupError(
        "the two keys of the transport key pair do not belong together; enrol again or restore the "
        "key file");
  if (heartbeat_ms < 100 || heartbeat_ms > 30000)
    throw StartupError(
        "heartbeat_ms is " + std::to_string(heartbeat_ms) +
        "; it must be 100 to 30000, so that the routers on the way keep the path open");
  if (queue_frames == 0 || queue_frames > 1000000)
    throw StartupError("queue_frames is " + std::to_string(queue_frames) +
                       "; it must be 1 to 1000000");
  socket.set(ZMQ_CURVE_PUBLICKEY, BytesView(identity.public_key));
  socket.set(ZMQ_CURVE_SECRETKEY, BytesView(identity.secret_key.expose()));
  socket.set(ZMQ_IPV6, 1);
  socket.set(ZMQ_LINGER, kLingerMs);
  socket.set(ZMQ_HANDSHAKE_IVL, kHandshakeMs);
  socket.set(ZMQ_MAXMSGSIZE, max_frame_bytes);
  socket.set(ZMQ_SNDHWM, static_cast<int>(queue_frames));
  socket.set(ZMQ_RCVHWM, std::min(static_cast<int>(queue_frames), kReceiveQueue));
  const int heartbeat = static_cast<int>(heartbeat_ms);
  socket.set(ZMQ_HEARTBEAT_IVL, heartbeat);
  socket.set(ZMQ_HEARTBEAT_TIMEOUT, 2 * heartbeat);
  // ZMQ_HEARTBEAT_TTL is not set. Each end sends its own heartbeats, and each timer of a connection
  // slows down all others, because ZeroMQ searches linearly for the timer that it cancels.
}

std::uint64_t raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t wanted = std::max(limit.rlim_cur, std::min(limit.rlim_max, kEnoughFiles));
  const rlimit raised{wanted, limit.rlim_max};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return raised.rlim_cur;
  return limit.rlim_cur;
}

}  // namespace sotto::net
