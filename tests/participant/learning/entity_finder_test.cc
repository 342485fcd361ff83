// Claims about finding entities in running texts: where they are to the byte, whatever the length
// of the text, and which folders are refused.
#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/model/safetensors.h"
#include "participant/learning/tasks/text_windows.h"
#include "participant/learning/torch_models.h"
#include "participant/learning/transformer/model_modules.h"
#include "tests/participant/learning/own_folder.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Every word begins in the ids of the one window that decides it.
void expect_each_word_once(const std::vector<std::size_t>& starts, std::size_t ids,
                           std::size_t room) {
  std::size_t word = 0;
  for (const TextWindow& w : windows_of(starts, ids, room)) {
    EXPECT_LE(w.end - w.begin, room);
    EXPECT_LE(w.end, ids);
    EXPECT_TRUE(std::ranges::binary_search(starts, w.begin)) << "begins inside a word";
    EXPECT_EQ(w.first, word);
    for (; word < w.past; ++word) {
      ASSERT_LT(word, starts.size());
      EXPECT_LE(w.begin, starts[word]);
      EXPECT_LT(starts[word], w.end);
    }
  }
  EXPECT_EQ(word, starts.size());
}

TEST(TextWindows, EveryWordIsDecidedOnceWhereItIsSeen) {
  std::uint32_t state = 1;
  const auto draw = [&state](std::uint32_t below) {
    state = state * 1664525U + 1013904223U;
    return (state >> 8U) % below;
  };
  for (int round = 0; round < 500; ++round) {
    const std::size_t room = 1 + draw(12), longest = 1 + draw(2 * static_cast<std::uint32_t>(room));
    std::vector<std::size_t> starts;
    std::size_t ids = 0;
    for (std::uint32_t words = draw(40); words > 0; --words) {
      starts.push_back(ids);
      ids += 1 + draw(static_cast<std::uint32_t>(longest));
    }
    expect_each_word_once(starts, ids, room);
    if (HasFailure()) FAIL() << "room " << room << ", round " << round;
  }
}

TEST(TextWindows, AWordIsDecidedWithAQuarterOfTheWindowAroundIt) {
  constexpr std::size_t kRoom = 16, kWords = 100;
  std::vector<std::size_t> starts(kWords);
  for (std::size_t i = 0; i < kWords; ++i)
    starts[i] = i;
  const auto windows = windows_of(starts, kWords, kRoom);
  EXPECT_LE(windows.size(), 1 + (kWords - kRoom + 7) / 8);
  for (const TextWindow& w : windows)
    for (std::size_t word = w.first; word < w.past; ++word) {
      EXPECT_TRUE(w.begin == 0 || word - w.begin >= kRoom / 4) << word;
      EXPECT_TRUE(w.end == kWords || w.end - 1 - word >= kRoom / 4) << word;
    }
}

TEST(TextWindows, ATextThatFitsIsOneWindow) {
  const auto windows = windows_of(std::vector<std::size_t>{0, 2, 5}, 6, 6);
  ASSERT_EQ(windows.size(), 1U);
  EXPECT_EQ(windows[0].end, 6U);
  EXPECT_EQ(windows[0].past, 3U);
  EXPECT_TRUE(windows_of({}, 0, 6).empty());
}

/// A model whose word decides its own tag: embeddings are one-hot and nothing is added to them.
class FoundEntities : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = own_folder();
    std::ofstream vocabulary(folder_ / "vocab.txt");
    vocabulary << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n";
    for (const auto& [word, tag] : words_)
      vocabulary << word << "\n";
    vocabulary << "##h\n";
    std::ofstream(folder_ / "tokenizer_config.json") << R"({"do_lower_case": false})";
    write_config();
  }

  void write_config(const json& more = json::object()) const {
    json config = {{"model_type", "bert"},     {"vocab_size", vocabulary_size()},
                   {"hidden_size", 8},         {"num_hidden_layers", 1},
                   {"num_attention_heads", 1}, {"intermediate_size", 4},
                   {"type_vocab_size", 1},     {"max_position_embeddings", 8}};
    config.merge_patch(more);
    std::ofstream(folder_ / "config.json") << config;
  }

  [[nodiscard]] std::size_t vocabulary_size() const { return 4 + words_.size() + 1; }

  void write_weights(const std::map<std::string, std::string>& notes) const {
    const ModelSpec spec{.config = load_transformer_config(folder_).value(),
                         .head = {ModelHead::Kind::kTokenClassification, 5}};
    FlatParameters weights{trainable_layout(modules_of(spec).value(), {}), {}};
    for (const ParameterShape& p : weights.layout) {
      std::vector<float> values(p.count(), p.name.ends_with("LayerNorm.weight") ? 1.0F : 0.0F);
      const auto hot = [&values](std::size_t row, std::size_t at) { values[8 * row + at] = 1; };
      for (std::size_t i = 0; i < 5 && p.name == "classifier.weight"; ++i)
        hot(i, i);
      for (std::size_t i = 0; i < vocabulary_size() && p.name.ends_with("word_embeddings.weight");
           ++i)
        hot(i, i >= 4 && i - 4 < words_.size() ? words_[i - 4].second : 0);
      weights.values.insert(weights.values.end(), values.begin(), values.end());
    }
    ASSERT_TRUE(write_safetensors(folder_ / "model.safetensors", weights, notes).ok());
  }

  [[nodiscard]] std::string refusal() const {
    const auto opened = open_entity_finder(folder_);
    return opened.ok() ? "" : opened.error().message;
  }

  [[nodiscard]] static std::string found(training::EntityFinder& finder, const std::string& text) {
    const std::vector<training::TextEntity> entities = finder.find(text).value();
    std::string out;
    for (const training::TextEntity& e : entities)
      out += e.label + ":" + text.substr(e.begin, e.end - e.begin) + "|";
    return out;
  }

  const std::map<std::string, std::string> notes_ = {{"label.0", "O"},
                                                     {"label.1", "B-PER"},
                                                     {"label.2", "I-PER"},
                                                     {"label.3", "B-LOC"},
                                                     {"label.4", "I-LOC"}};
  const std::vector<std::pair<std::string, std::size_t>> words_ = {
      {"say", 0}, {"Zo\u00EB", 1}, {"M\u00FCller", 2}, {"\u0141\u00F3d\u017A", 3},
      {"'", 0},   {"s", 0},        {"Sara", 1},        {"\u00BB", 0}};
  fs::path folder_;
};

TEST_F(FoundEntities, ArePlacedToTheByteWhateverTheCharactersTake) {
  write_weights(notes_);
  const auto finder = open_entity_finder(folder_).value();
  EXPECT_EQ(finder->labels(), (std::vector<std::string>{"PER", "LOC"}));
  EXPECT_EQ(found(*finder, "\u00BBZo\u00EB  M\u00FCller\u00AB\u2192 \u0141\u00F3d\u017A, Sarah's"),
            "PER:Zo\u00EB  M\u00FCller|LOC:\u0141\u00F3d\u017A|PER:Sarah|");
  EXPECT_EQ(found(*finder, "M\u00FCller say"), "PER:M\u00FCller|")
      << "I- that goes on with nothing";
  EXPECT_EQ(found(*finder, "say \u00E9\u00E8"), "");
  EXPECT_EQ(found(*finder, ""), "");
  EXPECT_EQ(found(*finder, " \u00AD "), "") << "a word that the tokenizer makes nothing of";
}

TEST_F(FoundEntities, ATextOfAnyLengthIsReadToItsEnd) {
  write_weights(notes_);
  const auto finder = open_entity_finder(folder_).value();
  std::string text, expected;
  for (int i = 0; i < 1000; ++i) {
    text += i % 3 == 0 ? "Sara M\u00FCller " : "say say \u0141\u00F3d\u017A ";
    expected += i % 3 == 0 ? "PER:Sara M\u00FCller|" : "LOC:\u0141\u00F3d\u017A|";
  }
  EXPECT_EQ(found(*finder, text), expected);
  EXPECT_EQ(found(*finder, "Sara" + std::string(100, 'h') + " Sara"), "PER:Sara|")
      << "the first word is too long to be one that the vocabulary spells";
  const std::string longest = "Sara" + std::string(90, 'h');
  EXPECT_EQ(found(*finder, longest + " Sara"), "PER:" + longest + "|PER:Sara|")
      << "a word of more pieces than a window holds";
}

TEST_F(FoundEntities, LabelsAreThoseOfTheRunElseThoseOfTheConfiguration) {
  write_config(
      {{"id2label", {{"0", "O"}, {"1", "B-LOC"}, {"2", "I-LOC"}, {"3", "B-PER"}, {"4", "I-PER"}}}});
  write_weights({});
  EXPECT_EQ(found(*open_entity_finder(folder_).value(), "Sara \u0141\u00F3d\u017A"),
            "LOC:Sara|PER:\u0141\u00F3d\u017A|");
  write_weights(notes_);
  EXPECT_EQ(found(*open_entity_finder(folder_).value(), "Sara \u0141\u00F3d\u017A"),
            "PER:Sara|LOC:\u0141\u00F3d\u017A|");
}

TEST_F(FoundEntities, AFolderThatIsNoSuchModelIsRefusedWithWhatIsWrong) {
  const auto refused = [this](const std::string& why) {
    EXPECT_NE(refusal().find(why), std::string::npos) << refusal() << "\nlacks\n" << why;
    EXPECT_NE(refusal().find(folder_.string()), std::string::npos) << refusal();
  };
  refused("model.safetensors");
  write_weights({});
  refused("lacks the labels of its head");
  write_weights({{"label.0", "cats"}, {"label.1", "dogs"}});
  refused("\"cats\", which is not a tag of IOB2");
  write_weights({{"label.0", "O"}, {"label.1", "B-PER"}, {"label.2", "I-PER"}});
  refused("tensor classifier.weight has the shape [5, 8], but config.json requires [3, 8]");
  write_weights(notes_);
  EXPECT_EQ(refusal(), "");
  FlatParameters weights = read_safetensors(folder_ / "model.safetensors").value();
  for (std::size_t i = 0; i < weights.layout.back().count(); ++i)
    weights.values.pop_back();
  weights.layout.pop_back();
  for (std::size_t i = 0; i < weights.layout.back().count(); ++i)
    weights.values.pop_back();
  weights.layout.pop_back();
  ASSERT_TRUE(write_safetensors(folder_ / "model.safetensors", weights, notes_).ok());
  refused("has no tensor classifier.weight");
  write_weights(notes_);
  fs::resize_file(folder_ / "model.safetensors", 100);
  refused("model.safetensors");
}

/// Weights may be finite and what comes of them not.
TEST_F(FoundEntities, AnAnswerThatIsNotFiniteIsAnErrorAndNotNoEntity) {
  write_weights(notes_);
  FlatParameters weights = read_safetensors(folder_ / "model.safetensors").value();
  std::size_t at = 0;
  for (const ParameterShape& p : weights.layout) {
    if (p.name.ends_with("output.LayerNorm.weight") || p.name == "classifier.weight")
      std::fill_n(weights.values.begin() + static_cast<std::ptrdiff_t>(at), p.count(),
                  std::numeric_limits<float>::max());
    at += p.count();
  }
  ASSERT_TRUE(write_safetensors(folder_ / "model.safetensors", weights, notes_).ok());
  const auto finder = open_entity_finder(folder_).value();
  const auto answer = finder->find("say Sara");
  ASSERT_FALSE(answer.ok());
  EXPECT_NE(answer.error().message.find("not finite"), std::string::npos);
}

}  // namespace
}  // namespace sotto::learning
