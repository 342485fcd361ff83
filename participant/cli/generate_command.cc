#include "participant/cli/generate_command.h"

#include <cstdio>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "common/base/result.h"
#include "common/cli/command.h"
#include "common/crypto/secure_random.h"
#include "participant/training/learning_library.h"

namespace sotto::participant {

namespace {

struct GenerateArguments {
  std::string model, prompt;
  training::GenerationSettings settings;
  std::uint64_t seed = 0;
  std::uint32_t threads = 1;
  bool json = false;
};

void write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

crypto::StreamRandom random_of(const GenerateArguments& args) {
  if (args.seed != 0) return crypto::StreamRandom(args.seed);
  crypto::OsRandom system;
  return crypto::StreamRandom(system);
}

void run(const GenerateArguments& args) {
  training::ModelProvider& models = training::learning_library();
  models.use_threads(args.threads);
  auto opened = models.open_text_generator(args.model);
  if (!opened.ok()) throw StartupError(opened.error().message);
  training::TextGenerator& generator = **opened;
  crypto::StreamRandom random = random_of(args);
  if (const Status started = generator.start(args.prompt, args.settings); !started.ok())
    throw StartupError(started.error().message);
  if (!args.json) write(args.prompt);
  std::string text;
  for (;;) {
    auto piece = generator.next(random);
    if (!piece.ok()) throw StartupError(piece.error().message);
    if (!piece->has_value()) break;
    text += **piece;
    if (!args.json) write(**piece);
  }
  if (!args.json) return write("\n");
  const nlohmann::json out = {
      {"prompt", args.prompt}, {"text", text}, {"new_tokens", generator.generated()}};
  write(out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace

void add_generate_command(cli::Command& app) {
  auto args = std::make_shared<GenerateArguments>();
  cli::Command* sub =
      app.add_subcommand("generate",
                         "Continue a text with a causal language model in a folder (the result of "
                         "a run; for a LoRA run the output of `model merge`), token by token");
  sub->add_option("--model", args->model,
                  "Folder with config.json, model.safetensors and the tokenizer")
      ->required();
  sub->add_option("--prompt", args->prompt, "Beginning of the text")->capture_default_str();
  sub->add_option("--max-new-tokens", args->settings.max_new_tokens,
                  "Largest number of tokens; the end token of the model and its last position end "
                  "the text earlier")
      ->capture_default_str()
      ->in_range(1, 1'000'000);
  training::Sampling& sampling = args->settings.sampling;
  sub->add_option("--temperature", sampling.temperature,
                  "Temperature of sampling: 0 takes the most probable token each time, 1 samples "
                  "from the model's distribution, smaller values prefer probable tokens")
      ->capture_default_str()
      ->in_range(0.0, 100.0);
  sub->add_option("--top-k", sampling.top_k,
                  "Sample only from this number of the most probable tokens; 0 samples from all")
      ->capture_default_str();
  sub->add_option(
         "--top-p", sampling.top_p,
         "Sample only from the smallest set of most probable tokens with this total probability")
      ->capture_default_str()
      ->in_range(1e-6, 1.0);
  sub->add_option("--seed", args->seed, "Seed of the sampling; 0 gives a different text each time")
      ->capture_default_str();
  sub->add_option("--threads", args->threads, "Number of threads for the computation")
      ->capture_default_str()
      ->in_range(1, 1024);
  sub->add_flag("--json", args->json, "Print one JSON object at the end");
  sub->callback([args] { run(*args); });
}

}  // namespace sotto::participant
