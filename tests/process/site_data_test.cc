// `sotto-participant data check | anonymise | mask | mask-score | mask-key` as a site runs them.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class SiteData : public testing::Test {
 protected:
  SiteData() {
    std::string pattern = (fs::temp_directory_path() / "sotto-site-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }

  ~SiteData() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  static std::string text_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  static std::string config(const std::string& path) {
    return (fs::path(SOTTO_SOURCE_DIR) / "configs" / path).string();
  }

  [[nodiscard]] std::string at(const std::string& name) const { return (folder_ / name).string(); }

  /// Whether it ended well; what was said lies in out() and err().
  [[nodiscard]] bool data(const std::string& arguments) const {
    return std::system((Federation::participant_binary() + " data " + arguments + " >" + at("out") +
                        " 2>" + at("err"))
                           .c_str()) == 0;
  }

  [[nodiscard]] std::string out() const { return text_of(folder_ / "out"); }

  [[nodiscard]] std::string err() const { return text_of(folder_ / "err"); }

  fs::path folder_;
};

TEST_F(SiteData, AdultHasItsUniqueRowsBeforeAndNoneAfter) {
  const std::string adult = config("adult/data/train.csv");
  ASSERT_TRUE(data("check " + adult + " --quasi-identifiers age,sex,race,native_country --json"));
  const json before = json::parse(out());
  EXPECT_EQ(before.at("unique_rows"), 1330);
  EXPECT_EQ(before.at("rows_in_classes_below_5"), 3035);
  EXPECT_EQ(before.at("k"), 1);
  const std::string original = text_of(adult);
  ASSERT_TRUE(data("anonymise " + adult + " --plan " + config("adult/anonymise.json") + " --out " +
                   at("a.csv") + " --json"))
      << err();
  const json made = json::parse(out());
  EXPECT_GE(made.at("k"), 5);
  EXPECT_EQ(made.at("unique_rows"), 0);
  EXPECT_LT(made.at("gcp"), 0.01);
  ASSERT_TRUE(
      data("check " + at("a.csv") + " --plan " + config("adult/anonymise.json") + " --json"));
  EXPECT_EQ(json::parse(out()).at("meets_plan"), true);
  EXPECT_EQ(text_of(adult), original);
}

TEST_F(SiteData, WrongInputIsOneLineWithItsPlaceAndLeavesWhatWasThere) {
  std::ofstream(folder_ / "bad.csv") << "age,sex\n31,m\n40\n";
  std::ofstream(folder_ / "plan.json")
      << R"({"k": 2, "columns": {"age": {"role": "quasi_identifier"}, "sex": {"role": "kept"}}})";
  std::ofstream(folder_ / "a.csv") << "what was there\n";
  const std::string anonymise =
      "anonymise " + at("bad.csv") + " --plan " + at("plan.json") + " --out " + at("a.csv");
  EXPECT_FALSE(data(anonymise));
  EXPECT_EQ(err(), "sotto-participant: " + at("a.csv") +
                       " exists already; choose another place, or give --force to replace it\n");
  EXPECT_FALSE(data(anonymise + " --force"));
  EXPECT_EQ(err(), "sotto-participant: " + at("bad.csv") +
                       ":3:1: the row has 1 cell, but the header has 2\n");
  EXPECT_EQ(text_of(folder_ / "a.csv"), "what was there\n");
  std::ofstream(folder_ / "good.csv") << "age,sex\n31,m\n40,f\n";
  EXPECT_FALSE(data("anonymise " + at("good.csv") + " --plan " + at("plan.json") + " --out " +
                    at("good.csv")));
  EXPECT_NE(err().find("never overwritten"), std::string::npos);
  EXPECT_EQ(text_of(folder_ / "good.csv"), "age,sex\n31,m\n40,f\n");
}

TEST_F(SiteData, TextsAreMaskedWithTheSitesKeyAndOnlyCountsAreSaid) {
  std::ofstream(folder_ / "texts.txt") << "Anna, anna@example.org\nanna@example.org, C-123456\n";
  const std::string mask = "mask " + at("texts.txt") + " --plan " + config("masking/mask.json");
  EXPECT_FALSE(data(mask + " --out " + at("m.txt"))) << "pseudonyms need a key";
  ASSERT_TRUE(data("mask-key " + at("key"))) << err();
  EXPECT_EQ(fs::status(at("key")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_FALSE(data("mask-key " + at("key"))) << "a key is never overwritten";
  ASSERT_TRUE(data(mask + " --key " + at("key") + " --out " + at("m.txt") + " --json")) << err();
  EXPECT_EQ(json::parse(out()).at("found"), (json{{"name", 1}, {"email", 2}, {"CUSTOMER", 1}}));
  const std::string masked = text_of(at("m.txt"));
  EXPECT_EQ(masked.find("example"), std::string::npos);
  const auto first = masked.find("[EMAIL-"), second = masked.rfind("[EMAIL-");
  ASSERT_NE(first, second);
  EXPECT_EQ(masked.substr(first, 24), masked.substr(second, 24));
  fs::permissions(at("key"), fs::perms::others_read, fs::perm_options::add);
  EXPECT_FALSE(data(mask + " --key " + at("key") + " --out " + at("m.txt")));
  EXPECT_NE(err().find("exists already"), std::string::npos) << err();
  EXPECT_FALSE(data(mask + " --key " + at("key") + " --force --out " + at("m.txt")));
  EXPECT_NE(err().find("chmod 600"), std::string::npos);
}

TEST_F(SiteData, OneColumnOfATableCanBeMasked) {
  std::ofstream(folder_ / "t.csv") << "id,note\na@b.org,\"call, or a@b.org\"\n";
  std::ofstream(folder_ / "mask.json") << "{}";
  ASSERT_TRUE(data("mask " + at("t.csv") + " --columns note --plan " + at("mask.json") + " --out " +
                   at("m.csv")))
      << err();
  EXPECT_EQ(text_of(at("m.csv")), "id,note\na@b.org,\"call, or [EMAIL]\"\n");
}

TEST_F(SiteData, TheShippedSamplesAreScoredByOneCommand) {
  ASSERT_TRUE(data("mask-score " + config("masking/held_out.txt") + " --plan " +
                   config("masking/mask.json") + " --json"))
      << err();
  const json scores = json::parse(out());
  EXPECT_EQ(scores.at("all").at("marked"), 50);
  EXPECT_EQ(scores.at("all").at("right"), 38);
  EXPECT_FALSE(scores.contains("without_names_model"));
}

// The figures of docs/site.md.
TEST_F(SiteData, AModelOfNamesIsScoredBesideTheRulesAlone) {
  ASSERT_TRUE(data("mask-score " + config("masking/held_out.txt") + " --plan " +
                   config("masking/mask-with-model.json") + " --json"))
      << err();
  const json scores = json::parse(out()), rules = scores.at("without_names_model");
  EXPECT_EQ(rules.at("all").at("right"), 38);
  EXPECT_EQ(rules.at("kinds").at("name").at("right"), 13);
  EXPECT_EQ(scores.at("kinds").at("name").at("marked"), 25);
  EXPECT_EQ(scores.at("kinds").at("name").at("found"), 22);
  EXPECT_EQ(scores.at("kinds").at("name").at("right"), 13);
  EXPECT_EQ(scores.at("kinds").at("name").at("covered"), 15);
}

TEST_F(SiteData, AModelOfNamesThatIsNoneIsOneLineAndNothingIsWritten) {
  std::ofstream(folder_ / "texts.txt") << "hello Anna\n";
  const auto refused = [&](const std::string& model, const std::string& label) {
    std::ofstream(folder_ / "mask.json")
        << json{{"names_model", {{"path", model}, {"labels", {label}}}}};
    EXPECT_FALSE(
        data("mask " + at("texts.txt") + " --plan " + at("mask.json") + " --out " + at("m.txt")));
    EXPECT_EQ(std::ranges::count(err(), '\n'), 1) << err();
    EXPECT_FALSE(fs::exists(folder_ / "m.txt"));
    return err();
  };
  const auto holds = [](const std::string& text, const char* what) {
    EXPECT_NE(text.find(what), std::string::npos) << text << "\nlacks\n" << what;
  };
  holds(refused("no-such-folder", "PER"), "no-such-folder: the folder has no weights");
  holds(refused(config("ner/model"), "NAME"), "has no label NAME; its labels are PER, LOC, ORG");
  holds(refused(config("tinyshakespeare/model"), "PER"), "not a model of token classification");
}

}  // namespace
}  // namespace sotto::process_test
