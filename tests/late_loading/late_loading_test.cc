// The learning library as the programs load it: which commands load it, and that linear algebra,
// errors, exceptions and examples work across its boundary. This program links no torch.
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "common/base/version.h"
#include "participant/training/learning_library.h"
#include "tests/participant/driver/small_task.h"
#include "tests/participant/learning/own_folder.h"

namespace sotto::training {
namespace {

namespace fs = std::filesystem;
using learning::own_folder;

/// What a shell command prints.
std::string output_of(const std::string& command) {
  std::string out;
  std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> part{};
  while (const std::size_t n = std::fread(part.data(), 1, part.size(), pipe))
    out.append(part.data(), n);
  ::pclose(pipe);
  return out;
}

/// Whether the dynamic linker maps libtorch while a program runs.
bool maps_torch(const std::string& program_and_arguments) {
  const std::string log = output_of("LD_DEBUG=files " SOTTO_BINARY_DIR "/" + program_and_arguments);
  EXPECT_NE(log.find("calling init"), std::string::npos) << log.substr(0, 500);
  return log.find("libtorch") != std::string::npos;
}

std::string own_maps() {
  std::ostringstream out;
  out << std::ifstream("/proc/self/maps").rdbuf();
  return out.str();
}

TEST(LateLoading, CommandsThatNeedNoModelMapNoTorch) {
  const std::string site = own_folder().string();
  for (const std::string command :
       {"participant/sotto-participant --help", "participant/sotto-participant --version",
        "participant/sotto-participant train-alone --help", "participant/sotto-simulate --help",
        "participant/sotto-simulate --version",
        "participant/sotto-participant privacy --sampling-rate 0.01 --steps 100 "
        "--noise-multiplier 1 --delta 1e-5"})
    EXPECT_FALSE(maps_torch(command)) << command;
  EXPECT_TRUE(maps_torch("participant/sotto-participant model init --job " SOTTO_SOURCE_DIR
                         "/configs/quickstart/job.json --out " +
                         site + "/model"))
      << "a command that needs a model";
  EXPECT_TRUE(fs::exists(site + "/model/model.safetensors"));
}

TEST(LateLoading, EveryProgramTellsItsVersion) {
  for (const std::string program : {"coordinator/sotto-coordinator",
                                    "participant/sotto-participant", "participant/sotto-simulate"})
    EXPECT_EQ(output_of(SOTTO_BINARY_DIR "/" + program + " --version"),
              fs::path(program).filename().string() + " " + build_id() + "\n");
}

/// Training is ten times slower where the kernels do not find a BLAS that torch has loaded.
TEST(LateLoading, TheLibraryFindsTheBlasThatTorchLoaded) {
  ModelProvider& models = learning_library();
  const BlasDescription blas = models.blas_description();
  const bool is_separate = own_maps().find("blas") != std::string::npos;
  EXPECT_EQ(blas.text.find("inside torch") == std::string::npos, is_separate) << blas.text;
  models.use_threads(2);
  EXPECT_NE(models.blas_description().text.find(" 2 threads"), std::string::npos);
  models.use_threads(1);
  EXPECT_NE(models.blas_description().text.find(" 1 threads"), std::string::npos);
}

TEST(LateLoading, ExamplesErrorsAndExceptionsCrossTheBoundary) {
  ModelProvider& models = learning_library();
  const fs::path folder = own_folder();
  const auto task = outside_test::classification();
  outside_test::write_task(task, folder);
  const config::JobConfig job = outside_test::load_task(folder);
  const std::string records = outside_test::file_of(task.training);
  const auto examples = data::parse_examples(records, "train", job).value();
  const FlatParameters model = models.initial_model(job).value();
  const auto trainer =
      models.make_trainer(job, {.device = config::Device::kCpu, .threads = 1}, {examples, examples})
          .value();
  crypto::StreamRandom random{std::uint64_t{1}};
  const TrainedUpdate trained = trainer->train(model, 1, random, nullptr).value();
  EXPECT_EQ(trained.update.values.size(), model.values.size());
  EXPECT_EQ(trainer->evaluate(model).value()[0], examples.size());

  const auto stopped = trainer->train(model, 1, random, [](TrainingProgress) {
    throw std::runtime_error("thrown by the program");
  });
  ASSERT_FALSE(stopped.ok());
  EXPECT_NE(stopped.error().message.find("thrown by the program"), std::string::npos);

  const auto missing = models.open_text_generator(folder / "nothing");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find((folder / "nothing").string()), std::string::npos);
}

TEST(LateLoading, ALibraryThatIsMissingIsNamed) {
  const fs::path path = own_folder() / "libsotto-learning.so";
  const auto loaded = load_learning_library(path);
  ASSERT_FALSE(loaded.ok());
  EXPECT_NE(loaded.error().message.find(path.string()), std::string::npos)
      << loaded.error().message;
}

TEST(LateLoading, AnotherLibraryAndAnotherBuildAreRefused) {
  const fs::path folder = SOTTO_BINARY_DIR "/tests";
  const auto other = load_learning_library(folder / "libother_library.so");
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.error().message.find("not Sotto's learning library"), std::string::npos);
  const auto build = load_learning_library(folder / "libother_build.so");
  ASSERT_FALSE(build.ok());
  EXPECT_NE(build.error().message.find("belongs to build 0.0.0 (another)"), std::string::npos);
}

}  // namespace
}  // namespace sotto::training
