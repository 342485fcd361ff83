// The texts that a site's operator reads about the job of configs/quickstart, compared whole with
// files: a change of any sentence appears in a review.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "common/config/parse.h"
#include "common/job/privacy_statement.h"
#include "participant/admission/assessment.h"
#include "participant/admission/explanation.h"
#include "tests/participant/driver/fake_models.h"
#include "tests/temporary_directory.h"

namespace sotto::participant {
namespace {

namespace fs = std::filesystem;

const fs::path kQuickstart = fs::path(SOTTO_SOURCE_DIR) / "configs/quickstart";

void expect_file(const std::string& name, const std::string& text) {
  const fs::path file = fs::path(SOTTO_SOURCE_DIR) / "tests/participant/admission/texts" / name;
  std::ifstream in(file, std::ios::binary);
  const std::string expected{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(text, expected) << "If the change is intended, replace " << file
                            << " by this text and read it whole:\n"
                            << text;
}

TEST(Texts, PrivacyStatementOfTheQuickstart) {
  const config::JobConfig job = config::load_job(kQuickstart / "job.json", {});
  const config::SiteConfig site = config::load_site(kQuickstart / "site.json");
  expect_file("privacy_statement.txt", job::to_text(job::privacy_statement(
                                           job, {.declared_units = site.data.training_examples})));
}

// The model is the fake one, so the figures about parameters and modules are of that.
TEST(Texts, PolicyExplainOfTheQuickstart) {
  const TemporaryDirectory folder;
  config::JobConfig job = config::load_job(kQuickstart / "job.json", {});
  const config::SiteConfig site = config::load_site(kQuickstart / "site.json");
  training::FakeModels models;
  const ReadExamples read_examples = [](const config::JobConfig&, const config::SiteConfig& s) {
    return Result<data::SiteExamples>(
        data::SiteExamples{.training_examples = s.data.training_examples,
                           .evaluation_examples = s.data.evaluation_examples});
  };
  const auto ledger = privacy::PrivacyLedger::open(folder.path() / "ledger.sqlite").value();
  const Assessment found = assess(
      job, {.site = site, .models = models, .read_examples = read_examples, .ledger = ledger},
      Depth::kWhole);
  expect_file("policy_explain.txt",
              describe({.job = job, .site = site, .assessment = found}).value() + "\n");
}

}  // namespace
}  // namespace sotto::participant
