// The export of a trained model, and the adapter that is added to its base model.
#include "common/job/exported_model.h"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/model/lora_adapter.h"
#include "tests/temporary_directory.h"

namespace sotto::job {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class ExportedModelTest : public ::testing::Test {
 protected:
  ExportedModelTest() {
    for (const char* name : {"base", "adapter"})
      fs::create_directories(folder_ / name);
    write("base/config.json", {{"model_type", "bert"}, {"torch_dtype", "float32"}});
    write("base/tokenizer.json", {{"of", "base"}});
    write("adapter/adapter_config.json", adapter_config_);
    EXPECT_TRUE(write_safetensors(
                    folder_ / "base/model.safetensors",
                    {{{"layer.0.query.weight", {2, 3}}, {"norm.bias", {1}}}, {1, 2, 3, 4, 5, 6, 7}},
                    {{"format", "pt"}})
                    .ok());
    // B A = [[1], [2]] [[1, 0, 2]], and a head.
    write_adapter({{{"base_model.model.bert.layer.0.query.lora_A.weight", {1, 3}},
                    {"base_model.model.bert.layer.0.query.lora_B.weight", {2, 1}},
                    {"base_model.model.classifier.modules_to_save.weight", {2, 1}}},
                   {1, 0, 2, 1, 2, 8, 9}});
  }

  void write_adapter(const FlatParameters& parameters) const {
    EXPECT_TRUE(write_safetensors(folder_ / "adapter" / kAdapterWeights, parameters,
                                  {{"label.0", "no"}, {"label.1", "yes"}})
                    .ok());
  }

  void write(const std::string& file, const json& content) const {
    std::ofstream(folder_ / file) << content;
  }

  [[nodiscard]] json read(const std::string& file) const {
    std::ifstream in(folder_ / file);
    return json::parse(in);
  }

  [[nodiscard]] std::string refusal(const char* model, const char* base = "") const {
    const auto made = export_model({.model = folder_ / model,
                                    .base = *base == 0 ? fs::path() : folder_ / base,
                                    .out = folder_ / "out"});
    return made.ok() ? "" : made.error().message;
  }

  void expect_refused(const char* why, const char* model, const char* base = "") const {
    EXPECT_NE(refusal(model, base).find(why), std::string::npos) << refusal(model, base);
  }

  TemporaryDirectory folder_;
  const json adapter_config_{{"peft_type", "LORA"}, {"r", 1}, {"lora_alpha", 10}};
};

TEST_F(ExportedModelTest, AnAdapterIsAddedToTheBaseAsThatSpellsItsNames) {
  const auto made = export_model(
      {.model = folder_ / "adapter", .base = folder_ / "base", .out = folder_ / "out"});
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_TRUE(made->merged);
  EXPECT_EQ(made->values, 9U);
  const FlatParameters model = read_safetensors(folder_ / "out/model.safetensors").value();
  EXPECT_EQ(model.layout, (std::vector<ParameterShape>{{"classifier.weight", {2, 1}},
                                                       {"layer.0.query.weight", {2, 3}},
                                                       {"norm.bias", {1}}}));
  EXPECT_EQ(model.values, (std::vector<float>{8, 9, 11, 2, 23, 24, 5, 46, 7}));
  EXPECT_EQ(WeightFiles::open(folder_ / "out")->metadata().at("label.1"), "yes");
  EXPECT_EQ(read("out/tokenizer.json")["of"], "base");
  EXPECT_FALSE(fs::exists(folder_ / "out/adapter_config.json"));
}

TEST_F(ExportedModelTest, StoredInOutAndScaledByTheRootOfTheRankAsPeftDoes) {
  write("adapter/adapter_config.json",
        {{"r", 4}, {"lora_alpha", 10}, {"use_rslora", true}, {"fan_in_fan_out", true}});
  const LoraAdapter adapter = read_adapter(folder_ / "adapter")->adapter;
  EXPECT_EQ(adapter.scale, 5);
  const FlatParameters merged =
      with_adapter({{{"bert.layer.0.query.weight", {3, 2}}}, {0, 0, 0, 0, 0, 0}}, adapter).value();
  EXPECT_EQ(merged.values, (std::vector<float>{5, 10, 0, 0, 10, 20, 8, 9}));
}

TEST_F(ExportedModelTest, TheTypeIsInTheFileAndInTheConfiguration) {
  for (const auto& [type, stored] :
       {std::pair{FloatType::kBFloat16, "BF16"}, {FloatType::kFloat16, "F16"}}) {
    const fs::path out = folder_ / std::string(name_of(type));
    ASSERT_TRUE(export_model({.model = folder_ / "base", .out = out, .type = type}).ok());
    const WeightFiles files = WeightFiles::open(out).value();
    EXPECT_EQ(files.find("norm.bias")->dtype, stored);
    EXPECT_EQ(floats_of(*files.find("norm.bias")).value(), std::vector<float>{7});
    const json config = read(std::string(name_of(type)) + "/config.json");
    EXPECT_EQ(config["dtype"], name_of(type));
    EXPECT_EQ(config["torch_dtype"], name_of(type));
  }
}

TEST_F(ExportedModelTest, WhatCannotBeExportedIsRefusedByName) {
  expect_refused("name the folder of its base model with --base", "adapter");
  expect_refused("holds no adapter", "base", "base");
  expect_refused("is not a folder", "nothing");
  for (const auto& [key, value] : std::map<std::string, json>{
           {"use_dora", true}, {"rank_pattern", {{"x", 2}}}, {"peft_type", "IA3"}, {"r", 0}}) {
    json config = adapter_config_;
    config[key] = value;
    write("adapter/adapter_config.json", config);
    expect_refused(("adapter_config.json: " + key).c_str(), "adapter", "base");
  }
  write("adapter/adapter_config.json", adapter_config_);
  write_adapter({{{"base_model.model.bert.embeddings.lora_embedding_A", {1}}}, {1}});
  expect_refused("neither a head nor a weight of the base model", "adapter", "base");
  write_adapter(
      {{{"bert.layer.0.query.lora_A.weight", {1, 2}}, {"bert.layer.0.query.lora_B.weight", {2, 1}}},
       {1, 0, 2, 1}});
  expect_refused("the weight has the shape [2, 3], but the adapter needs [2, 2]", "adapter",
                 "base");
  EXPECT_FALSE(fs::exists(folder_ / "out")) << "nothing is left behind";
}

TEST_F(ExportedModelTest, NoFileIsReplaced) {
  fs::create_directories(folder_ / "out");
  EXPECT_EQ(refusal("base"), "") << "an empty folder";
  expect_refused("replaces no files", "base");
}

}  // namespace
}  // namespace sotto::job
