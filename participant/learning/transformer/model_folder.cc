#include "participant/learning/transformer/model_folder.h"

#include <string>
#include <utility>

#include "participant/learning/transformer/pretrained.h"

namespace sotto::learning {

Status check_vocabulary(const text::Tokenizer& tokenizer, const TransformerConfig& config,
                        const std::filesystem::path& folder) {
  if (tokenizer.size() <= config.vocab_size) return {};
  return Error{folder.string() + ": the tokenizer has " + std::to_string(tokenizer.size()) +
               " tokens, but config.json's vocab_size is " + std::to_string(config.vocab_size)};
}

Result<ModelFolder> open_model_folder(const std::filesystem::path& folder, const ModelHead& head) {
  SOTTO_ASSIGN_OR_RETURN(const TransformerConfig config, load_transformer_config(folder));
  ModelSpec spec{.config = config, .head = head};
  Result<ModelModules> modules = modules_of(spec);
  if (!modules) return Error{folder.string() + ": " + modules.error().message};
  SOTTO_ASSIGN_OR_RETURN(text::Tokenizer tokenizer, text::load_tokenizer(folder));
  SOTTO_TRY(check_vocabulary(tokenizer, config, folder));
  FlatParameters shapes{trainable_layout(*modules, {}), {}};
  std::size_t total = 0;
  for (const ParameterShape& p : shapes.layout)
    total += p.count();
  shapes.values.resize(total);
  SOTTO_ASSIGN_OR_RETURN(FlatParameters weights,
                         with_pretrained(std::move(shapes), *modules, folder));
  return ModelFolder{std::move(spec), std::move(modules).value(), std::move(tokenizer),
                     std::move(weights)};
}

}  // namespace sotto::learning
