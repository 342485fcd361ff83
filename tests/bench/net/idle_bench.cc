// What it costs the coordinator that a thousand members are connected and have nothing to do: the
// real program in a process of its own, with its resident memory and its processor time for
// heartbeats, Hellos and its own status file. The members are transports of this process.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "common/crypto/hash.h"
#include "common/net/transport.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"
#include "tests/bench/bench.h"
#include "tests/bench/net/enrolled.h"

namespace sotto::net {
namespace {

constexpr std::uint32_t kMembers = 1000;
constexpr std::chrono::seconds kIdle{30};
constexpr std::chrono::seconds kSilent{16};     // less than makes a member absent
constexpr std::chrono::seconds kHelloEvery{5};  // as participants do
constexpr std::chrono::seconds kGiveUp{240};

/// One more member than come, so that no round begins.
bench::EnrolledSettings settings() {
  return {.members = kMembers + 1,
          .endpoint = "tcp://127.0.0.1:47411",
          .overrides = {"rounds.min_available_participants=" + std::to_string(kMembers + 1)}};
}

/// A thousand members on one loop: each agrees to the job and says Hello every five seconds.
class Crowd {
 public:
  explicit Crowd(const bench::Enrolled& federation) : federation_(federation), timer_(loop_) {
    raise_file_limit();
    members_.resize(kMembers);
    for (std::uint32_t id = 1; id <= kMembers; ++id) {
      TransportHandlers handlers;
      handlers.on_connected = [this, id] { hello(id); };
      handlers.on_frame = [this, id](const ReceivedFrame& frame) { hear(id, frame); };
      members_[id - 1] = connect(loop_, bench::socket_of(federation, id), std::move(handlers));
      loop_.poll();
    }
    tick();
  }

  bool all_agree() {
    const auto until = std::chrono::steady_clock::now() + kGiveUp;
    while (agreed_ < kMembers && std::chrono::steady_clock::now() < until)
      loop_.run_one_for(std::chrono::milliseconds(100));
    return agreed_ == kMembers;
  }

  void idle(std::chrono::seconds time) { loop_.run_for(time); }

  /// Connected as before, but nobody says Hello.
  void fall_silent() { silent_ = true; }

 private:
  void say(std::uint32_t id, const wire::Message& message) {
    static_cast<void>(
        members_[id - 1]->send(kCoordinatorId, wire::encode(MemberId{id}, {}, message)));
  }

  void hello(std::uint32_t id) { say(id, federation_.hello(run_)); }

  void hear(std::uint32_t id, const ReceivedFrame& frame) {
    const auto decoded = wire::decode(frame.frame);
    SOTTO_CHECK(decoded.ok(), "the coordinator's frames decode");
    const auto* offer = std::get_if<wire::JobOffer>(&decoded->message);
    if (!offer) return;
    if (run_ == RunId{}) run_ = offer->run;
    wire::JobReply reply{.run = offer->run,
                         .job_hash = crypto::hash("SOTTO job", {view_of(offer->job)}),
                         .id = MemberId{id},
                         .answer = wire::JobAnswer::kAccept};
    secagg::sign_job_reply(federation_.member(id).signing, reply);
    say(id, reply);
    ++agreed_;
  }

  // A slice of the members each tick, so that they do not all speak at once.
  void tick() {
    constexpr std::uint32_t kSlices = 50;
    timer_.expires_after(std::chrono::milliseconds(kHelloEvery) / kSlices);
    timer_.async_wait([this](boost::system::error_code) {
      for (std::uint32_t id = 1 + slice_; id <= kMembers; id += kSlices)
        if (run_ != RunId{} && !silent_) hello(id);
      slice_ = (slice_ + 1) % kSlices;
      tick();
    });
  }

  const bench::Enrolled& federation_;
  boost::asio::io_context loop_;
  boost::asio::steady_timer timer_;
  std::vector<std::unique_ptr<Transport>> members_;
  RunId run_{};
  std::uint32_t agreed_ = 0;
  std::uint32_t slice_ = 0;
  bool silent_ = false;
};

}  // namespace
}  // namespace sotto::net

int main(int argc, char** argv) {
  namespace net = sotto::net;
  const sotto::bench::Report report("idle", argc, argv);
  const sotto::bench::Enrolled federation(net::settings());
  const pid_t coordinator = federation.start_coordinator();
  int code = 1;
  {
    net::Crowd crowd(federation);
    if (crowd.all_agree()) {
      const auto cores = [&](std::chrono::seconds time) {
        const double cpu = sotto::bench::cpu_seconds_of_process(coordinator);
        const double wall = sotto::bench::wall_seconds();
        crowd.idle(time);
        return (sotto::bench::cpu_seconds_of_process(coordinator) - cpu) /
               (sotto::bench::wall_seconds() - wall);
      };
      crowd.idle(std::chrono::seconds(2));
      const double all = cores(net::kIdle);
      crowd.fall_silent();
      crowd.idle(std::chrono::seconds(1));
      const double rest = cores(net::kSilent);
      const std::string name = "1000 idle members";
      report.add({name, "resident memory", sotto::bench::megabytes_of(coordinator, "VmRSS"), "MB"});
      report.add({name, "processor", 100 * all, "% core"});
      report.add({name, "processor, no Hellos", 100 * rest, "% core"});
      report.add({name, "processor, of Hellos", 100 * (all - rest), "% core"});
      code = 0;
    } else {
      std::fprintf(stderr, "not all members came:\n%s\n", federation.log().c_str());
    }
  }
  sotto::bench::end_process(coordinator);
  return code;
}
