// `sotto-participant train-alone`, the baseline of one site without the others.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/config/parse.h"
#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The head begins at zero and the rate is next to nothing, so the model answers the first label
/// always: right once in a file with one example of each label.
TEST(TrainAlone, MeasuresOnAllOfAnotherEvaluationFileWhateverTheSiteDeclares) {
  Federation f(2);
  const fs::path site = f.site(1), held_out = site / "held_out.tsv", out = site / "out.json";
  const auto labels = config::load_job(Federation::job()).task.labels;
  {
    std::ofstream file(held_out);
    for (const std::string& label : labels)
      file << label << "\tplay some music\n";
  }
  json config = json::parse(std::ifstream(site / "site.json"));
  config["data"]["evaluation_examples"] = 1;
  std::ofstream(site / "site.json") << config.dump();
  const std::string command =
      Federation::participant_binary() + " train-alone --json --dir " + site.string() + " --job " +
      Federation::job() + " --site " + (site / "site.json").string() + " --evaluation " +
      held_out.string() +
      " --set rounds.num_server_rounds=1 --set local_training.learning_rate=1e-12 >" +
      out.string() + " 2>" + (site / "err").string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_NEAR(json::parse(std::ifstream(out))["accuracy"].get<double>(),
              1.0 / static_cast<double>(labels.size()), 1e-9);
}

}  // namespace
}  // namespace sotto::process_test
