// What the folder of a trained model says about its task, labels and lengths.
#include "common/model/saved_task.h"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/temporary_directory.h"

namespace sotto {
namespace {

using nlohmann::json;

class SavedTaskTest : public ::testing::Test {
 protected:
  void write(const std::string& file, const json& content) const {
    std::ofstream(folder_.path() / file) << content;
  }

  [[nodiscard]] std::string type(const json& config, const SavedHead& head,
                                 std::string_view requested = "") const {
    write("config.json", config);
    const auto task = saved_task(folder_.path(), head, requested);
    return task.ok() ? task->type : task.error().message;
  }

  TemporaryDirectory folder_;
  const SavedHead none_, three_{.outputs = 3};
  const json names_{{"0", "a"}, {"1", "b"}, {"2", "c"}};
};

TEST_F(SavedTaskTest, TheArchitectureTellsTheTask) {
  const auto of = [](const char* name) { return json{{"architectures", {name}}}; };
  EXPECT_EQ(type(of("BertForSequenceClassification"), three_), "sequence_classification");
  EXPECT_EQ(type(of("LlamaForCausalLM"), none_), "causal_language_modeling");
  EXPECT_EQ(type(of("GPT2LMHeadModel"), none_), "causal_language_modeling");
  json tags = of("BertForTokenClassification");
  tags["id2label"] = names_;
  EXPECT_EQ(type(tags, three_), "token_classification");
  EXPECT_EQ(type(of("BertForSequenceClassification"), {.outputs = 1}), "sequence_regression");
  json regression = of("BertForSequenceClassification");
  regression["problem_type"] = "regression";
  EXPECT_EQ(type(regression, {.outputs = 1}), "sequence_regression");
  EXPECT_NE(type(regression, three_).find("a regression here has one"), std::string::npos);
  EXPECT_EQ(type(of("BertModel"), three_, "sequence_classification"), "sequence_classification");
}

TEST_F(SavedTaskTest, TheClassesThatARunSavedTellTheTaskWhereTheArchitectureDoesNot) {
  const json base{{"architectures", {"BertForMaskedLM"}}};
  EXPECT_EQ(type(base, {.outputs = 2, .metadata = {{"label.0", "no"}, {"label.1", "yes"}}}),
            "sequence_classification");
  EXPECT_EQ(type(base, {.outputs = 2, .metadata = {{"label.0", "O"}, {"label.1", "B-PER"}}}),
            "token_classification");
}

TEST_F(SavedTaskTest, WhatIsMissingIsNamed) {
  const auto refused = [&](const std::string& message, const char* why) {
    EXPECT_NE(message.find(why), std::string::npos) << message;
    EXPECT_NE(message.find(folder_.path().string()), std::string::npos) << message;
  };
  refused(type({{"architectures", {"BertModel"}}}, none_), R"(has architectures ["BertModel"])");
  refused(type({{"architectures", {"BertModel"}}}, three_), "name the task with --task");
  refused(type({{"architectures", {"BertForSequenceClassification"}}}, none_),
          "has no head for the task sequence_classification");
  refused(type({{"architectures", {"BertForTokenClassification"}}}, three_),
          "lacks the labels of its head");
  refused(type({{"architectures", {"BertForSequenceClassification"}}, {"id2label", names_}},
               {.outputs = 5}),
          "names 3 labels, but the head has 5 outputs");
}

TEST_F(SavedTaskTest, LabelsAreThoseOfTheRunElseOfTheConfigurationElseNumbered) {
  json config{{"architectures", {"BertForSequenceClassification"}}, {"id2label", names_}};
  const auto classes = [&](const SavedHead& head) {
    write("config.json", config);
    return saved_task(folder_.path(), head, "").value().classes;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(classes(three_), (Names{"a", "b", "c"}));
  EXPECT_EQ(classes({.outputs = 2, .metadata = {{"label.0", "x"}, {"label.1", "y"}}}),
            (Names{"x", "y"}));
  config.erase("id2label");
  EXPECT_EQ(classes({.outputs = 2}), (Names{"LABEL_0", "LABEL_1"}));
  config["problem_type"] = "multi_label_classification";
  write("config.json", config);
  EXPECT_TRUE(saved_task(folder_.path(), three_, "").value().multi_label);
}

TEST_F(SavedTaskTest, LengthsAreReadWhereTheyStandForALimit) {
  EXPECT_EQ(saved_max_length(folder_.path()).value(), std::nullopt);
  EXPECT_EQ(saved_positions(folder_.path()).value(), std::nullopt);
  write("tokenizer_config.json", {{"model_max_length", 64}});
  write("config.json", {{"n_positions", 96}});
  EXPECT_EQ(saved_max_length(folder_.path()).value(), 64U);
  EXPECT_EQ(saved_positions(folder_.path()).value(), 96U);
  write("tokenizer_config.json", {{"model_max_length", 1e30}});
  EXPECT_EQ(saved_max_length(folder_.path()).value(), std::nullopt) << "no limit";
  write("tokenizer_config.json", json::array());
  EXPECT_FALSE(saved_max_length(folder_.path()).ok());
}

}  // namespace
}  // namespace sotto
