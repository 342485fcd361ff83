// What is written about configuration, against the table that reads it.
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/config/parse.h"
#include "participant/deidentify/anonymisation/plan.h"
#include "participant/deidentify/redaction/plan.h"

namespace sotto::config {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = SOTTO_SOURCE_DIR;

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  EXPECT_TRUE(in.good()) << file;
  return {std::istreambuf_iterator<char>(in), {}};
}

template <class T>
void expect_read(const Parsed<T>& parsed) {
  if (const auto* errors = std::get_if<ConfigErrors>(&parsed)) ADD_FAILURE() << errors->joined();
}

TEST(Configs, EveryFileOfTheRepositoryIsRead) {
  int read = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kSource / "configs")) {
    const std::string name = entry.path().filename().string();
    // The files of a model are Hugging Face's, the schemas have a test of their own.
    if (entry.path().extension() != ".json" || entry.path().parent_path().filename() == "model" ||
        name.ends_with(".schema.json"))
      continue;
    const std::string text = read_text(entry.path());
    if (name.find("job") != std::string::npos)
      expect_read(parse_job(text, entry.path().string()));
    else if (name.find("site") != std::string::npos)
      expect_read(parse_site(text, entry.path().string()));
    else if (name.find("federation") != std::string::npos)
      expect_read(parse_federation(text, entry.path().string()));
    else if (name.find("anonymise") != std::string::npos)
      expect_read(anonymisation::parse_plan(text, entry.path().string()));
    else if (name.find("mask") != std::string::npos)
      expect_read(redaction::parse_mask_plan(text, entry.path().string()));
    else
      ADD_FAILURE() << entry.path() << " is of no kind that its name tells";
    ++read;
  }
  EXPECT_GE(read, 2);
}

TEST(Configs, SchemasFitTheTableOfFields) {
  for (const std::string kind : {"job", "site", "federation"}) {
    const fs::path file = kSource / "configs/schema" / (kind + ".schema.json");
    EXPECT_EQ(read_text(file), json_schema(kind))
        << "make it anew: sotto-coordinator config schema " << kind << " > " << file;
  }
}

TEST(Configs, ReferenceFitsTheTableOfFields) {
  EXPECT_EQ(read_text(kSource / "docs/configuration.md"), reference_markdown())
      << "make it anew: sotto-coordinator config reference > docs/configuration.md";
}

TEST(Configs, SchemaCarriesRangesDefaultsAndRequiredSections) {
  const auto schema = nlohmann::json::parse(json_schema("job"));
  const auto& rounds = schema["properties"]["rounds"];
  EXPECT_EQ(rounds["additionalProperties"], false);
  EXPECT_EQ(rounds["required"],
            nlohmann::json({"num_server_rounds", "min_available_participants"}));
  EXPECT_EQ(rounds["properties"]["phase_timeout_s"]["default"], 60);
  EXPECT_EQ(rounds["properties"]["fraction_train"]["exclusiveMinimum"], 0);
  EXPECT_EQ(schema["properties"]["local_training"]["properties"]["optimizer"]["enum"],
            nlohmann::json({"adam", "sgd"}));
  const auto& required = schema["required"];
  EXPECT_EQ(required, nlohmann::json({"name", "model", "task", "rounds"}));
}

}  // namespace
}  // namespace sotto::config
