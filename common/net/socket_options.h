// What both ends of the link set on their sockets. Private to common/net.
#pragma once

#include "common/net/transport.h"
#include "common/net/zmq_socket.h"

namespace sotto::net {

/// Keys, heartbeats, queues, limits. Throws StartupError when the key pair is none.
void set_common_options(ZmqSocket& socket, const CurveIdentity& identity,
                        std::uint32_t heartbeat_ms, std::uint32_t queue_frames,
                        std::int64_t max_frame_bytes);

}  // namespace sotto::net
