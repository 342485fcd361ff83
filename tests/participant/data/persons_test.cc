// Which examples of a person are used (participant/data/persons.h).
#include "participant/data/persons.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "common/crypto/secure_random.h"
#include "participant/data/site_records.h"
#include "tests/temporary_directory.h"

namespace sotto::data {
namespace {

Example of(std::string person, std::string text) {
  return {.text = std::move(text), .person = std::move(person)};
}

using Chosen = std::vector<std::vector<std::uint64_t>>;

Chosen chosen_of(const std::vector<Example>& examples, std::uint32_t most) {
  PersonExamples persons(most);
  const Examples split(examples);
  const auto reader = split.source().reader(Purpose::kCheck);
  for (std::size_t i = 0; i < examples.size(); ++i)
    persons.add(reader->read(i).value());
  return persons.take();
}

/// Three persons with 12, 1 and 5 examples, and two examples of nobody.
std::vector<Example> ward() {
  std::vector<Example> out;
  for (int i = 0; i < 12; ++i) {
    out.push_back(of("heavy", "visit " + std::to_string(i)));
    if (i == 3) out.push_back(of("once", "a single visit"));
    if (i % 6 == 0) out.push_back(of("", "nobody " + std::to_string(i)));
    if (i < 5) out.push_back(of("some", "letter " + std::to_string(i)));
  }
  return out;
}

/// The texts of a person's chosen examples.
std::set<std::string> texts_of(const std::vector<Example>& examples, const std::string& person,
                               std::uint32_t most) {
  std::set<std::string> out;
  for (const auto& indices : chosen_of(examples, most))
    for (const std::uint64_t i : indices)
      if (examples[i].person == person) out.insert(examples[i].text);
  return out;
}

TEST(Persons, EachHasAtMostSoManyExamplesAndNobodyIsLost) {
  const Chosen chosen = chosen_of(ward(), 3);
  ASSERT_EQ(chosen.size(), 5U) << "two examples of nobody are two persons";
  std::set<std::uint64_t> all;
  for (const auto& indices : chosen) {
    EXPECT_TRUE(std::ranges::is_sorted(indices));
    EXPECT_GE(indices.size(), 1U);
    EXPECT_LE(indices.size(), 3U);
    for (const std::uint64_t i : indices)
      EXPECT_TRUE(all.insert(i).second) << "an example is one person's";
    for (const std::uint64_t i : indices)
      EXPECT_EQ(ward()[i].person, ward()[indices[0]].person);
  }
  EXPECT_EQ(texts_of(ward(), "heavy", 3).size(), 3U);
  EXPECT_EQ(texts_of(ward(), "heavy", 100).size(), 12U);
}

TEST(Persons, ComeInTheOrderOfTheirFirstExample) {
  const Chosen chosen =
      chosen_of({of("b", "1"), of("", "2"), of("a", "3"), of("b", "4"), of("a", "5")}, 9);
  EXPECT_EQ(chosen, (Chosen{{0, 3}, {1}, {2, 4}}));
}

TEST(Persons, TheChoiceForOneDependsOnNoOtherNorOnTheOrderOfTheFile) {
  const auto expected = texts_of(ward(), "heavy", 4);
  std::vector<Example> alone;
  for (const Example& e : ward())
    if (e.person == "heavy") alone.push_back(e);
  EXPECT_EQ(texts_of(alone, "heavy", 4), expected);
  crypto::StreamRandom random(1);
  for (int i = 0; i < 10; ++i) {
    std::vector<Example> mixed = ward();
    for (std::size_t k = mixed.size(); k > 1; --k)
      std::swap(mixed[k - 1], mixed[random.below(k)]);
    mixed.push_back(of("new", "another person joins"));
    EXPECT_EQ(texts_of(mixed, "heavy", 4), expected);
  }
  const auto more = texts_of(ward(), "heavy", 6);
  EXPECT_TRUE(std::ranges::includes(more, expected)) << "a larger limit adds examples";
}

// Each example of a person is as likely as any other of hers: within 5 standard deviations.
TEST(Persons, TheChoiceDoesNotPreferAPlaceInTheFile) {
  constexpr int kPersons = 1000;
  std::vector<Example> examples;
  for (int p = 0; p < kPersons; ++p)
    for (int i = 0; i < 4; ++i)
      examples.push_back(of("p" + std::to_string(p), "line " + std::to_string(i)));
  std::array<int, 4> count{};
  for (const auto& indices : chosen_of(examples, 1))
    ++count.at(indices.at(0) % 4);
  for (const int n : count)
    EXPECT_NEAR(n, kPersons / 4, 5 * std::sqrt(kPersons * 0.25 * 0.75));
}

// From the files of a site: a person is in the training data or in the evaluation split.
TEST(Persons, ASiteWhoseSplitsShareAPersonIsToldSoAtTheStart) {
  const TemporaryDirectory folder;
  config::SiteConfig site;
  site.data.train = folder / "train.csv";
  site.data.evaluation = folder / "evaluation.csv";
  site.data.training_persons = 40;
  site.data.layout.text = "letter";
  site.data.layout.label = "ward";
  site.data.layout.person = "patient";
  config::JobConfig job;
  job.task = {.type = "sequence_classification", .labels = {"north", "south"}};
  std::ofstream(site.data.train) << "letter,ward,patient\nfever,north,P1\ncough,south,P2\n"
                                    "rash,south,P1\n";
  std::ofstream(site.data.evaluation) << "patient,letter,ward\nP3,pain,north\n";
  participant::SiteRecords records(folder.path(), std::nullopt);
  const auto apart = records.examples(job, site);
  ASSERT_TRUE(apart.ok()) << apart.error().message;
  EXPECT_EQ(apart->train.source().reader(Purpose::kCheck)->read(2)->person, "P1");
  EXPECT_EQ(apart->training_persons, 40U);
  job.differential_privacy.unit = privacy::ProtectedUnit::kPerson;
  EXPECT_EQ(apart->declared_units(job), 40U);
  std::ofstream(site.data.evaluation) << "patient,letter,ward\nP1,pain,north\nP3,pain,north\n";
  EXPECT_TRUE(records.examples(job, site).ok()) << "the answer to a job depends on no record";
  const Status shared = participant::SiteRecords::check_files(site);
  ASSERT_FALSE(shared.ok());
  EXPECT_NE(shared.error().message.find("evaluation.csv: 1 person of the evaluation split"),
            std::string::npos)
      << shared.error().message;
  EXPECT_EQ(shared.error().message.find("P1"), std::string::npos) << "no content of a record";
  std::ofstream(site.data.evaluation) << "patient,letter,ward\nP3,pain,north\nP4,pain,north\n";
  EXPECT_TRUE(participant::SiteRecords::check_files(site).ok());
}

}  // namespace
}  // namespace sotto::data
