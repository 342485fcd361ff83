#include "common/model/unreadable_weights.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <string_view>

namespace sotto {

namespace {

namespace fs = std::filesystem;

/// Returns a command that makes Hugging Face's library read the folder and write it again.
std::string converted_by(const std::string& model_class, const std::string& option) {
  return "python3 -c \"import transformers as t; c = t.AutoConfig.from_pretrained('FOLDER'); " +
         model_class + ".from_pretrained('FOLDER'" + option + ").save_pretrained('FOLDER')\"";
}

std::string convert(const std::string& option) {
  return "convert it with Hugging Face's transformers library: " +
         converted_by("getattr(t, c.architectures[0])", option);
}

using Remedy = std::string (*)(const std::string& file);

/// A format by the ends of its file names; earlier entries of the table come first.
struct Format {
  std::array<std::string_view, 7> ends;  // in lower case
  std::string_view what;
  Remedy remedy;
};

const std::array kFormats = {
    Format{{".part", ".partial", ".incomplete", ".crdownload", ".download", ".aria2"},
           "is an unfinished download",
           [](const std::string&) { return std::string("download the file again"); }},
    Format{{"adapter_model.safetensors", "adapter_model.bin"},
           "is an adapter, and the folder lacks the base model that it changes",
           [](const std::string&) {
             return std::string(
                 "merge both with PEFT: PeftModel.from_pretrained(BASE, 'FOLDER')"
                 ".merge_and_unload().save_pretrained('NEW'), or, for an adapter of a run of this "
                 "program, with \"sotto-participant model merge\"");
           }},
    Format{{".safetensors"},
           "has another name than the weights of a model folder have",
           [](const std::string&) {
             return std::string(
                 "name a file with all weights model.safetensors; shards need "
                 "model.safetensors.index.json beside them, from the same download");
           }},
    Format{{".bin", ".bin.index.json", ".pt", ".pth", ".pkl", ".pickle"},
           "is in PyTorch's format, which can execute code when it is read",
           [](const std::string&) { return convert(""); }},
    Format{{".h5", ".keras"},
           "is in TensorFlow's format",
           [](const std::string&) {
             return convert(", from_tf=True") + " (version 4 of the library, with TensorFlow)";
           }},
    Format{{".msgpack"},
           "is in Flax's format",
           [](const std::string&) {
             return convert(", from_flax=True") + " (version 4 of the library, with Flax)";
           }},
    Format{{".gguf", ".ggml"},
           "is in llama.cpp's format",
           [](const std::string& file) {
             return "download the original weights, or convert it with Hugging Face's transformers "
                    "library: " +
                    converted_by("t.AutoModelForCausalLM", ", gguf_file='" + file + "'");
           }},
    Format{{".ckpt", ".ckpt.index", ".ckpt.meta", ".ckpt.data-00000-of-00001"},
           "is a checkpoint of TensorFlow or Lightning",
           [](const std::string&) {
             return std::string(
                 "convert it with \"transformers-cli convert\" (version 4 of Hugging Face's "
                 "library), or download the model's model.safetensors");
           }},
    Format{{".onnx", ".npz", ".npy", ".ot", ".tflite", ".pb", ".mlmodel"},
           "is an export for inference",
           [](const std::string&) {
             return std::string("download the original model's model.safetensors");
           }},
};

/// Files of a training run with such an end that hold no weights of a model.
bool holds_no_weights(std::string_view name) {
  constexpr std::array kStems = {"training_args", "optimizer", "scheduler", "scaler", "rng_state"};
  return std::ranges::any_of(kStems, [&](const char* stem) { return name.starts_with(stem); });
}

/// Returns the index in kFormats; their number when the file is of none.
std::size_t format_of(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (holds_no_weights(name)) return kFormats.size();
  const auto fits = [&](std::string_view end) { return !end.empty() && name.ends_with(end); };
  const auto* found = std::ranges::find_if(
      kFormats, [&](const Format& format) { return std::ranges::any_of(format.ends, fits); });
  return static_cast<std::size_t>(found - kFormats.begin());
}

}  // namespace

std::string unreadable_weights(const fs::path& folder) {
  std::error_code failed;
  std::set<std::pair<std::size_t, std::string>> found;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    const std::string name = at->path().filename().string();
    if (const std::size_t format = format_of(name); format < kFormats.size())
      found.emplace(format, name);
  }
  if (found.empty()) return {};
  const auto& [format, name] = *found.begin();
  if (!fs::exists(folder / name, failed))
    return name + " is a link to a file that does not exist; download the file again";
  std::string remedy = kFormats.at(format).remedy(name);
  for (std::size_t at = 0; (at = remedy.find("FOLDER", at)) != std::string::npos;)
    remedy.replace(at, 6, folder.string());
  return name + " " + std::string(kFormats.at(format).what) + "; " + remedy;
}

}  // namespace sotto
