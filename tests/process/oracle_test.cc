// Questions about single training records, put to real members by a coordinator that chooses models
// and jobs: their answers are at chance level, because all members give the same one.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/job/saved_model.h"
#include "common/privacy/accounting/calibration.h"
#include "tests/indistinguishable/crafted_models.h"
#include "tests/process/hostile_coordinator.h"

namespace sotto::process_test {
namespace {

namespace fs = std::filesystem;

constexpr int kSites = 4;
constexpr std::size_t kWords = 12;
constexpr std::size_t kRecords = 100;  // declared; sites 2 and 4 have one more
constexpr double kMaxEpsilon = 8;      // of one job

const fs::path kQuickstart = SOTTO_SOURCE_DIR "/configs/quickstart";

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);)
    out.push_back(line);
  return out;
}

bool holds(const std::vector<std::string>& lines, const std::string& word) {
  return std::ranges::any_of(
      lines, [&](const std::string& line) { return line.find(word) != std::string::npos; });
}

/// A word that is one token, and its number.
struct Word {
  std::string text;
  std::size_t token = 0;
};

/// Words that no evaluation record holds.
std::vector<Word> chosen_words() {
  const auto vocabulary = lines_of(kQuickstart / "model" / "vocab.txt");
  const auto evaluation = lines_of(kQuickstart / "data" / "test.tsv");
  std::vector<Word> out;
  for (std::size_t i = vocabulary.size(); i-- > 0 && out.size() < kWords;) {
    const std::string& word = vocabulary[i];
    const bool letters = std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'z'; });
    if (letters && word.size() >= 5 && !holds(evaluation, word)) out.push_back({word, i});
  }
  return out;
}

/// Whether one of a site's training records holds a word: what the coordinator wants to know.
bool has_word(int site, std::size_t word) {
  return (word >> (site - 1)) % 2 == 1;
}

/// Classes 0 to 2 are at each site, class 3 to 6 at one site each.
bool has_label(int site, std::size_t label) {
  return label < 3 || label == static_cast<std::size_t>(site) + 2;
}

class Oracle : public testing::Test {
 protected:
  Oracle() {
    for (int site = 1; site <= kSites; ++site) {
      write_records(site);
      federation_.set_policy(site, "max_epsilon_per_job", kMaxEpsilon);
    }
    for (int site = 1; site <= kSites; ++site)
      members_.push_back(federation_.start_member(site));
  }

  static config::JobConfig job_with(std::vector<std::string> overrides) {
    overrides.insert(overrides.begin(),
                     {"rounds.num_server_rounds=12", "rounds.phase_timeout_s=5",
                      "rounds.training_timeout_s=20", "local_training.local_steps=1"});
    return config::load_job(kQuickstart / "job.json", overrides);
  }

  /// One step over all records a round.
  static config::JobConfig job() {
    return job_with({"local_training.sampling_rate=1", "differential_privacy.target_epsilon=1"});
  }

  [[nodiscard]] FlatParameters model() const {
    return job::load_parameters(federation_.folder() / "model" / "model.safetensors").value();
  }

  void write_records(int site) {
    const auto all = lines_of(kQuickstart / "data" / "train.tsv");
    const auto labels = job().task.labels;
    const std::size_t count = kRecords + (site % 2 == 0 ? 1 : 0);
    std::vector<std::string> records;
    for (std::size_t w = 0; w < words_.size(); ++w)
      if (has_word(site, w)) records.push_back("GetWeather\tthe " + words_[w].text + " of today");
    for (std::size_t i = 0; i < all.size() && records.size() < count; i += 13) {
      const std::string label = all[i].substr(0, all[i].find('\t'));
      const auto at = static_cast<std::size_t>(std::ranges::find(labels, label) - labels.begin());
      const bool secret = std::ranges::any_of(
          words_, [&](const Word& w) { return all[i].find(w.text) != std::string::npos; });
      if (has_label(site, at) && !secret) records.push_back(all[i]);
    }
    ASSERT_EQ(records.size(), count);
    std::ofstream out(federation_.site(site) / "train.tsv");
    for (const std::string& record : records)
      out << record << '\n';
    federation_.set_data(site, "training_examples", kRecords);
  }

  Federation federation_{kSites};
  std::vector<Word> words_ = chosen_words();
  std::vector<Child> members_;
};

/// The attacker's rule: a site that does anything else than the others has the word.
struct Score {
  std::set<std::vector<std::string>> kinds;  // of observation
  int questions = 0;

  void add(const HostileCoordinator::Observations& observed) {
    for (const auto& [member, kind] : observed) {
      kinds.insert(kind);
      ++questions;
    }
  }
};

std::string text_of(const std::set<std::vector<std::string>>& kinds) {
  std::string out;
  for (const auto& kind : kinds) {
    for (const std::string& message : kind)
      out += message + ", ";
    out += "\n";
  }
  return out;
}

TEST_F(Oracle, FortyEightQuestionsByCraftedModelsAreAnsweredAlike) {
  ASSERT_EQ(words_.size(), kWords);
  HostileCoordinator coordinator(federation_);
  const auto answers = coordinator.offer(job(), seconds(20));
  ASSERT_EQ(answers.size(), 4U);
  for (const auto& [member, reply] : answers)
    ASSERT_EQ(reply.answer, wire::JobAnswer::kAccept) << reply.reason;
  const FlatParameters base = model();
  const std::chrono::milliseconds silence(700);  // training takes less than 100 ms
  Score too_large, silent, whole;
  for (const Word& word : words_)
    too_large.add(coordinator.ask(1, outside_test::with_infinite_loss(base, word.token), silence));
  for (const Word& word : words_)
    silent.add(coordinator.ask(1, outside_test::with_infinite_gradient(base, word.token), silence));
  for (std::size_t w = 0; w < words_.size(); ++w)
    whole.add(coordinator.play(w + 1, outside_test::with_infinite_gradient(base, words_[w].token),
                               seconds(15)));
  for (const Score* score : {&too_large, &silent, &whole}) {
    EXPECT_EQ(score->questions, 48);
    EXPECT_EQ(score->kinds.size(), 1U) << text_of(score->kinds);
  }
  EXPECT_EQ(*silent.kinds.begin(), std::vector<std::string>{"Advertise"});
  EXPECT_EQ(whole.kinds.begin()->back(), "Endorse") << "the rounds came to a sum";
  members_.clear();  // the ledgers are locked while they run
  for (int site = 1; site <= kSites; ++site)
    EXPECT_EQ(federation_.ledger(site)["entries"], 12) << "of the rounds that ended with a sum";
}

TEST_F(Oracle, JobsWithOtherLabelsAreAnsweredAlike) {
  HostileCoordinator coordinator(federation_);
  for (std::size_t label = 0; label < 7; ++label) {
    auto labels = job().task.labels;
    labels[label] = "Another";
    const auto answers = coordinator.offer(
        job_with({"local_training.sampling_rate=1", "differential_privacy.target_epsilon=1",
                  "task.labels=" + nlohmann::json(labels).dump()}),
        seconds(20));
    ASSERT_EQ(answers.size(), 4U);
    for (const auto& [member, reply] : answers) {
      EXPECT_EQ(reply.answer, answers.begin()->second.answer);
      EXPECT_EQ(reply.reason, answers.begin()->second.reason);
    }
  }
}

/// The least noise multiplier under which the job may be joined with so many examples.
double least_noise(std::size_t examples) {
  double low = 0.2, high = 20;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    const auto epsilon = privacy::epsilon_of({.sampling_rate = 50.0 / static_cast<double>(examples),
                                              .noise_multiplier = middle,
                                              .steps = 12},
                                             1e-5);
    (epsilon.value() <= kMaxEpsilon ? high : low) = middle;
  }
  return high;
}

/// Two sites have one record more than they declare. The offers lie between the thresholds of 99,
/// 100 and 101 examples.
TEST_F(Oracle, OffersAroundTheNumberOfExamplesAreAnsweredAlike) {
  HostileCoordinator coordinator(federation_);
  std::string answered;
  for (const std::size_t below : {99U, 100U}) {
    const double noise = (least_noise(below) + least_noise(below + 1)) / 2;
    const auto answers = coordinator.offer(
        job_with({"local_training.sampling_rate=0", "local_training.expected_batch_size=50",
                  "differential_privacy.noise_multiplier=" + std::to_string(noise)}),
        seconds(20));
    ASSERT_EQ(answers.size(), 4U);
    for (const auto& [member, reply] : answers) {
      EXPECT_EQ(reply.training_examples, kRecords);
      EXPECT_EQ(reply.answer, answers.begin()->second.answer) << raw(member);
      EXPECT_EQ(reply.reason, answers.begin()->second.reason);
    }
    answered += answers.begin()->second.answer == wire::JobAnswer::kAccept ? 'a' : 'd';
  }
  EXPECT_EQ(answered, "ad") << "the offers lie on both sides of what is declared";
}

}  // namespace
}  // namespace sotto::process_test
