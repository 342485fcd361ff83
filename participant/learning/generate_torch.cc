#include "participant/learning/generate_torch.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace sotto::learning {

std::vector<std::int32_t> generate_greedy(const Transformer& model,
                                          std::vector<std::int32_t> prompt, std::size_t count) {
  SOTTO_CHECK(!prompt.empty(), "nothing to go on from");
  const at::NoGradGuard no_grad;
  const auto positions = static_cast<std::size_t>(model.spec().config.max_position_embeddings);
  Sequence text{std::move(prompt), 0};
  for (std::size_t i = 0; i < count && text.ids.size() < positions; ++i) {
    const Sequence* const rows[] = {&text};
    const at::Tensor logits = model.next_token_logits(make_batch(rows, 0, model.values().device()));
    text.ids.push_back(static_cast<std::int32_t>(logits.argmax(1).item<std::int64_t>()));
  }
  return std::move(text.ids);
}

}  // namespace sotto::learning
