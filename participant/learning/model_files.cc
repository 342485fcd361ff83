// A job's model folder: what is read at the start and what is left at the end.
#include <fstream>
#include <map>

#include "common/model/safetensors.h"
#include "participant/learning/encoder_config.h"
#include "participant/learning/local_trainer.h"
#include "participant/learning/tokenizer.h"

namespace sotto::learning {
namespace {

/// A pretrained encoder brings everything but the head of this task.
bool may_be_new(const std::string& name) {
  return name.starts_with("classifier.") || name.starts_with("bert.pooler.");
}

/// Overwrites what the file has; other tensors in it are left alone.
Status take_pretrained(FlatParameters& model, const std::filesystem::path& file) {
  Result<FlatParameters> read = read_safetensors(file);
  if (!read) return read.error();
  std::map<std::string, std::pair<const ParameterShape*, std::size_t>> given;
  std::size_t offset = 0;
  for (const ParameterShape& p : read->layout) {
    given[p.name] = {&p, offset};
    offset += p.count();
  }
  std::size_t at = 0;
  for (const ParameterShape& p : model.layout) {
    const auto found = given.find(p.name);
    if (found != given.end() && found->second.first->shape != p.shape)
      return Error{file.string() + ": " + p.name + " has not the shape that config.json gives it"};
    if (found != given.end())
      std::copy_n(read->values.begin() + static_cast<std::ptrdiff_t>(found->second.second),
                  p.count(), model.values.begin() + static_cast<std::ptrdiff_t>(at));
    else if (!may_be_new(p.name))
      return Error{file.string() + ": has no tensor " + p.name};
    at += p.count();
  }
  return {};
}

}  // namespace

Result<FlatParameters> initial_model(const config::JobConfig& job) {
  const std::filesystem::path folder = job.model.path;
  const Result<EncoderConfig> config = load_encoder_config(folder);
  if (!config) return config.error();
  FlatParameters model =
      random_parameters(*config, static_cast<std::int64_t>(job.task.labels.size()), job.seed);
  const auto weights = folder / "model.safetensors";
  if (std::filesystem::exists(weights))
    if (const Status taken = take_pretrained(model, weights); !taken) return taken.error();
  return model;
}

Status save_model(const std::filesystem::path& folder, const config::JobConfig& job,
                  const FlatParameters& parameters) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  for (const char* name : {"config.json", "vocab.txt"}) {
    std::filesystem::copy_file(std::filesystem::path(job.model.path) / name, folder / name,
                               std::filesystem::copy_options::overwrite_existing, failed);
    if (failed) return Error{(folder / name).string() + ": " + failed.message()};
  }
  std::map<std::string, std::string> metadata{{"format", "pt"}, {"job", job.name}};
  for (std::size_t i = 0; i < job.task.labels.size(); ++i)
    metadata["label." + std::to_string(i)] = job.task.labels[i];
  return write_safetensors(folder / "model.safetensors", parameters, metadata);
}

}  // namespace sotto::learning
