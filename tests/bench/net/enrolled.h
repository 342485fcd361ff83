// What the benchmarks with a real coordinator share: its members enrolled in a temporary folder,
// the program started in a process of its own, and what the kernel says of that process.
#pragma once

#include <ctime>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/crypto/secure_random.h"
#include "common/identity/identity.h"
#include "common/identity/keystore.h"
#include "common/model/safetensors.h"
#include "common/net/transport.h"
#include "common/wire/messages.h"
#include "coordinator/members/enrolment.h"
#include "tests/temporary_directory.h"

namespace sotto::bench {

struct EnrolledSettings {
  std::uint32_t members = 0;
  std::string endpoint;
  std::size_t values = 1000;             // of the first model, one tensor
  std::vector<std::string> overrides{};  // of the quickstart's job
};

class Enrolled {
 public:
  explicit Enrolled(EnrolledSettings settings) : settings_(std::move(settings)) {
    const auto keys = identity::Keystore::make("bench", random_);
    keys.save_new(home(), identity::Nothing{}, crypto::kLeastCost, random_);
    const config::Identity own = keys.identity(1);
    coordinator::init(home(), own, {.name = "bench", .endpoint = settings_.endpoint});
    std::vector<config::Card> cards;
    for (std::uint32_t i = 1; i <= settings_.members; ++i) {
      members_.push_back(identity::Keystore::make("m" + std::to_string(i), random_).identity(1));
      cards.push_back(config::card_of(members_.back()));
    }
    const auto now = static_cast<std::uint64_t>(std::time(nullptr));
    roster_ = coordinator::enroll(home(), own, cards, {.now_unix_s = now, .for_s = 86400}).roster;
    roster_hash_ = roster_.hash();
    const FlatParameters model{.layout = {{"w", {static_cast<std::int64_t>(settings_.values)}}},
                               .values = std::vector<float>(settings_.values, 0.5F)};
    SOTTO_CHECK(write_safetensors(folder_ / "model.safetensors", model, {}).ok(), "no model");
  }

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }

  [[nodiscard]] std::string job_file() const {
    return SOTTO_SOURCE_DIR "/configs/quickstart/job.json";
  }

  [[nodiscard]] const EnrolledSettings& settings() const { return settings_; }

  [[nodiscard]] const config::Identity& member(std::uint32_t id) const {
    return members_.at(id - 1);
  }

  [[nodiscard]] const config::Roster& roster() const { return roster_; }

  /// What a member that has agreed to `run` says every few seconds.
  [[nodiscard]] wire::Hello hello(const RunId& run) const {
    return {.run = run, .roster_version = roster_.version, .roster_hash = roster_hash_};
  }

  /// Before this process has threads.
  [[nodiscard]] pid_t start_coordinator() const {
    std::vector<std::string> command = {SOTTO_BINARY_DIR "/coordinator/sotto-coordinator",
                                        "run",
                                        "--dir",
                                        home(),
                                        "--job",
                                        job_file(),
                                        "--out",
                                        (folder_ / "run").string(),
                                        "--initial-model",
                                        (folder_ / "model.safetensors").string()};
    for (const std::string& override_ : settings_.overrides)
      command.insert(command.end(), {"--set", override_});
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
  [[nodiscard]] std::string home() const { return (folder_ / "home").string(); }

  EnrolledSettings settings_;
  TemporaryDirectory folder_;
  crypto::OsRandom random_;
  std::vector<config::Identity> members_;
  config::Roster roster_;
  Bytes32 roster_hash_{};
};

inline net::ParticipantSocketOptions socket_of(const Enrolled& enrolled, std::uint32_t id) {
  net::ParticipantSocketOptions options;
  options.endpoint = enrolled.settings().endpoint;
  const config::Identity& identity = enrolled.member(id);
  options.identity = {identity.transport_public, identity.transport_secret.clone()};
  options.coordinator_key = enrolled.roster().coordinator_transport_key;
  return options;
}

/// A line of /proc/PROCESS/status in MB, as VmRSS or VmHWM.
inline double megabytes_of(pid_t process, const std::string& field) {
  std::ifstream in("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(field + ":")) return std::stod(line.substr(field.size() + 1)) * 1.024e-3;
  return 0;
}

inline double cpu_seconds_of_process(pid_t process) {
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

inline void end_process(pid_t process) {
  ::kill(process, SIGKILL);
  ::waitpid(process, nullptr, 0);
}

}  // namespace sotto::bench
