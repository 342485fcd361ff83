// Event files, checked by a reader of its own (tests/coordinator/dashboard/read_events.py).
#include "coordinator/observability/tensorboard_log.h"

#include <cstdio>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

using nlohmann::json;

std::vector<json> read_events(const std::filesystem::path& folder) {
  const std::string command = "python3 " SOTTO_SOURCE_DIR
                              "/tests/coordinator/dashboard/read_events.py " +
                              folder.string() + " 2>&1";
  FILE* out = popen(command.c_str(), "r");
  std::string text;
  char piece[4096];
  for (std::size_t n = 0; (n = fread(piece, 1, sizeof(piece), out)) > 0;)
    text.append(piece, n);
  EXPECT_EQ(pclose(out), 0) << text;
  const json parsed = json::parse(text, nullptr, false);
  EXPECT_TRUE(parsed.is_array()) << text;
  return parsed.is_array() ? parsed.get<std::vector<json>>() : std::vector<json>{};
}

TEST(Crc32c, IsThatOfRfc3720) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  std::string ascending, descending;
  for (char c = 0; c < 32; ++c) {
    ascending += c;
    descending.insert(descending.begin(), c);
  }
  EXPECT_EQ(crc32c(ascending), 0x46dd794eU);
  EXPECT_EQ(crc32c(descending), 0x113fdb5cU);
}

TEST(TensorboardLog, AnIndependentReaderFindsWhatWasWritten) {
  const TemporaryDirectory run;
  TensorboardLog log;
  log.on_event(RunStarted{.folder = run.path(), .finished_rounds = 6}, 1700000000);
  RoundRecord r{.server_round = 7,
                .status = wire::RoundStatus::kDone,
                .cohort = 4,
                .survivors = 3,
                .phase_s = {{"Upload", 2.5}},
                .upload_bytes = 300000};
  r.evaluation = tasks::Evaluation{
      .units = 10,
      .figures = {
          {{.name = "loss"}, 0.5}, {{.name = "accuracy"}, 0.75}, {{.name = "macro_f1"}, 0.25}}};
  r.evaluated_round = 6;
  r.epsilon = 1.5;
  log.on_event(RoundEnded{r}, 1700000010);
  log.on_event(
      RoundEnded{{.server_round = 8, .status = wire::RoundStatus::kLost, .reason = "too few"}},
      1700000020);

  const auto events = read_events(run.path() / "tensorboard");
  ASSERT_EQ(events.size(), 5U);
  EXPECT_EQ(events[0]["file_version"], "brain.Event:2");
  EXPECT_EQ(events[1]["session"], 1) << "a start, from which on older files are void";
  EXPECT_EQ(events[1]["step"], 7);
  EXPECT_EQ(events[2]["step"], 7);
  EXPECT_EQ(events[2]["wall_time"], 1700000010.0);
  EXPECT_EQ(events[2]["scalars"], (json{{"round/lost", 0.0},
                                        {"round/participants", 3.0},
                                        {"round/upload_bytes", 300000.0},
                                        {"seconds/Upload", 2.5},
                                        {"privacy/epsilon", 1.5}}));
  EXPECT_EQ(events[3]["step"], 6) << "the round after which the model was what was evaluated";
  EXPECT_EQ(events[3]["scalars"], (json{{"evaluation/loss", 0.5},
                                        {"evaluation/accuracy", 0.75},
                                        {"evaluation/macro_f1", 0.25}}));
  EXPECT_EQ(events[4]["scalars"]["round/lost"], 1.0);
}

TEST(TensorboardLog, ARestartAddsAFileAndTheFirstOneStays) {
  const TemporaryDirectory run;
  for (std::uint64_t start : {1700000000U, 1700000100U}) {
    TensorboardLog log;
    log.on_event(RunStarted{.folder = run.path()}, start);
    log.on_event(RoundEnded{{.server_round = 300, .status = wire::RoundStatus::kDone}}, start + 1);
  }
  const auto events = read_events(run.path() / "tensorboard");
  ASSERT_EQ(events.size(), 6U);
  EXPECT_EQ(events[5]["step"], 300) << "more than one byte of a varint";
}

}  // namespace
}  // namespace sotto::coordinator
