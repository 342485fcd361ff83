// Real binaries on loopback: a coordinator and demonstration sites in a temporary folder, started,
// killed and restarted by a test.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/types.h>

namespace sotto::process_test {

using std::chrono::seconds;

/// A child process; killed with -9 when it goes out of scope.
class Child {
 public:
  Child() = default;
  Child(const std::vector<std::string>& command, const std::filesystem::path& log);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  void kill9();
  /// Its exit status (128 + signal when it was killed), or nothing when it still runs at the
  /// deadline.
  std::optional<int> wait(seconds at_most);
  [[nodiscard]] bool running();
  /// The most memory that it has had, in MiB; 0 when it does not run.
  [[nodiscard]] double peak_resident_mib() const;

 private:
  pid_t pid_ = -1;
};

/// Runs to the end; its exit status. Output is appended to `log`.
int run(const std::vector<std::string>& command, const std::filesystem::path& log);

/// tcp://127.0.0.1:PORT, with a port that is free now.
std::string free_endpoint();

/// Where the coordinator listens, and where members find it: something may lie between.
struct Addresses {
  std::string listen = free_endpoint();
  std::string endpoint = listen;
};

class Federation {
 public:
  /// `members` sites over small shards of the quickstart's data, enrolled and joined.
  explicit Federation(int members, const Addresses& addresses = {});
  ~Federation();

  /// `options`: more of `sotto-coordinator run`.
  Child start_coordinator(const std::vector<std::string>& overrides = {},
                          const std::vector<std::string>& options = {});
  Child start_member(int member);
  /// Until the member's log has the line; false when that takes longer than `at_most`.
  bool wait_for_line(int member, const std::string& line, seconds at_most) const;

  [[nodiscard]] std::filesystem::path folder() const { return folder_; }

  [[nodiscard]] std::filesystem::path run_folder() const { return folder_ / "run"; }

  [[nodiscard]] std::filesystem::path site(int member) const;
  [[nodiscard]] std::string coordinator_log() const;
  [[nodiscard]] std::string member_log(int member) const;

  [[nodiscard]] std::string endpoint() const { return endpoint_; }

  /// metrics.jsonl so far.
  [[nodiscard]] std::vector<nlohmann::json> rounds() const;
  /// The done ones by server round.
  [[nodiscard]] std::map<int, nlohmann::json> done_rounds() const;
  bool wait_for_rounds(std::size_t count, seconds at_most) const;
  [[nodiscard]] nlohmann::json ledger(int member) const;
  /// Takes one out of the roster, and has `members` pin the new version.
  void remove_from_roster(int member, const std::vector<int>& members);
  /// status.json as it is.
  [[nodiscard]] nlohmann::json status() const;
  /// Changes one key of a member's policy.
  void set_policy(int member, const std::string& key, const nlohmann::json& value);
  /// Changes one key of what a member says of its data.
  void set_data(int member, const std::string& key, const nlohmann::json& value);

  static std::string coordinator_binary();
  static std::string participant_binary();
  static std::string job();

 private:
  void make_site(int member, const std::vector<std::string>& train,
                 const std::vector<std::string>& evaluation);

  std::filesystem::path folder_;
  std::string endpoint_;
  int members_;
};

/// Kills the member with -9 when its log has the line. The exact points are those of the simulation
/// (tests/federation): here a real process dies with its sockets.
void kill_at(const Federation& f, Child& child, int member, const std::string& line);

}  // namespace sotto::process_test
