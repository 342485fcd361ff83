// Reads the structure and the first parameters of a job's model from its folder.
#include "common/config/head_labels.h"
#include "participant/learning/tasks/task_learning_torch.h"
#include "participant/learning/torch_models.h"
#include "participant/learning/transformer/job_model.h"
#include "participant/learning/transformer/pretrained.h"

namespace sotto::learning {

Result<ModelSpec> spec_of(const config::JobConfig& job) {
  const Result<TransformerConfig> config = load_transformer_config(job.model.path);
  if (!config) return config.error();
  const config::LoraSection& lora = job.lora;
  return ModelSpec{
      .config = *config,
      .head = make_task_learning(job)->head(),
      .lora = {.r = lora.r,
               .alpha = lora.alpha,
               .dropout = lora.dropout,
               .target_modules = lora.target_modules,
               .layers = {lora.layers_to_transform.begin(), lora.layers_to_transform.end()}}};
}

Result<FlatParameters> initial_model(const config::JobConfig& job) {
  SOTTO_ASSIGN_OR_RETURN(const ModelSpec spec, spec_of(job));
  SOTTO_ASSIGN_OR_RETURN(const ModelModules modules, modules_of(spec));
  SOTTO_TRY(config::check_problem_type(job));
  FlatParameters model = random_parameters(spec, trainable_layout(modules, spec.lora), job.seed);
  if (job.model.initial == config::InitialModel::kRandom) return model;
  if (const auto weights = weight_file_names(job.model.path); !weights.ok())
    return Error{weights.error().message +
                 "; a job that begins with random weights has model.initial \"random\""};
  return with_pretrained(
      std::move(model), modules, job.model.path,
      {.of_job = true, .fresh = job.model.new_head, .classes = job.make_task()->classes()});
}

Result<text::Tokenizer> tokenizer_of(const config::JobConfig& job, const TransformerConfig& shape) {
  const std::string folder = job.model.path;
  SOTTO_ASSIGN_OR_RETURN(text::Tokenizer tokenizer, text::load_tokenizer(folder));
  if (tokenizer.size() > shape.vocab_size)
    return Error{folder + ": the tokenizer has " + std::to_string(tokenizer.size()) +
                 " tokens, but config.json's vocab_size is " + std::to_string(shape.vocab_size)};
  if (!config::ModelSection::kMaxLength.contains(job.model.max_length) ||
      job.model.max_length > shape.max_position_embeddings)
    return Error{"model.max_length must be from 2 to the model's " +
                 std::to_string(shape.max_position_embeddings) + " positions; it is " +
                 std::to_string(job.model.max_length)};
  if (tokenizer.frame() >= job.model.max_length)
    return Error{"model.max_length must be above the number of tokens around a text, which is " +
                 std::to_string(tokenizer.frame()) + " for this model's tokenizer"};
  return tokenizer;
}

}  // namespace sotto::learning
