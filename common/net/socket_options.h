// The socket options that both ends of a link set. Private to common/net.
#pragma once

#include "common/net/transport.h"
#include "common/net/zmq_socket.h"

namespace sotto::net {

/// Sets keys, heartbeats, queues and limits. Throws StartupError when a setting is out of range or
/// the two keys are no pair.
void set_common_options(ZmqSocket& socket, const CurveIdentity& identity,
                        std::uint32_t heartbeat_ms, std::uint32_t queue_frames,
                        std::int64_t max_frame_bytes);

}  // namespace sotto::net
