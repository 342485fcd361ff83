#include "participant/learning/local_trainer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "common/privacy/noise.h"
#include "participant/learning/batches.h"
#include "participant/learning/blas.h"
#include "participant/learning/job_model.h"
#include "participant/learning/metrics.h"
#include "participant/learning/optimizer_torch.h"
#include "participant/learning/pretrained.h"
#include "participant/learning/transformer_torch.h"
#include "participant/text/tokenizer.h"

namespace sotto::learning {
namespace {

using at::Tensor;

constexpr std::size_t kEvaluationBatch = 128;

std::vector<Sequence> tokenize(const text::Tokenizer& tokenizer,
                               const std::vector<Example>& examples, std::size_t max_length) {
  std::vector<Sequence> out;
  out.reserve(examples.size());
  for (const Example& e : examples)
    out.push_back({tokenizer.encode_framed(e.text, max_length), e.label});
  return out;
}

std::vector<std::size_t> lengths_of(const std::vector<Sequence>& sequences) {
  std::vector<std::size_t> lengths;
  for (const Sequence& s : sequences)
    lengths.push_back(s.ids.size());
  return lengths;
}

Status check_labels(const std::vector<Example>& examples, const config::JobConfig& job) {
  if (job.is_language_modeling()) return {};
  const std::size_t labels = job.task.labels.size();
  for (const Example& e : examples)
    if (e.label < 0 || static_cast<std::size_t>(e.label) >= labels)
      return Error{"an example has label number " + std::to_string(e.label) + " of " +
                   std::to_string(labels)};
  return {};
}

Result<at::Device> device_named(const std::string& name) {
  if (name == "cpu") return at::Device(at::kCPU);
  if (name == "cuda" && at::hasCUDA()) return at::Device(at::kCUDA);
  return Error{"the device " + name + " is not there"};
}

struct Setup {
  config::JobConfig job;
  ModelSpec model;
  ModelModules modules;
  at::Device device;
  std::int32_t pad;
  privacy::DpSgdSteps steps;
  std::vector<Sequence> train, evaluation;

  [[nodiscard]] bool is_language_modeling() const { return job.is_language_modeling(); }
};

class TorchTrainer final : public LocalTrainer {
 public:
  explicit TorchTrainer(Setup setup)
      : setup_(std::move(setup)),
        model_(setup_.model, setup_.modules, setup_.device),
        optimizer_(setup_.job.local_training),
        lengths_(lengths_of(setup_.train)) {}

  /// What LoRA leaves alone; once.
  Status load_frozen(const FlatParameters& frozen) { return model_.load_frozen(frozen); }

  Result<TrainedUpdate> train(const FlatParameters& model, std::uint64_t server_round,
                              crypto::SecureRandom& random,
                              const std::function<void(TrainingProgress)>& progress) override;
  Result<std::vector<std::uint64_t>> evaluate(const FlatParameters& model) override;

  [[nodiscard]] const privacy::DpSgdSteps& steps_per_round() const override { return setup_.steps; }

 private:
  Batch batch_of(std::span<const std::uint64_t> indices, const std::vector<Sequence>& from) const;
  Status private_gradient(std::span<const std::uint64_t> draw, crypto::StreamRandom& random);
  void plain_gradient(std::span<const std::uint64_t> draw, crypto::StreamRandom& random);
  std::optional<at::Generator> dropout(crypto::StreamRandom& random) const;
  void add_noise(double standard_deviation, crypto::StreamRandom& random);
  void pull_towards(const Tensor& start, double mu);
  Result<FlatUpdate> update_since(const FlatParameters& model) const;
  void count_classes(const Batch& batch, MetricCounts& counts) const;
  void count_tokens(const Batch& batch, MetricCounts& counts) const;

  Setup setup_;
  Transformer model_;
  Optimizer optimizer_;
  std::vector<std::size_t> lengths_;
};

Batch TorchTrainer::batch_of(std::span<const std::uint64_t> indices,
                             const std::vector<Sequence>& from) const {
  std::vector<const Sequence*> rows;
  for (const std::uint64_t i : indices)
    rows.push_back(&from[i]);
  return make_batch(rows, setup_.pad, setup_.device);
}

/// Seeded from `random` like everything else; nothing is drawn where there is no dropout.
std::optional<at::Generator> TorchTrainer::dropout(crypto::StreamRandom& random) const {
  if (setup_.model.lora.r == 0 || setup_.model.lora.dropout == 0) return std::nullopt;
  return at::make_generator<at::CPUGeneratorImpl>(random.below(std::uint64_t{1} << 62U));
}

/// The noisy sum of clipped gradients over a constant, the expected batch size: the drawn size
/// would tell how many were drawn.
Status TorchTrainer::private_gradient(std::span<const std::uint64_t> draw,
                                      crypto::StreamRandom& random) {
  const double clip = setup_.job.differential_privacy.clipping_norm;
  const ClipRule rule = setup_.job.differential_privacy.clipping == "automatic"
                            ? ClipRule::kAutomatic
                            : ClipRule::kFlat;
  for (const auto& chunk :
       physical_batches(draw, lengths_, setup_.job.local_training.physical_batch_size)) {
    GradTape tape;
    model_.losses(batch_of(chunk, setup_.train), {&tape, dropout(random)}).sum().backward();
    if (const auto unused = tape.unused(model_.parameters()); !unused.empty())
      return Error{"the trainable parameter " + unused.front() +
                   " took no part in the loss: its noise would be released without a gradient"};
    const Tensor norms = tape.norms();
    if (!norms.isfinite().all().item<bool>())
      return Error{"the gradient of an example is not finite; lower the learning rate"};
    tape.accumulate(clip_factors(norms, clip, rule));
  }
  add_noise(setup_.steps.noise_multiplier * clip, random);  // once for the whole draw, empty or not
  const double expected = setup_.steps.sampling_rate * static_cast<double>(setup_.train.size());
  const at::NoGradGuard no_grad;
  model_.gradient().div_(expected);
  return {};
}

void TorchTrainer::plain_gradient(std::span<const std::uint64_t> draw,
                                  crypto::StreamRandom& random) {
  const auto drawn = static_cast<double>(draw.size());
  for (const auto& chunk :
       physical_batches(draw, lengths_, setup_.job.local_training.physical_batch_size))
    (model_.losses(batch_of(chunk, setup_.train), {nullptr, dropout(random)}).sum() / drawn)
        .backward();
}

void TorchTrainer::add_noise(double standard_deviation, crypto::StreamRandom& random) {
  const at::NoGradGuard no_grad;
  const Tensor& gradient = model_.gradient();
  const auto count = static_cast<std::size_t>(gradient.numel());
  if (gradient.is_cpu()) {
    privacy::add_gaussian_noise({gradient.data_ptr<float>(), count}, standard_deviation, random);
    return;
  }
  const Tensor noise = at::zeros(gradient.sizes());
  privacy::add_gaussian_noise({noise.data_ptr<float>(), count}, standard_deviation, random);
  gradient.add_(noise.to(gradient.device()));
}

/// FedProx (Li et al. 2020): the gradient of mu / 2 |values - start|^2. Of released values alone,
/// so it is post-processing.
void TorchTrainer::pull_towards(const Tensor& start, double mu) {
  if (mu == 0) return;
  const at::NoGradGuard no_grad;
  model_.gradient().add_(model_.values() - start, mu);
}

Result<TrainedUpdate> TorchTrainer::train(const FlatParameters& model, std::uint64_t server_round,
                                          crypto::SecureRandom& random,
                                          const std::function<void(TrainingProgress)>& progress) {
  const config::LocalTrainingSection& settings = setup_.job.local_training;
  if (server_round == 0) return Error{"server rounds count from 1"};
  if (const Status loaded = model_.load(model); !loaded) return loaded.error();
  try {
    crypto::StreamRandom stream(random);
    const Tensor start = settings.proximal_mu > 0 ? model_.values().detach().clone() : Tensor();
    const auto total = std::uint64_t{setup_.job.rounds.num_server_rounds} * settings.local_steps;
    for (std::uint32_t step = 0; step < settings.local_steps; ++step) {
      const auto draw =
          privacy::poisson_sample(setup_.train.size(), setup_.steps.sampling_rate, stream);
      model_.gradient().zero_();
      if (!setup_.job.differential_privacy.enabled)
        plain_gradient(draw, stream);
      else if (const Status done = private_gradient(draw, stream); !done)
        return done.error();
      pull_towards(start, settings.proximal_mu);
      const std::uint64_t global = (server_round - 1) * settings.local_steps + step;
      optimizer_.step(model_.values(), model_.gradient(),
                      scheduled_rate(settings, std::min(global, total - 1), total));
      if (progress) progress({step + 1, settings.local_steps});
    }
  } catch (const c10::Error& e) {
    return Error{"torch: " + std::string(e.what_without_backtrace())};
  }
  Result<FlatUpdate> update = update_since(model);
  if (!update) return update.error();
  return TrainedUpdate{std::move(update).value(), setup_.steps};
}

/// In the order of the model's own layout. People have lost weeks to runs that reported epsilon
/// while the weights stood still, so an update that did not move is an error.
Result<FlatUpdate> TorchTrainer::update_since(const FlatParameters& model) const {
  std::map<std::string, Tensor> trained;
  for (const Parameter& p : model_.parameters())
    trained[p.name] = p.value.detach().cpu().contiguous();
  FlatUpdate update(std::vector<float>(model.values.size()));
  bool any_moved = false;
  std::size_t at = 0;
  for (const ParameterShape& p : model.layout) {
    const auto* now = trained.at(p.name).data_ptr<float>();
    bool moved = false;
    for (std::size_t i = 0; i < p.count(); ++i, ++at) {
      update.values[at] = now[i] - model.values[at];
      if (!std::isfinite(update.values[at]))
        return Error{"training made a value of " + p.name + " that is not finite"};
      moved |= update.values[at] != 0;
    }
    if (setup_.job.differential_privacy.enabled && !moved)
      return Error{"training did not move the parameter " + p.name};
    any_moved |= moved;
  }
  if (!any_moved) return Error{"training did not move the model: the update is zero"};
  return update;
}

void TorchTrainer::count_classes(const Batch& batch, MetricCounts& counts) const {
  const Tensor logits = model_.logits(batch, {});
  const Tensor losses = at::cross_entropy_loss(logits, batch.labels, {}, at::Reduction::None).cpu();
  const Tensor predicted = logits.argmax(1).cpu(), labels = batch.labels.cpu();
  for (std::int64_t row = 0; row < labels.size(0); ++row)
    counts.add(labels[row].item<std::int64_t>(), predicted[row].item<std::int64_t>(),
               losses[row].item<double>());
}

void TorchTrainer::count_tokens(const Batch& batch, MetricCounts& counts) const {
  const Tensor logits = model_.logits(batch, {});
  const Tensor losses = next_token_losses(logits, batch).to(at::kDouble).sum(1).cpu();
  const Tensor right = logits.argmax(2).slice(1, 0, -1).eq(batch.ids.slice(1, 1)) *
                       batch.mask.slice(1, 1).to(at::kBool);
  const Tensor correct = right.sum(1).cpu();
  for (std::size_t i = 0; i < batch.lengths.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    counts.add_text({.tokens = static_cast<std::uint64_t>(batch.lengths[i] - 1),
                     .correct = static_cast<std::uint64_t>(correct[row].item<std::int64_t>()),
                     .loss = losses[row].item<double>()});
  }
}

Result<std::vector<std::uint64_t>> TorchTrainer::evaluate(const FlatParameters& model) {
  if (const Status loaded = model_.load(model); !loaded) return loaded.error();
  MetricCounts counts(setup_.job.task.labels.size());
  std::vector<std::uint64_t> all(setup_.evaluation.size());
  std::iota(all.begin(), all.end(), 0U);
  const std::size_t at_once = setup_.is_language_modeling()
                                  ? setup_.job.local_training.physical_batch_size
                                  : kEvaluationBatch;
  try {
    const at::NoGradGuard no_grad;
    for (const auto& chunk : physical_batches(all, lengths_of(setup_.evaluation), at_once)) {
      const Batch batch = batch_of(chunk, setup_.evaluation);
      if (setup_.is_language_modeling())
        count_tokens(batch, counts);
      else
        count_classes(batch, counts);
    }
  } catch (const c10::Error& e) {
    return Error{"torch: " + std::string(e.what_without_backtrace())};
  }
  return counts.counts();
}

}  // namespace

Result<std::unique_ptr<LocalTrainer>> LocalTrainer::create(const config::JobConfig& job,
                                                           const config::SiteResources& resources,
                                                           SiteExamples examples) {
  const std::filesystem::path folder = job.model.path;
  Result<ModelSpec> model = spec_of(job);
  if (!model) return model.error();
  Result<ModelModules> modules = modules_of(*model);
  if (!modules) return modules.error();
  const TransformerConfig& shape = model->config;
  const Result<text::Tokenizer> tokenizer = text::load_tokenizer(folder);
  if (!tokenizer) return tokenizer.error();
  if (tokenizer->size() > shape.vocab_size)
    return Error{folder.string() + ": the tokenizer has " + std::to_string(tokenizer->size()) +
                 " tokens, config.json's vocab_size is " + std::to_string(shape.vocab_size)};
  if (job.model.max_length < 2 || job.model.max_length > shape.max_position_embeddings)
    return Error{"model.max_length must be from 2 to the model's " +
                 std::to_string(shape.max_position_embeddings) + " positions"};
  for (const auto* part : {&examples.train, &examples.evaluation})
    if (const Status ok = check_labels(*part, job); !ok) return ok.error();
  const Result<privacy::DpSgdSteps> steps = dp_steps_per_round(job, examples.train.size());
  if (!steps) return steps.error();
  const Result<at::Device> device = device_named(resources.device);
  if (!device) return device.error();

  use_threads(resources.threads);
  const std::size_t longest = job.model.max_length;
  auto trainer =
      std::make_unique<TorchTrainer>(Setup{job, *model, *modules, *device, tokenizer->pad(), *steps,
                                           tokenize(*tokenizer, examples.train, longest),
                                           tokenize(*tokenizer, examples.evaluation, longest)});
  if (model->lora.r > 0) {
    const Result<FlatParameters> frozen = frozen_parameters(*model, *modules, folder);
    if (!frozen) return frozen.error();
    if (const Status loaded = trainer->load_frozen(*frozen); !loaded) return loaded.error();
  }
  return std::unique_ptr<LocalTrainer>(std::move(trainer));
}

}  // namespace sotto::learning
