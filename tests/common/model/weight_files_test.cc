#include "common/model/weight_files.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"

namespace sotto {
namespace {

/// A folder whose shards hold one tensor each.
class CheckpointTest : public ::testing::Test {
 protected:
  void write(const std::string& file, const std::string& tensor, float value) const {
    SOTTO_CHECK(
        write_safetensors(folder_ / file, {.layout = {{tensor, {1}}}, .values = {value}}, {}).ok(),
        "write");
  }

  void write_index(const std::string& text) const {
    std::ofstream(folder_ / "model.safetensors.index.json") << text;
  }

  [[nodiscard]] std::string refusal() const {
    const auto opened = WeightFiles::open(folder_.path());
    return opened.ok() ? "" : opened.error().message;
  }

  TemporaryDirectory folder_;
};

TEST_F(CheckpointTest, ReadsAWholeFileWithoutAnIndex) {
  EXPECT_FALSE(WeightFiles::exists(folder_.path()));
  EXPECT_NE(refusal().find("model.safetensors: cannot be opened"), std::string::npos) << refusal();
  write("model.safetensors", "a", 3);
  EXPECT_TRUE(WeightFiles::exists(folder_.path()));
  const WeightFiles opened = WeightFiles::open(folder_.path()).value();
  EXPECT_EQ(floats_of(*opened.find("a")).value(), std::vector<float>{3});
  EXPECT_EQ(opened.find("b"), nullptr);
}

TEST_F(CheckpointTest, ReadsTheShardsThatAnIndexNames) {
  write("model-1.safetensors", "a", 1);
  write("model-2.safetensors", "b", 2);
  write("unused.safetensors", "a", 9);
  write_index(R"({"metadata": {"total_size": 8, "more": [1, {"x": null}]},
                  "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})");
  EXPECT_TRUE(WeightFiles::exists(folder_.path()));
  WeightFiles opened = WeightFiles::open(folder_.path()).value();
  const WeightFiles moved = std::move(opened);  // views survive
  EXPECT_EQ(moved.tensors().size(), 2U);
  EXPECT_EQ(floats_of(*moved.find("a")).value(), std::vector<float>{1});
  EXPECT_EQ(floats_of(*moved.find("b")).value(), std::vector<float>{2});
}

TEST_F(CheckpointTest, NamesWhatIsWrongWithAnIndex) {
  write("m.safetensors", "a", 1);
  write("n.safetensors", "a", 2);

  struct Case {
    const char *index, *reason;
  };

  for (const Case& c : {
           Case{R"({"weight_map": {"a": "../m.safetensors"}})", "tensor a: not the bare name"},
           Case{R"({"weight_map": {"a": "m.bin"}})", "tensor a: not the bare name"},
           Case{R"({"weight_map": {"a": "m.safetensors", "a": "n.safetensors"}})",
                "tensor a: stands here twice"},
           Case{R"({"weight_map": {}, "weight_map": {}})", "weight_map occurs twice"},
           Case{R"({"weight_map": {"a": 3}})", "no object of file names"},
           Case{R"({"weight_map": {"a": {"b": "m.safetensors"}}})", "no object of file names"},
           Case{R"({"metadata": {"weight_map": {"a": "m.safetensors"}}})", "has no weight_map"},
           Case{R"({"weight_map": )", "not JSON at byte"},
           Case{R"({"weight_map": {"b": "m.safetensors"}})", "has no tensor b"},
           Case{R"({"weight_map": {"a": "none.safetensors"}})", "none.safetensors: cannot"},
           Case{R"({"weight_map": {"a": "m.safetensors", "c": "n.safetensors"}})",
                "tensor a: another file of the folder has it too"},
       }) {
    write_index(c.index);
    EXPECT_NE(refusal().find(c.reason), std::string::npos) << c.index << ": " << refusal();
  }
}

}  // namespace
}  // namespace sotto
