#include "coordinator/observability/metrics_log.h"

#include <csignal>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "common/base/result.h"
#include "common/storage/storage.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

/// No file of this process grows, as if the disk were full, until this goes.
class FullDisk {
 public:
  FullDisk() {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &none);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }

  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

class MetricsLogTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string lines() const {
    std::ostringstream out;
    out << std::ifstream(file_).rdbuf();
    return out.str();
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_.path() / "metrics.jsonl";
};

TEST_F(MetricsLogTest, KeepsWhatTheCheckpointHasAndDropsWhatACrashLeftAhead) {
  const std::string kept =
      "{\"server_round\":1,\"status\":\"done\"}\n{\"server_round\":2,\"status\":\"lost\"}\n";
  std::ofstream(file_) << kept << "{\"server_round\":2,\"status\":\"done\"}\n{\"server_rou";
  MetricsLog log;
  log.open(file_, 1);
  EXPECT_EQ(lines(), kept);
}

TEST_F(MetricsLogTest, ALineThatCannotBeWrittenStopsTheRoundAndNamesTheFile) {
  MetricsLog log;
  log.open(file_, 0);
  std::string said = "nothing: a line was lost in silence";
  try {
    const FullDisk full;
    log.append({});
  } catch (const StartupError& error) {
    said = error.what();
  }
  EXPECT_NE(said.find(file_.string()), std::string::npos) << said;
}

/// Notes how long a file was whenever it was synced.
struct NotedSyncs final : storage::Storage {
  std::filesystem::path file;
  std::vector<std::uintmax_t> sizes;

  int sync_data(int fd) override {
    sizes.push_back(std::filesystem::file_size(file));
    return Storage::sync_data(fd);
  }
};

TEST_F(MetricsLogTest, ALineIsDurableBeforeTheCheckpointOfItsRoundIsSaved) {
  MetricsLog log;
  log.open(file_, 0);
  NotedSyncs noted;
  noted.file = file_;
  const storage::StorageScope scope(noted);
  log.append({});
  EXPECT_EQ(noted.sizes, std::vector<std::uintmax_t>{lines().size()});
}

}  // namespace
}  // namespace sotto::coordinator
