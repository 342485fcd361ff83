#include "tests/process/federation.h"

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sotto::process_test {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

pid_t spawn(const std::vector<std::string>& command, const fs::path& log) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& word : command)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);)
    out.push_back(line);
  return out;
}

/// Asks the kernel for a free port; a moment passes before it is used, which is good enough on
/// loopback.
int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

std::string member_name(int member) {
  return "site-" + std::to_string(member);
}

}  // namespace

Child::Child(const std::vector<std::string>& command, const fs::path& log)
    : pid_(spawn(command, log)) {}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    kill9();
    pid_ = std::exchange(other.pid_, -1);
  }
  return *this;
}

Child::~Child() {
  kill9();
}

void Child::kill9() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::optional<int> Child::wait(seconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  for (;;) {
    int status = 0;
    const pid_t done = waitpid(pid_, &status, WNOHANG);
    if (done == pid_) {
      pid_ = -1;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (std::chrono::steady_clock::now() > until) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

bool Child::running() {
  return pid_ >= 0 && waitpid(pid_, nullptr, WNOHANG) == 0;
}

double Child::peak_resident_mib() const {
  for (const std::string& line : lines_of("/proc/" + std::to_string(pid_) + "/status"))
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;  // kB
  return 0;
}

int run(const std::vector<std::string>& command, const fs::path& log) {
  return Child(command, log).wait(seconds(120)).value_or(-1);
}

std::string Federation::coordinator_binary() {
  return SOTTO_BINARY_DIR "/coordinator/sotto-coordinator";
}

std::string Federation::participant_binary() {
  return SOTTO_BINARY_DIR "/participant/sotto-participant";
}

std::string Federation::job() {
  return SOTTO_SOURCE_DIR "/configs/quickstart/job.json";
}

std::string free_endpoint() {
  return "tcp://127.0.0.1:" + std::to_string(free_port());
}

Federation::Federation(int members, const Addresses& addresses)
    : endpoint_(addresses.listen), members_(members) {
  std::string pattern = (fs::temp_directory_path() / "sotto-process-XXXXXX").string();
  folder_ = mkdtemp(pattern.data());
  const fs::path log = folder_ / "setup.log";
  const fs::path data = SOTTO_SOURCE_DIR "/configs/quickstart/data";
  const std::vector<std::string> train = lines_of(data / "train.tsv");
  const std::vector<std::string> evaluation = lines_of(data / "test.tsv");
  std::vector<std::string> enroll = {coordinator_binary(), "enroll", "--dir",
                                     folder_ / "coordinator"};
  int failed = run({coordinator_binary(), "init", "--dir", folder_ / "coordinator", "--name",
                    "test", "--endpoint", addresses.endpoint, "--listen", addresses.listen},
                   log);
  failed +=
      run({participant_binary(), "model", "init", "--job", job(), "--out", folder_ / "model"}, log);
  for (int m = 1; m <= members; ++m) {
    failed += run({participant_binary(), "init", "--dir", site(m), "--name", member_name(m)}, log);
    make_site(m, train, evaluation);
    enroll.push_back(site(m) / (member_name(m) + ".card.json"));
  }
  failed += run(enroll, log);
  for (int m = 1; m <= members; ++m) {
    failed += run({participant_binary(), "join", "--dir", site(m),
                   folder_ / "coordinator" / "federation.json"},
                  log);
  }
  if (failed != 0) throw std::runtime_error("set-up of the federation failed:\n" + text_of(log));
}

Federation::~Federation() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void Federation::remove_from_roster(int member, const std::vector<int>& members) {
  const fs::path log = folder_ / "setup.log";
  int failed = run(
      {coordinator_binary(), "remove", "--dir", folder_ / "coordinator", member_name(member)}, log);
  for (int m : members)
    failed += run({participant_binary(), "join", "--dir", site(m),
                   folder_ / "coordinator" / "federation.json"},
                  log);
  if (failed != 0) throw std::runtime_error("the roster did not change:\n" + text_of(log));
}

fs::path Federation::site(int member) const {
  return folder_ / member_name(member);
}

void Federation::make_site(int member, const std::vector<std::string>& train,
                           const std::vector<std::string>& evaluation) {
  const auto deal = [&](const std::vector<std::string>& from, std::size_t count,
                        const fs::path& file) {
    std::ofstream out(file);
    for (std::size_t i = 0; i < count; ++i) {
      out << from[(static_cast<std::size_t>(member) + i * 37) % from.size()] << '\n';
    }
  };
  deal(train, 200, site(member) / "train.tsv");
  deal(evaluation, 40, site(member) / "eval.tsv");
  const json config = {{"label", "test"},
                       {"data",
                        {{"dataset_id", member_name(member)},
                         {"train", "train.tsv"},
                         {"evaluation", "eval.tsv"},
                         {"training_examples", 200},
                         {"evaluation_examples", 40}}},
                       {"model", {{"path", (folder_ / "model").string()}}},
                       {"policy",
                        {{"max_epsilon", 1000},
                         {"max_epsilon_per_job", 1000},
                         {"delta", 1e-5},
                         {"allowed_tasks", {"sequence_classification"}},
                         {"max_server_rounds", 1000}}},
                       {"resources", {{"device", "cpu"}, {"threads", 1}}}};
  std::ofstream(site(member) / "site.json") << config.dump(2);
}

void Federation::set_policy(int member, const std::string& key, const json& value) {
  json config = json::parse(text_of(site(member) / "site.json"));
  config["policy"][key] = value;
  std::ofstream(site(member) / "site.json") << config.dump(2);
}

void Federation::set_data(int member, const std::string& key, const json& value) {
  json config = json::parse(text_of(site(member) / "site.json"));
  config["data"][key] = value;
  std::ofstream(site(member) / "site.json") << config.dump(2);
}

Child Federation::start_coordinator(const std::vector<std::string>& overrides,
                                    const std::vector<std::string>& options) {
  std::vector<std::string> command = {coordinator_binary(),
                                      "run",
                                      "--dir",
                                      folder_ / "coordinator",
                                      "--job",
                                      job(),
                                      "--out",
                                      run_folder(),
                                      "--initial-model",
                                      folder_ / "model" / "model.safetensors",
                                      "--gather",
                                      "1",
                                      "--json"};
  std::vector<std::string> all = {"rounds.num_server_rounds=4", "local_training.local_steps=1",
                                  "rounds.min_available_participants=3", "rounds.phase_timeout_s=4",
                                  "rounds.training_timeout_s=20"};
  all.insert(all.end(), overrides.begin(), overrides.end());
  for (const std::string& o : all) {
    command.push_back("--set");
    command.push_back(o);
  }
  command.insert(command.end(), options.begin(), options.end());
  return {command, folder_ / "coordinator.log"};
}

Child Federation::start_member(int member) {
  return {{participant_binary(), "run", "--dir", site(member), "--once"},
          folder_ / (member_name(member) + ".log")};
}

bool Federation::wait_for_line(int member, const std::string& line, seconds at_most) const {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (member_log(member).find(line) == std::string::npos) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::string Federation::coordinator_log() const {
  return text_of(folder_ / "coordinator.log");
}

std::string Federation::member_log(int member) const {
  return text_of(folder_ / (member_name(member) + ".log"));
}

std::vector<json> Federation::rounds() const {
  std::vector<json> out;
  for (const std::string& line : lines_of(run_folder() / "metrics.jsonl")) {
    json round = json::parse(line, nullptr, false);
    if (!round.is_discarded()) out.push_back(std::move(round));
  }
  return out;
}

std::map<int, json> Federation::done_rounds() const {
  std::map<int, json> out;
  for (json& round : rounds()) {
    if (round.value("status", "") != "done") continue;
    const int number = round.value("server_round", 0);
    out[number] = std::move(round);
  }
  return out;
}

bool Federation::wait_for_rounds(std::size_t count, seconds at_most) const {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (done_rounds().size() < count) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

json Federation::status() const {
  return json::parse(text_of(run_folder() / "status.json"), nullptr, false);
}

json Federation::ledger(int member) const {
  const fs::path out = folder_ / "ledger.json";
  fs::remove(out);
  run({participant_binary(), "ledger", "--dir", site(member), "--json"}, out);
  return json::parse(text_of(out), nullptr, false);
}

void kill_at(const Federation& f, Child& child, int member, const std::string& line) {
  ASSERT_TRUE(f.wait_for_line(member, line, seconds(60))) << f.member_log(member);
  child.kill9();
}

}  // namespace sotto::process_test
