// The transport alone: a coordinator's and a member's end on one loop, connected over CURVE on
// loopback, and a blob pulled through it. The floor of what moves big things.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "common/crypto/key_agreement.h"
#include "common/net/transport.h"
#include "common/wire/blob_transfer.h"
#include "common/wire/codec.h"
#include "tests/bench/bench.h"

namespace sotto::net {

inline constexpr MemberId kOne{1};

inline CurveIdentity new_identity() {
  crypto::OsRandom random;
  crypto::Secret32 secret = crypto::Secret32::random(random);
  const crypto::AgreementKey key(secret.clone());
  return {key.public_key(), std::move(secret)};
}

inline TimePoint now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

/// A coordinator and one member, connected, on one loop.
struct Link {
  Link() {
    CoordinatorSocketOptions listening;
    listening.listen = "tcp://127.0.0.1:*";
    listening.identity = new_identity();
    ParticipantSocketOptions joining;
    joining.identity = new_identity();
    joining.coordinator_key = listening.identity.public_key;
    listening.members = {{kOne, joining.identity.public_key}};
    server =
        listen(loop, std::move(listening), {[this](ReceivedFrame f) { at_server(f); }, {}, {}, {}});
    joining.endpoint = bound_endpoint(*server);
    TransportHandlers handlers;
    handlers.on_frame = [this](ReceivedFrame f) { at_client(f); };
    handlers.on_connected = [this] {
      must_send(*client, kCoordinatorId, wire::encode(kOne, {}, wire::Hello{}));
    };
    client = connect(loop, std::move(joining), std::move(handlers));
  }

  static void must_send(Transport& transport, MemberId peer, const Bytes& frame) {
    SOTTO_CHECK(transport.send(peer, frame) == SendOutcome::kSent, "the benchmark's link is full");
  }

  boost::asio::io_context loop;
  std::function<void(const ReceivedFrame&)> at_server;
  std::function<void(const ReceivedFrame&)> at_client;
  std::unique_ptr<Transport> server;
  std::unique_ptr<Transport> client;
};

/// Wall time of pulling `blob` in the ranges that uploads are pulled in, both ends on one loop.
inline double pull_seconds(const Bytes& blob) {
  Link link;
  wire::BlobFetch fetch({}, blob.size(), blob.size());
  double start = 0;
  link.at_client = [&](const ReceivedFrame& received) {
    const auto request = wire::decode(received.frame);
    const auto data = wire::answer(std::get<wire::BlobRequest>(request->message), blob);
    Link::must_send(*link.client, kCoordinatorId, wire::encode(kOne, {}, *data));
  };
  link.at_server = [&](const ReceivedFrame& received) {
    const auto message = wire::decode(received.frame);
    if (const auto* data = std::get_if<wire::BlobData>(&message->message))
      SOTTO_CHECK(fetch.accept(*data).ok(), "a range was refused");
    else
      start = bench::wall_seconds();
    for (const auto& request : fetch.due(now()))
      Link::must_send(*link.server, kOne, wire::encode(kCoordinatorId, {}, request));
    if (fetch.complete()) link.loop.stop();
  };
  link.loop.run();
  return bench::wall_seconds() - start;
}

}  // namespace sotto::net
