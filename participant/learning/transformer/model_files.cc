// Reads the structure and the first parameters of a job's model from its folder.
#include "common/model/weight_files.h"
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
  FlatParameters model = random_parameters(spec, trainable_layout(modules, spec.lora), job.seed);
  if (!WeightFiles::exists(job.model.path) && spec.lora.r == 0) return model;
  return with_pretrained(std::move(model), modules, job.model.path);
}

}  // namespace sotto::learning
