#include "common/net/zap_handler.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include <zmq.h>

#include "common/base/check.h"

namespace sotto::net {

namespace {

// A request has these frames: version, request id, domain, address, identity, mechanism,
// credentials.
constexpr std::size_t kRequestFrames = 7;

bool is(const Bytes& frame, std::string_view text) {
  const BytesView expected = view_of(text);
  return std::equal(frame.begin(), frame.end(), expected.begin(), expected.end());
}

}  // namespace

ZapHandler::ZapHandler(ZmqContext& context, AdmittedKeys keys, OnRefused on_refused)
    : context_(context),
      keys_(std::move(keys)),
      on_refused_(std::move(on_refused)),
      socket_(context, ZMQ_REP) {
  socket_.set(ZMQ_LINGER, 0);
  SOTTO_CHECK(zmq_bind(socket_.get(), "inproc://zeromq.zap.01") == 0, zmq_strerror(errno));
  thread_ = std::thread([this] { serve(); });
}

ZapHandler::~ZapHandler() {
  context_.shut_down();
  thread_.join();
}

void ZapHandler::serve() {
  while (answer_one()) {
  }
}

bool ZapHandler::answer_one() {
  std::vector<Bytes> request;
  for (bool more = true; more;) {
    ZmqMessage frame;
    if (!socket_.receive(frame, 0)) return false;
    const BytesView bytes = frame.bytes();
    request.emplace_back(bytes.begin(), bytes.end());
    more = frame.more();
  }
  request.resize(std::max(request.size(), kRequestFrames));

  std::optional<MemberId> member;
  const Bytes& key = request[6];
  if (is(request[0], "1.0") && is(request[5], "CURVE") && key.size() == 32) {
    Bytes32 key32{};
    std::copy(key.begin(), key.end(), key32.begin());
    if (const auto found = keys_.find(key32); found != keys_.end()) member = found->second;
  }

  const bool admitted = member && takes_another(*member);
  const std::string user_id = admitted ? std::to_string(raw(*member)) : "";
  const BytesView reply[] = {view_of("1.0"),
                             request[1],
                             view_of(admitted ? "200"
                                     : member ? "300"
                                              : "400"),
                             view_of(admitted ? "OK"
                                     : member ? "too often"
                                              : "not in the roster"),
                             view_of(user_id),
                             {}};
  for (std::size_t i = 0; i < std::size(reply); ++i)
    if (socket_.send(reply[i], i + 1 < std::size(reply) ? ZMQ_SNDMORE : 0) != 0) return false;
  if (!admitted) {
    if (!member) ++refused_;
    std::string address(request[3].begin(), request[3].end());
    if (address.starts_with("::ffff:")) address = address.substr(7);  // IPv4 on an IPv6 socket
    if (on_refused_) on_refused_(member, std::move(address));
  }
  return true;
}

bool ZapHandler::takes_another(MemberId member) {
  const auto now = std::chrono::steady_clock::now();
  auto& lately = lately_[member];
  while (!lately.empty() && now - lately.front() >= kInTime)
    lately.pop_front();
  if (lately.size() >= kMostConnections) return false;
  lately.push_back(now);
  return true;
}

std::optional<MemberId> member_of_user_id(const char* user_id) {
  if (user_id == nullptr) return std::nullopt;
  const char* end = user_id + std::strlen(user_id);
  std::uint32_t id = 0;
  const auto [stop, error] = std::from_chars(user_id, end, id);
  if (error != std::errc{} || stop != end || id == 0) return std::nullopt;
  return MemberId{id};
}

}  // namespace sotto::net
