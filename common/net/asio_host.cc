#include "common/net/asio_host.h"

#include <chrono>
#include <csignal>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

namespace sotto::net {

namespace asio = boost::asio;

struct AsioHost::Impl {
  Impl(unsigned threads, std::function<void(const std::string&)> on_warning)
      : warn(std::move(on_warning)), pool(threads), alarm(loop), signals(loop, SIGINT, SIGTERM) {}

  void attach(App& a) {
    app = &a;
    wait_for_signal();
    asio::post(loop, [this] { app->start(); });
  }

  TransportHandlers handlers() {
    return {.on_frame = [this](ReceivedFrame f) { app->on_frame(f.peer, f.frame); },
            .on_connected = [this] { app->on_connected(); },
            .on_disconnected = [] {},
            .on_warning = warn};
  }

  void wait_for_signal() {
    signals.async_wait([this](const boost::system::error_code& failed, int) {
      if (failed) return;
      // A second signal ends the process at once.
      if (std::exchange(asked_to_stop, true)) return end(130);
      app->on_stop_requested();
      wait_for_signal();
    });
  }

  void end(int code) {
    exit_code = code;
    transport.reset();  // sends the frames that are still queued
    loop.stop();
  }

  std::function<void(const std::string&)> warn;
  asio::io_context loop{1};
  asio::thread_pool pool;
  asio::steady_timer alarm;
  asio::signal_set signals;
  std::unique_ptr<Transport> transport;
  App* app = nullptr;
  bool asked_to_stop = false;
  int exit_code = 0;
};

AsioHost::AsioHost(unsigned compute_threads, std::function<void(const std::string&)> warn)
    : impl_(std::make_unique<Impl>(compute_threads == 0 ? 1 : compute_threads, std::move(warn))) {
  raise_file_limit();
}

AsioHost::~AsioHost() {
  impl_->pool.join();
}

void AsioHost::listen(CoordinatorSocketOptions options, App& app) {
  impl_->attach(app);  // before the transport exists, so that start() precedes any frame
  impl_->transport = net::listen(impl_->loop, std::move(options), impl_->handlers());
}

void AsioHost::connect(ParticipantSocketOptions options, App& app) {
  impl_->attach(app);
  impl_->transport = net::connect(impl_->loop, std::move(options), impl_->handlers());
}

int AsioHost::run() {
  impl_->loop.run();
  impl_->transport.reset();
  return impl_->exit_code;
}

TransportCounters AsioHost::counters() const {
  return impl_->transport ? impl_->transport->counters() : TransportCounters{};
}

asio::io_context& AsioHost::loop() {
  return impl_->loop;
}

TimePoint AsioHost::now() const {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

bool AsioHost::send(MemberId peer, Bytes frame) {
  return impl_->transport && impl_->transport->send(peer, frame) != SendOutcome::kUnreachable;
}

void AsioHost::wake_at(TimePoint when) {
  impl_->alarm.expires_at(when);
  impl_->alarm.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) impl_->app->on_wake();
  });
}

void AsioHost::compute(std::function<void()> work, std::function<void()> done) {
  asio::post(impl_->pool, [this, work = std::move(work), done = std::move(done)]() mutable {
    work();
    asio::post(impl_->loop, std::move(done));
  });
}

UnauthenticatedConnections AsioHost::unauthenticated() const {
  const TransportCounters c = counters();
  return {.refused_keys = c.handshakes_refused, .ended_early = c.ended_early, .shed = c.links_shed};
}

void AsioHost::finish(int exit_code) {
  asio::post(impl_->loop, [this, exit_code] { impl_->end(exit_code); });
}

}  // namespace sotto::net
