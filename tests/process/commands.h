// The programs as people run them: lines of a shell in an empty folder, and a terminal to type at.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/process/federation.h"

namespace sotto::process_test {

namespace fs = std::filesystem;

inline std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

/// A process at a terminal of its own, which the test types at.
class Typist {
 public:
  explicit Typist(const std::vector<std::string>& command)
      : terminal_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    EXPECT_EQ(::grantpt(terminal_), 0);
    EXPECT_EQ(::unlockpt(terminal_), 0);
    const std::string name = ::ptsname(terminal_);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::setsid();
    const int own = ::open(name.c_str(), O_RDWR);  // becomes the controlling terminal
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
      ::dup2(own, fd);
    std::vector<char*> argv;
    for (const std::string& word : command)
      argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }

  ~Typist() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(terminal_);
  }

  Typist(const Typist&) = delete;
  Typist& operator=(const Typist&) = delete;

  /// Reads on until the screen shows it behind what was waited for before.
  bool wait_for(const std::string& text) {
    while (screen_.find(text, seen_) == std::string::npos)
      if (!read_more()) return false;
    seen_ = screen_.find(text, seen_) + text.size();
    return true;
  }

  void type(const std::string& text) const {
    EXPECT_EQ(::write(terminal_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  int status() {
    while (read_more()) {
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = ::fork();  // something to kill
    if (pid_ == 0) ::_exit(0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  [[nodiscard]] const std::string& screen() const { return screen_; }

 private:
  bool read_more() {
    pollfd ready{terminal_, POLLIN, 0};
    if (::poll(&ready, 1, 60000) != 1) return false;
    char part[256];
    const ssize_t n = ::read(terminal_, part, sizeof part);  // EIO when the process has ended
    if (n <= 0) return false;
    screen_.append(part, static_cast<std::size_t>(n));
    return true;
  }

  int terminal_;
  pid_t pid_ = -1;
  std::string screen_;
  std::size_t seen_ = 0;
};

class CommandsTest : public testing::Test {
 protected:
  CommandsTest() {
    std::string pattern = (fs::temp_directory_path() / "sotto-commands-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }

  ~CommandsTest() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  [[nodiscard]] std::string at(const std::string& name) const { return (folder_ / name).string(); }

  /// A line of a shell in the folder, without a terminal; its status.
  int shell(const std::string& line) const {
    std::ofstream(folder_ / "line.sh")
        << "cd '" << folder_.string() << "'\nPATH='"
        << fs::path(Federation::participant_binary()).parent_path().string() << "':'"
        << fs::path(Federation::coordinator_binary()).parent_path().string() << "':$PATH\n"
        << line << "\n";
    return std::system(
        ("setsid -w sh " + at("line.sh") + " >" + at("out") + " 2>" + at("err") + " </dev/null")
            .c_str());
  }

  void run_well(const std::string& line) const {
    ASSERT_EQ(shell(line), 0) << line << "\n" << out() << err();
  }

  void expect_refused(const std::string& line, const std::string& reason) const {
    EXPECT_NE(shell(line), 0) << line;
    EXPECT_NE(err().find(reason), std::string::npos) << line << "\n" << err();
  }

  [[nodiscard]] std::string out() const { return text_of(folder_ / "out"); }

  [[nodiscard]] std::string err() const { return text_of(folder_ / "err"); }

  fs::path folder_;
};

}  // namespace sotto::process_test
