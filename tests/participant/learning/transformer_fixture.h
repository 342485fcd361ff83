// Models from checkpoints, for tests.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "participant/learning/tasks/task_learning_torch.h"
#include "participant/learning/transformer/pretrained.h"
#include "participant/learning/transformer/transformer_torch.h"
#include "tests/participant/learning/test_device.h"

namespace sotto::learning {

inline const std::filesystem::path kVectors = SOTTO_SOURCE_DIR "/tests/vectors/transformers";

inline ModelSpec language_spec(const std::filesystem::path& folder) {
  return {.config = load_transformer_config(folder).value(),
          .head = {.kind = ModelHead::Kind::kLanguageModel}};
}

inline ModelSpec classifier_spec(const std::filesystem::path& folder, std::int64_t labels) {
  return {.config = load_transformer_config(folder).value(),
          .head = {.kind = ModelHead::Kind::kClassification, .labels = labels}};
}

/// The task of a head: what losses() asks for.
inline const TaskLearning& task_of(ModelHead::Kind head) {
  static const auto make = [](const char* type) {
    config::JobConfig job;
    job.task = {.type = type, .labels = {"a", "b"}};
    job.model.max_length = 128;
    return make_task_learning(job);
  };
  static const auto classes = make("sequence_classification"), tags = make("token_classification"),
                    language = make("causal_language_modeling");
  if (head == ModelHead::Kind::kClassification) return *classes;
  return head == ModelHead::Kind::kTokenClassification ? *tags : *language;
}

inline at::Tensor losses_of(const Transformer& model, const Batch& batch, const Pass& pass) {
  return model.losses(task_of(model.spec().head.kind), batch, pass);
}

/// The checkpoint of a folder as a model; what it lacks (a new head, adapters) is random.
inline std::unique_ptr<Transformer> model_from(const std::filesystem::path& folder,
                                               const ModelSpec& spec) {
  const ModelModules modules = modules_of(spec).value();
  auto model = std::make_unique<Transformer>(spec, modules, test_device());
  const FlatParameters random =
      random_parameters(spec, trainable_layout(modules, spec.lora), /*seed=*/1);
  SOTTO_CHECK(model->load(with_pretrained(random, modules, folder).value()).ok(), "load");
  SOTTO_CHECK(model->load_frozen(frozen_parameters(spec, modules, folder).value()).ok(), "load");
  return model;
}

inline Batch batch_of(const std::vector<Sequence>& texts, at::Device device) {
  std::vector<const Sequence*> rows;
  for (const Sequence& s : texts)
    rows.push_back(&s);
  return make_batch(rows, 0, device);
}

inline Batch batch_of(const std::vector<Sequence>& texts) {
  return batch_of(texts, test_device());
}

}  // namespace sotto::learning
