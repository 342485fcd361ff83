// The evaluation split is not the training data, by whatever name.
#include "participant/data/separate_splits.h"

#include <fstream>

#include <gtest/gtest.h>

#include "participant/data/site_records.h"
#include "tests/temporary_directory.h"

namespace sotto::data {
namespace {

namespace fs = std::filesystem;

struct SeparateSplits : testing::Test {
  SeparateSplits() {
    write("train.tsv", "A\tone\nA\ttwo\n");
    write("other.tsv", "A\tthree\nA\ttwo\n");
  }

  void write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder / name, std::ios::binary) << bytes;
  }

  [[nodiscard]] config::SiteConfig site(const fs::path& evaluation) const {
    config::SiteConfig out;
    out.data.train = folder / "train.tsv";
    out.data.evaluation = evaluation;
    return out;
  }

  [[nodiscard]] std::string refusal(const fs::path& evaluation) const {
    const Status found = participant::SiteRecords::check_files(site(evaluation));
    return found.ok() ? "" : found.error().message;
  }

  TemporaryDirectory folder;
};

TEST_F(SeparateSplits, OneFileUnderAnyNameIsRefused) {
  fs::create_directory(folder / "sub");
  fs::create_symlink(folder / "train.tsv", folder / "link.tsv");
  fs::create_hard_link(folder / "train.tsv", folder / "hard.tsv");
  fs::create_directory_symlink(folder.path(), folder / "here");
  for (const char* name :
       {"train.tsv", "./train.tsv", "sub/../train.tsv", "link.tsv", "hard.tsv", "here/train.tsv"})
    EXPECT_NE(refusal(folder / name).find("is the same file as data.train"), std::string::npos)
        << name;
  fs::copy_file(folder / "train.tsv", folder / "copy.tsv");
  EXPECT_NE(refusal(folder / "copy.tsv").find("has the same content as data.train"),
            std::string::npos);
  EXPECT_EQ(refusal(folder / "other.tsv"), "");
  EXPECT_NE(refusal(folder / "absent.tsv"), "");
}

TEST_F(SeparateSplits, AnAnswerToAJobDependsOnTheFilesNamesAndNotOnTheirContent) {
  fs::copy_file(folder / "train.tsv", folder / "copy.tsv");
  EXPECT_FALSE(check_separate_files(folder / "train.tsv", folder.path() / "." / "train.tsv").ok());
  EXPECT_TRUE(check_separate_files(folder / "train.tsv", folder / "copy.tsv").ok());
  EXPECT_FALSE(check_different_content(folder / "train.tsv", folder / "copy.tsv").ok());
  EXPECT_TRUE(check_different_content(folder / "train.tsv", folder / "other.tsv").ok());
}

TEST_F(SeparateSplits, ASiteRefusesTheFileAndWarnsOfSharedTexts) {
  config::JobConfig job;
  job.task = {.type = "sequence_classification", .labels = {"A", "B"}};
  participant::SiteRecords records(folder.path(), std::nullopt);
  config::SiteConfig site;
  site.data.train = folder / "train.tsv";
  site.data.evaluation = folder.path() / "." / "train.tsv";
  EXPECT_FALSE(records.examples(job, site).ok());
  site.data.evaluation = folder / "other.tsv";
  const auto found = records.examples(job, site).value();
  EXPECT_EQ(found.warnings,
            std::vector<std::string>{"1 of 2 evaluation examples have the text of a training "
                                     "example; the guarantee does not cover the evaluation split"});
}

TEST_F(SeparateSplits, AStoreHoldsNoPersons) {
  config::JobConfig job;
  job.task = {.type = "sequence_classification", .labels = {"A", "B"}};
  participant::SiteRecords records(folder.path(), std::nullopt);
  config::SiteConfig site;
  write("store", "SOTTOREC" + std::string(100, 'x'));
  site.data.train = folder / "store";
  site.data.evaluation = folder / "other.tsv";
  site.data.layout.text = "text";
  site.data.layout.person = "who";
  EXPECT_NE(records.examples(job, site).error().message.find("holds no persons"),
            std::string::npos);
}

}  // namespace
}  // namespace sotto::data
