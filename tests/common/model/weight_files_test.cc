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
  EXPECT_NE(refusal().find("the folder has no weights: model.safetensors, or shards"),
            std::string::npos)
      << refusal();
  write("model.safetensors", "a", 3);
  EXPECT_EQ(weight_file_names(folder_.path()).value(),
            std::vector<std::string>{"model.safetensors"});
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
  EXPECT_EQ(weight_file_names(folder_.path()).value(),
            (std::vector<std::string>{"model-1.safetensors", "model-2.safetensors",
                                      "model.safetensors.index.json"}));
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
           Case{R"({"weight_map": {"a": "none.safetensors"}})",
                "names the shard none.safetensors, which the folder does not have"},
           Case{R"({"weight_map": {"a": "m.safetensors", "c": "n.safetensors"}})",
                "tensor a: another file of the folder has it too"},
       }) {
    write_index(c.index);
    EXPECT_NE(refusal().find(c.reason), std::string::npos) << c.index << ": " << refusal();
  }
}

TEST_F(CheckpointTest, WeightsInAnotherFormatAreRefusedByNameWithTheConversion) {
  struct Case {
    const char *file, *reason;
  };

  for (const Case& c : {
           Case{"pytorch_model.bin", "is in PyTorch's format"},
           Case{"pytorch_model-00001-of-00002.bin", "getattr(t, c.architectures[0])"},
           Case{"pytorch_model.bin.index.json", "is in PyTorch's format"},
           Case{"consolidated.00.pth", "is in PyTorch's format"},
           Case{"tf_model.h5", "from_tf=True"},
           Case{"flax_model.msgpack", "from_flax=True"},
           Case{"q4.gguf", "gguf_file='q4.gguf'"},
           Case{"bert_model.ckpt.index", "transformers-cli convert"},
           Case{"last.ckpt", "is a checkpoint of TensorFlow or Lightning"},
           Case{"model.onnx", "is an export for inference"},
           Case{"model.safetensors.part", "is an unfinished download; download the file again"},
           Case{"model.safetensors.incomplete", "is an unfinished download"},
           Case{"adapter_model.safetensors", "is an adapter, and the folder lacks the base model"},
           Case{"adapter_model.bin", "is an adapter"},
           Case{"model-00001-of-00003.safetensors", "shards need model.safetensors.index.json"},
           Case{"Model.SafeTensors", "name a file with all weights model.safetensors"},
       }) {
    std::ofstream(folder_ / c.file) << "x";
    std::ofstream(folder_ / "training_args.bin") << "x";
    EXPECT_NE(refusal().find(std::string("/") + c.file + " "), std::string::npos) << refusal();
    EXPECT_NE(refusal().find(c.reason), std::string::npos) << c.file << ": " << refusal();
    EXPECT_EQ(refusal().find("FOLDER"), std::string::npos) << refusal();
    std::filesystem::remove(folder_ / c.file);
  }
  EXPECT_NE(refusal().find("the folder has no weights"), std::string::npos) << refusal();
  // Beside weights that can be read the others are copies of them.
  std::ofstream(folder_ / "pytorch_model.bin") << "x";
  write("model.safetensors", "a", 3);
  EXPECT_EQ(refusal(), "");
}

TEST_F(CheckpointTest, ALinkToNothingIsNoFolderWithoutWeights) {
  for (const char* name : {"model.safetensors", "model.safetensors.index.json", "a.safetensors"}) {
    std::filesystem::create_symlink("blobs/none", folder_ / name);
    EXPECT_NE(refusal().find(name), std::string::npos) << refusal();
    EXPECT_EQ(refusal().find("the folder has no weights"), std::string::npos) << refusal();
    std::filesystem::remove(folder_ / name);
  }
}

TEST_F(CheckpointTest, FilesThatStandInForWeightsAreNamed) {
  struct Case {
    std::string text;
    const char* reason;
  };

  for (const Case& c :
       {Case{"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"},
        Case{"<!DOCTYPE html><html>", "is a web page"}, Case{"\n <HTML>", "is a web page"},
        Case{"PK\x03\x04 and the rest of a ZIP archive", "is a ZIP archive"},
        Case{"GGUF and what follows", "is in the GGUF format"}}) {
    std::ofstream(folder_ / "model.safetensors") << c.text;
    EXPECT_NE(refusal().find(std::string("model.safetensors: ") + c.reason), std::string::npos)
        << refusal();
  }
  std::filesystem::remove(folder_ / "model.safetensors");
  write_index("version https://git-lfs.github.com/spec/v1\n");
  EXPECT_NE(refusal().find("index.json: is a Git LFS pointer"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace sotto
