// sotto-simulate as a user runs it.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

namespace fs = std::filesystem;

class Simulate : public testing::Test {
 protected:
  Simulate() {
    std::string pattern = (fs::temp_directory_path() / "sotto-simulate-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }

  ~Simulate() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  /// The bytes of the model that a simulation leaves.
  std::string model_of(const std::string& name, const std::string& seed,
                       const std::string& threads) {
    const fs::path out = folder_ / name;
    const int status = run(
        {SOTTO_BINARY_DIR "/participant/sotto-simulate", Federation::job(), "--participants", "5",
         "--seed", seed, "--threads", threads, "--out", out, "--set", "rounds.num_server_rounds=2"},
        folder_ / "log");
    EXPECT_EQ(status, 0);
    std::ifstream in(out / "model" / "model.safetensors", std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  fs::path folder_;
};

TEST_F(Simulate, TheSeedDecidesTheModelToTheBitWhateverTheThreads) {
  const std::string one = model_of("one", "3", "1");
  ASSERT_FALSE(one.empty());
  EXPECT_EQ(one, model_of("two", "3", "2"));
  EXPECT_NE(one, model_of("other", "4", "2"));
}

TEST_F(Simulate, AboveFullGraphMaxTheRunBeginsWithAGenesisAndItsRoundsAreOnTheRing) {
  const fs::path out = folder_ / "ring";
  EXPECT_EQ(
      run({SOTTO_BINARY_DIR "/participant/sotto-simulate", Federation::job(), "--participants",
           "12", "--out", out, "--json", "--set", "rounds.num_server_rounds=2", "--set",
           "secure_aggregation.full_graph_max=8", "--set", "secure_aggregation.max_colluders=1"},
          folder_ / "log"),
      0);
  EXPECT_TRUE(fs::exists(out / "genesis.bin"));
  std::ifstream metrics(out / "metrics.jsonl");
  int done = 0;
  for (std::string line; std::getline(metrics, line);)
    done += line.find("\"status\":\"done\"") != std::string::npos ? 1 : 0;
  EXPECT_EQ(done, 3) << "two rounds and the closing evaluation";
}

}  // namespace
}  // namespace sotto::process_test
