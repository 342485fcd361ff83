// A site's own CSV, from `data inspect` to training, without conversion.
#include <nlohmann/json.hpp>

#include "tests/process/commands.h"

namespace sotto::process_test {
namespace {

using nlohmann::json;

class SiteFiles : public CommandsTest {
 protected:
  SiteFiles() {
    write_table("train.csv", "data/shards/aurora/train.tsv");
    write_table("eval.csv", "data/shards/aurora/eval.tsv");
    write_site("eval.csv");
  }

  static std::string quickstart(const std::string& path) {
    return (fs::path(Federation::job()).parent_path() / path).string();
  }

  /// Writes 200 lines of "label TAB text" as a table of a spreadsheet.
  void write_table(const std::string& name, const std::string& from) const {
    std::ifstream in(quickstart(from));
    std::ofstream out(folder_ / name);
    out << "\xEF\xBB\xBFid;intent;body\r\n";
    std::string line;
    for (int i = 0; i < 200 && std::getline(in, line); ++i) {
      const std::size_t tab = line.find('\t');
      out << i << ";" << line.substr(0, tab) << ";\"" << line.substr(tab + 1) << "\"\r\n";
    }
  }

  void write_site(const std::string& evaluation) const {
    const json site = {{"model", {{"path", quickstart("model")}}},
                       {"data",
                        {{"dataset_id", "tickets"},
                         {"train", "train.csv"},
                         {"evaluation", evaluation},
                         {"training_examples", 200},
                         {"columns", {{"text", "body"}, {"label", "intent"}}}}},
                       {"policy",
                        {{"max_epsilon", 100},
                         {"max_epsilon_per_job", 100},
                         {"allowed_tasks", {"sequence_classification"}}}}};
    std::ofstream(folder_ / "site.json") << site.dump();
  }

  const std::string job_ = " --job " + Federation::job() + " --site site.json";
  const std::string train_ = "mkdir -p site; sotto-participant train-alone --dir site" + job_ +
                             " --set rounds.num_server_rounds=1 --set model.max_length=8";
};

TEST_F(SiteFiles, AreInspectedAndTrainedOnAsTheSpreadsheetSavedThem) {
  run_well("sotto-participant data inspect --json" + job_);
  const json found = json::parse(out());
  EXPECT_EQ(found["files"][0]["format"], "csv");
  EXPECT_EQ(found["files"][0]["delimiter"], "semicolon");
  EXPECT_EQ(found["files"][0]["examples"], 200);
  EXPECT_EQ(found["files"][0]["left_out"], 0);
  EXPECT_GT(found["files"][0]["tokens"]["longest"], 8);
  run_well(train_);
  EXPECT_NE(out().find("local-only result: accuracy"), std::string::npos) << out();
  EXPECT_NE(err().find("training examples: "), std::string::npos) << err();
  EXPECT_NE(err().find(" texts are longer than model.max_length, 8 tokens, and are cut"),
            std::string::npos)
      << err();
}

TEST_F(SiteFiles, TheTrainingFileIsNoEvaluationSplitUnderAnyName) {
  run_well("ln -s train.csv link.csv; cp train.csv copy.csv");
  for (const char* name : {"./train.csv", "link.csv", "copy.csv"}) {
    write_site(name);
    expect_refused(train_, "data.evaluation");
    expect_refused("sotto-participant data inspect" + job_, "");
    EXPECT_NE(out().find("  error    "), std::string::npos) << out();
  }
}

}  // namespace
}  // namespace sotto::process_test
