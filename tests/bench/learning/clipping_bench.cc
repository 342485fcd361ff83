// What clipping by a bound instead of an estimate takes of ordinary gradients: over the examples of
// the worked examples, the mean of the clip factor by the bound over that by the estimate.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "common/config/parse.h"
#include "participant/data/examples.h"
#include "participant/learning/blas.h"
#include "participant/learning/dp_sgd/batches.h"
#include "participant/learning/dp_sgd/clipping_torch.h"
#include "participant/learning/tasks/task_learning_torch.h"
#include "participant/learning/tokenized_examples.h"
#include "participant/learning/torch_models.h"
#include "participant/learning/transformer/job_model.h"
#include "participant/learning/transformer/pretrained.h"
#include "participant/learning/transformer/transformer_torch.h"
#include "participant/text/tokenizer.h"
#include "tests/bench/bench.h"
#include "tests/bench/learning/openblas_kernel.h"

namespace sotto::bench {
namespace {

using at::Tensor;
using learning::Clipping;
using learning::GradTape;
using learning::Transformer;

constexpr std::size_t kExamples = 256;

struct Case {
  std::string name, folder, shard;
  bool adapters;  // as the job has it; else the whole model
};

/// Mean and least of the ratios of one rule, and how many pairs of factors they are of.
void compare(const Report& report, const Case& c, config::Clipping rule) {
  const std::string name = c.name + "_" + std::string(config::word_of(rule));
  const std::filesystem::path folder = SOTTO_SOURCE_DIR "/configs/" + c.folder;
  config::JobConfig job = config::load_job(folder / "job.json", {});
  if (!c.adapters) job.lora = {};
  job.differential_privacy.clipping = rule;
  auto texts = data::read_examples(folder / "data/shards" / c.shard, job).value();
  texts.resize(std::min(texts.size(), kExamples));
  const auto tokenizer =
      std::make_shared<const text::Tokenizer>(text::load_tokenizer(job.model.path).value());
  const auto examples =
      learning::TokenizedExamples::create(tokenizer, std::move(texts), job,
                                          learning::TokenizedExamples::Split::kEvaluation)
          .value();
  const learning::ModelSpec spec = learning::spec_of(job).value();
  const learning::ModelModules modules = learning::modules_of(spec).value();
  const auto task = learning::make_task_learning(job);
  Transformer model(spec, modules, at::kCPU);
  SOTTO_CHECK(model.load(learning::initial_model(job).value()).ok(), "model");
  if (c.adapters)
    SOTTO_CHECK(
        model.load_frozen(learning::frozen_parameters(spec, modules, job.model.path).value()).ok(),
        "model");
  std::vector<std::uint64_t> all(examples.size());
  std::iota(all.begin(), all.end(), 0U);
  auto loader = examples.loader(data::Purpose::kTrain);
  double sum = 0, least = 1, count = 0;
  for (const auto& chunk : learning::physical_batches(all, examples.lengths(), 32)) {
    GradTape tape;
    const auto rows = loader.read(chunk).value();
    const auto batch = learning::make_batch(rows, tokenizer->pad(), at::kCPU);
    tape.backward(model.losses(*task, batch, {.tape = &tape}).sum());
    const learning::SquaredNorms norms = tape.squared_norms(model.parameters());
    Clipping by_bound(job.differential_privacy, model.parameters()), by_estimate = by_bound;
    const Tensor before = by_estimate.factors(norms.estimate.clamp_min(0)).to(at::kDouble);
    const Tensor ratio = by_bound.factors(norms.bound).to(at::kDouble) / before;
    sum += ratio.sum().item<double>();
    least = std::min(least, ratio.min().item<double>());
    count += static_cast<double>(ratio.numel());
  }
  report.add(
      {.name = name, .metric = "lost_mass_mean", .value = 1e6 * (1 - sum / count), .unit = "ppm"});
  report.add({.name = name, .metric = "lost_mass_most", .value = 1e6 * (1 - least), .unit = "ppm"});
}

}  // namespace
}  // namespace sotto::bench

int main(int argc, char** argv) {
  sotto::bench::restart_with_openblas_kernel(argv);
  sotto::learning::use_threads(1);
  const sotto::bench::Report report("clipping", argc, argv);
  for (const sotto::bench::Case& c :
       {sotto::bench::Case{"quickstart", "quickstart", "aurora/train.tsv", false},
        sotto::bench::Case{"ner", "ner", "news/train.tsv", false},
        sotto::bench::Case{"tinyshakespeare_whole", "tinyshakespeare", "menenius/train.tsv", false},
        sotto::bench::Case{"tinyshakespeare_lora", "tinyshakespeare", "menenius/train.tsv", true}})
    for (const auto rule : {sotto::config::Clipping::kFlat, sotto::config::Clipping::kAutomatic,
                            sotto::config::Clipping::kPerLayer})
      sotto::bench::compare(report, c, rule);
}
