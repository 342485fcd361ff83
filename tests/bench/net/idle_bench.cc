// What it costs the coordinator that a thousand members are connected and have nothing to do: the
// real program in a process of its own, with its resident memory and its processor time for
// heartbeats, Hellos and its own status file. The members are transports of this process.
#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/config/identity.h"
#include "common/crypto/hash.h"
#include "common/keystore/keystore.h"
#include "common/model/safetensors.h"
#include "common/net/transport.h"
#include "common/secagg/transcript.h"
#include "common/wire/codec.h"
#include "coordinator/enrolment.h"
#include "tests/bench/bench.h"
#include "tests/unit/temporary_directory.h"

namespace sotto::net {
namespace {

constexpr std::uint32_t kMembers = 1000;
constexpr std::chrono::seconds kIdle{30};
constexpr std::chrono::seconds kHelloEvery{5};  // as participants do
constexpr std::chrono::seconds kGiveUp{240};
constexpr const char* kEndpoint = "tcp://127.0.0.1:47411";

/// Everybody enrolled, and one more who never comes, so that no round begins.
class Federation {
 public:
  Federation() {
    const auto keys = keystore::Keystore::make("bench", random_);
    keys.save_new(home(), keystore::Nothing{}, crypto::kLeastCost, random_);
    const config::Identity own = keys.identity(1);
    coordinator::init(home(), own, {.name = "bench", .endpoint = kEndpoint});
    std::vector<config::Card> cards;
    for (std::uint32_t i = 1; i <= kMembers + 1; ++i) {
      members_.push_back(keystore::Keystore::make("m" + std::to_string(i), random_).identity(1));
      cards.push_back(config::card_of(members_.back()));
    }
    const auto now = static_cast<std::uint64_t>(std::time(nullptr));
    roster_ = coordinator::enroll(home(), own, cards, {.now_unix_s = now, .for_s = 86400}).roster;
    const FlatParameters model{{{"w", {1000}}}, std::vector<float>(1000, 0.5F)};
    SOTTO_CHECK(write_safetensors(folder_ / "model.safetensors", model, {}).ok(), "no model");
  }

  [[nodiscard]] std::string home() const { return (folder_ / "home").string(); }

  [[nodiscard]] const config::Identity& member(std::uint32_t id) const {
    return members_.at(id - 1);
  }

  [[nodiscard]] const config::Roster& roster() const { return roster_; }

  [[nodiscard]] pid_t start_coordinator() const {
    const std::vector<std::string> command = {
        SOTTO_BINARY_DIR "/coordinator/sotto-coordinator",
        "run",
        "--dir",
        home(),
        "--job",
        SOTTO_SOURCE_DIR "/configs/quickstart/job.json",
        "--out",
        (folder_ / "run").string(),
        "--initial-model",
        (folder_ / "model.safetensors").string(),
        "--set",
        "rounds.min_available_participants=" + std::to_string(kMembers + 1)};
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    std::vector<char*> words;
    for (const std::string& word : command)
      words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    const int log = ::open((folder_ / "log").c_str(), O_WRONLY | O_CREAT, 0600);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::execv(words[0], words.data());
    ::_exit(127);
  }

  /// What the coordinator said.
  [[nodiscard]] std::string log() const {
    std::ifstream in(folder_ / "log");
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  TemporaryDirectory folder_;
  crypto::OsRandom random_;
  std::vector<config::Identity> members_;
  config::Roster roster_;
};

/// A thousand members on one loop: each agrees to the job and says Hello every five seconds.
class Crowd {
 public:
  explicit Crowd(const Federation& federation) : federation_(federation), timer_(loop_) {
    raise_file_limit();
    members_.resize(kMembers);
    for (std::uint32_t id = 1; id <= kMembers; ++id) {
      ParticipantSocketOptions options;
      options.endpoint = kEndpoint;
      const config::Identity& identity = federation.member(id);
      options.identity = {identity.transport_public, identity.transport_secret.clone()};
      options.coordinator_key = federation.roster().coordinator_transport_key;
      TransportHandlers handlers;
      handlers.on_connected = [this, id] { hello(id); };
      handlers.on_frame = [this, id](const ReceivedFrame& frame) { hear(id, frame); };
      members_[id - 1] = connect(loop_, std::move(options), std::move(handlers));
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

 private:
  void say(std::uint32_t id, const wire::Message& message) {
    static_cast<void>(
        members_[id - 1]->send(kCoordinatorId, wire::encode(MemberId{id}, {}, message)));
  }

  void hello(std::uint32_t id) { say(id, wire::Hello{.run = run_}); }

  void hear(std::uint32_t id, const ReceivedFrame& frame) {
    const auto decoded = wire::decode(frame.frame);
    SOTTO_CHECK(decoded.ok(), "the coordinator's frames decode");
    const auto* offer = std::get_if<wire::JobOffer>(&decoded->message);
    if (!offer) return;
    if (run_ == RunId{}) run_ = offer->run;
    wire::JobReply reply{.run = offer->run,
                         .job_hash = crypto::hash("SOTTO job", {view_of(offer->job)}),
                         .id = MemberId{id},
                         .accepted = true};
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
        if (run_ != RunId{}) hello(id);
      slice_ = (slice_ + 1) % kSlices;
      tick();
    });
  }

  const Federation& federation_;
  boost::asio::io_context loop_;
  boost::asio::steady_timer timer_;
  std::vector<std::unique_ptr<Transport>> members_;
  RunId run_{};
  std::uint32_t agreed_ = 0;
  std::uint32_t slice_ = 0;
};

double resident_mb(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/statm");
  std::uint64_t total = 0, resident = 0;
  in >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

double cpu_seconds_of_process(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/stat");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field)
    fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace
}  // namespace sotto::net

int main(int argc, char** argv) {
  namespace net = sotto::net;
  const sotto::bench::Report report("idle", argc, argv);
  const net::Federation federation;
  const pid_t coordinator = federation.start_coordinator();  // before there are threads
  int code = 1;
  {
    net::Crowd crowd(federation);
    if (crowd.all_agree()) {
      crowd.idle(std::chrono::seconds(2));
      const double cpu = net::cpu_seconds_of_process(coordinator);
      const double wall = sotto::bench::wall_seconds();
      crowd.idle(net::kIdle);
      const double cores =
          (net::cpu_seconds_of_process(coordinator) - cpu) / (sotto::bench::wall_seconds() - wall);
      const std::string name = "1000 idle members";
      report.add({name, "resident memory", net::resident_mb(coordinator), "MB"});
      report.add({name, "processor", 100 * cores, "% core"});
      code = 0;
    } else {
      std::fprintf(stderr, "not all members came:\n%s\n", federation.log().c_str());
    }
  }
  ::kill(coordinator, SIGKILL);
  ::waitpid(coordinator, nullptr, 0);
  return code;
}
