#include "tests/common/net/relay.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <list>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

namespace sotto::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t kPieceBytes = 32768;
constexpr milliseconds kLookAgain{5};

struct Behaviour {
  std::atomic<int> delay_ms = 0;
  std::atomic<std::uint64_t> bytes_per_second = 0;
  std::atomic<bool> stalled = false;
  std::atomic<int> forget_idle_ms = 0;
  std::atomic<std::uint64_t> up = 0, down = 0, connections = 0;
  std::atomic<std::int64_t> until_cut = -1;  // bytes; negative: no cut is ordered
};

/// One connection and its two directions. Kept alive by what waits in the loop.
struct Connection : std::enable_shared_from_this<Connection> {
  Connection(asio::io_context& loop, tcp::socket from, Behaviour& shared)
      : behaviour(shared),
        near(std::move(from)),
        far(loop),
        up{near, far, shared.up, asio::steady_timer(loop), {}},
        down{far, near, shared.down, asio::steady_timer(loop), {}} {}

  struct Direction {
    tcp::socket& in;
    tcp::socket& out;
    std::atomic<std::uint64_t>& passed;
    asio::steady_timer timer;
    std::array<char, kPieceBytes> piece;
  };

  void start(const tcp::endpoint& target) {
    far.async_connect(target, [self = shared_from_this()](const error_code& failed) {
      if (failed) return self->cut();
      self->read(self->up);
      self->read(self->down);
    });
  }

  void read(Direction& way) {
    way.in.async_read_some(asio::buffer(way.piece), [self = shared_from_this(), &way](
                                                        const error_code& failed, std::size_t n) {
      if (failed) return self->forgotten ? void() : self->cut();
      self->heard(way, n);
    });
  }

  void heard(Direction& way, std::size_t n) {
    const auto now = std::chrono::steady_clock::now();
    const int idle = behaviour.forget_idle_ms;
    if (idle > 0 && now - last_byte > milliseconds(idle)) forgotten = true;
    last_byte = now;
    if (forgotten) return read(way);
    milliseconds wait{behaviour.delay_ms};
    if (const std::uint64_t rate = behaviour.bytes_per_second; rate > 0)
      wait += milliseconds(1000 * n / rate);
    pass_on(way, n, wait);
  }

  void pass_on(Direction& way, std::size_t n, milliseconds wait) {
    if (behaviour.stalled) wait = std::max(wait, kLookAgain);
    if (wait.count() == 0) return write(way, n);
    way.timer.expires_after(wait);
    way.timer.async_wait([self = shared_from_this(), &way, n](const error_code& cancelled) {
      if (cancelled) return;
      if (self->behaviour.stalled) return self->pass_on(way, n, kLookAgain);
      self->write(way, n);
    });
  }

  void write(Direction& way, std::size_t n) {
    if (forgotten) return read(way);
    asio::async_write(way.out, asio::buffer(way.piece, n),
                      [self = shared_from_this(), &way, n](const error_code& failed, std::size_t) {
                        if (failed) return self->cut();
                        way.passed += n;
                        self->count(static_cast<std::int64_t>(n));
                        self->read(way);
                      });
  }

  void count(std::int64_t n) {
    if (behaviour.until_cut < 0) return;
    if ((behaviour.until_cut -= n) >= 0) return;
    behaviour.until_cut = -1;
    cut();
  }

  void cut() {
    for (tcp::socket* socket : {&near, &far}) {
      error_code ignored;
      socket->set_option(asio::socket_base::linger(true, 0), ignored);  // a reset, as routers do
      socket->close(ignored);
    }
    up.timer.cancel();
    down.timer.cancel();
  }

  Behaviour& behaviour;
  tcp::socket near;
  tcp::socket far;
  Direction up;
  Direction down;
  bool forgotten = false;
  std::chrono::steady_clock::time_point last_byte = std::chrono::steady_clock::now();
};

}  // namespace

struct Relay::Impl {
  explicit Impl(const std::string& to)
      : target(asio::ip::address_v4::loopback(),
               static_cast<std::uint16_t>(std::stoi(to.substr(to.rfind(':') + 1)))),
        acceptor(loop, {asio::ip::address_v4::loopback(), 0}) {
    accept();
    thread = std::thread([this] { loop.run(); });
  }

  ~Impl() {
    loop.stop();
    thread.join();
  }

  void accept() {
    acceptor.async_accept([this](const error_code& failed, tcp::socket from) {
      if (failed) return;
      ++behaviour.connections;
      const auto made = std::make_shared<Connection>(loop, std::move(from), behaviour);
      connections.push_back(made);
      made->start(target);
      accept();
    });
  }

  template <class Action>
  void for_each(Action action) {
    asio::post(loop, [this, action] {
      for (const auto& weak : connections)
        if (const auto connection = weak.lock()) action(*connection);
    });
  }

  Behaviour behaviour;
  asio::io_context loop{1};
  tcp::endpoint target;
  tcp::acceptor acceptor;
  std::list<std::weak_ptr<Connection>> connections;
  std::thread thread;
};

Relay::Relay(const std::string& target) : impl_(std::make_unique<Impl>(target)) {}

Relay::~Relay() = default;

std::string Relay::endpoint() const {
  return "tcp://127.0.0.1:" + std::to_string(impl_->acceptor.local_endpoint().port());
}

std::uint64_t Relay::up_bytes() const {
  return impl_->behaviour.up;
}

std::uint64_t Relay::down_bytes() const {
  return impl_->behaviour.down;
}

std::uint64_t Relay::connections() const {
  return impl_->behaviour.connections;
}

void Relay::delay(milliseconds each_way) {
  impl_->behaviour.delay_ms = static_cast<int>(each_way.count());
}

void Relay::narrow(std::uint64_t bytes_per_second) {
  impl_->behaviour.bytes_per_second = bytes_per_second;
}

void Relay::stall() {
  impl_->behaviour.stalled = true;
}

void Relay::resume() {
  impl_->behaviour.stalled = false;
}

void Relay::forget_idle(milliseconds after) {
  impl_->behaviour.forget_idle_ms = static_cast<int>(after.count());
}

void Relay::cut() {
  impl_->for_each([](Connection& connection) { connection.cut(); });
}

void Relay::cut_after(std::uint64_t bytes) {
  impl_->behaviour.until_cut = static_cast<std::int64_t>(bytes);
}

void Relay::forget() {
  impl_->for_each([](Connection& connection) { connection.forgotten = true; });
}

}  // namespace sotto::net
