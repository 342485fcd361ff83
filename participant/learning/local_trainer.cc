#include "participant/learning/local_trainer.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "common/privacy/noise.h"
#include "participant/learning/batches.h"
#include "participant/learning/blas.h"
#include "participant/learning/encoder_torch.h"
#include "participant/learning/metrics.h"
#include "participant/learning/optimizer_torch.h"
#include "participant/learning/tokenizer.h"

namespace sotto::learning {
namespace {

using at::Tensor;

constexpr std::size_t kEvaluationBatch = 128;

std::vector<Sequence> tokenize(const Tokenizer& tokenizer, const std::vector<Example>& examples,
                               std::size_t max_length) {
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

Status check_labels(const std::vector<Example>& examples, std::size_t labels) {
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
  EncoderConfig encoder;
  at::Device device;
  std::int32_t pad;
  privacy::DpSgdSteps steps;
  std::vector<Sequence> train, evaluation;
};

class TorchTrainer final : public LocalTrainer {
 public:
  explicit TorchTrainer(Setup setup)
      : setup_(std::move(setup)),
        encoder_(setup_.encoder, static_cast<std::int64_t>(setup_.job.task.labels.size()),
                 setup_.device),
        optimizer_(setup_.job.local_training),
        lengths_(lengths_of(setup_.train)) {}

  Result<TrainedUpdate> train(const FlatParameters& model, std::uint64_t server_round,
                              crypto::SecureRandom& random,
                              const std::function<void(TrainingProgress)>& progress) override;
  Result<std::vector<std::uint64_t>> evaluate(const FlatParameters& model) override;

  [[nodiscard]] const privacy::DpSgdSteps& steps_per_round() const override { return setup_.steps; }

 private:
  Batch batch_of(std::span<const std::uint64_t> indices, const std::vector<Sequence>& from) const;
  Status private_gradient(std::span<const std::uint64_t> draw, crypto::StreamRandom& random);
  void plain_gradient(std::span<const std::uint64_t> draw);
  void add_noise(double standard_deviation, crypto::StreamRandom& random);
  Result<FlatUpdate> update_since(const FlatParameters& model) const;

  Setup setup_;
  Encoder encoder_;
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

/// The noisy sum of clipped gradients over a constant, the expected batch size: the drawn size
/// would tell how many were drawn.
Status TorchTrainer::private_gradient(std::span<const std::uint64_t> draw,
                                      crypto::StreamRandom& random) {
  const double clip = setup_.job.differential_privacy.clipping_norm;
  for (const auto& chunk :
       physical_batches(draw, lengths_, setup_.job.local_training.physical_batch_size)) {
    GradTape tape;
    encoder_.losses(batch_of(chunk, setup_.train), &tape).sum().backward();
    if (const auto unused = tape.unused(encoder_.parameters()); !unused.empty())
      return Error{"the trainable parameter " + unused.front() +
                   " took no part in the loss: its noise would be released without a gradient"};
    const Tensor norms = tape.norms();
    if (!norms.isfinite().all().item<bool>())
      return Error{"the gradient of an example is not finite; lower the learning rate"};
    tape.accumulate(clip_factors(norms, clip));
  }
  add_noise(setup_.steps.noise_multiplier * clip, random);  // once for the whole draw, empty or not
  const double expected = setup_.steps.sampling_rate * static_cast<double>(setup_.train.size());
  const at::NoGradGuard no_grad;
  encoder_.gradient().div_(expected);
  return {};
}

void TorchTrainer::plain_gradient(std::span<const std::uint64_t> draw) {
  const auto drawn = static_cast<double>(draw.size());
  for (const auto& chunk :
       physical_batches(draw, lengths_, setup_.job.local_training.physical_batch_size))
    (encoder_.losses(batch_of(chunk, setup_.train), nullptr).sum() / drawn).backward();
}

void TorchTrainer::add_noise(double standard_deviation, crypto::StreamRandom& random) {
  const at::NoGradGuard no_grad;
  const Tensor& gradient = encoder_.gradient();
  const auto count = static_cast<std::size_t>(gradient.numel());
  if (gradient.is_cpu()) {
    privacy::add_gaussian_noise({gradient.data_ptr<float>(), count}, standard_deviation, random);
    return;
  }
  const Tensor noise = at::zeros(gradient.sizes());
  privacy::add_gaussian_noise({noise.data_ptr<float>(), count}, standard_deviation, random);
  gradient.add_(noise.to(gradient.device()));
}

Result<TrainedUpdate> TorchTrainer::train(const FlatParameters& model, std::uint64_t server_round,
                                          crypto::SecureRandom& random,
                                          const std::function<void(TrainingProgress)>& progress) {
  const config::LocalTrainingSection& settings = setup_.job.local_training;
  if (server_round == 0) return Error{"server rounds count from 1"};
  if (const Status loaded = encoder_.load(model); !loaded) return loaded.error();
  try {
    crypto::StreamRandom stream(random);
    const auto total = std::uint64_t{setup_.job.rounds.num_server_rounds} * settings.local_steps;
    for (std::uint32_t step = 0; step < settings.local_steps; ++step) {
      const auto draw =
          privacy::poisson_sample(setup_.train.size(), setup_.steps.sampling_rate, stream);
      encoder_.gradient().zero_();
      if (!setup_.job.differential_privacy.enabled)
        plain_gradient(draw);
      else if (const Status done = private_gradient(draw, stream); !done)
        return done.error();
      const std::uint64_t global = (server_round - 1) * settings.local_steps + step;
      optimizer_.step(encoder_.values(), encoder_.gradient(),
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
  for (const Parameter& p : encoder_.parameters())
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

Result<std::vector<std::uint64_t>> TorchTrainer::evaluate(const FlatParameters& model) {
  if (const Status loaded = encoder_.load(model); !loaded) return loaded.error();
  MetricCounts counts(setup_.job.task.labels.size());
  std::vector<std::uint64_t> all(setup_.evaluation.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = i;
  try {
    const at::NoGradGuard no_grad;
    for (const auto& chunk :
         physical_batches(all, lengths_of(setup_.evaluation), kEvaluationBatch)) {
      const Batch batch = batch_of(chunk, setup_.evaluation);
      const Tensor logits = encoder_.logits(batch, nullptr);
      const Tensor losses =
          at::cross_entropy_loss(logits, batch.labels, {}, at::Reduction::None).cpu();
      const Tensor predicted = logits.argmax(1).cpu();
      for (std::size_t i = 0; i < chunk.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i);
        counts.add(setup_.evaluation[chunk[i]].label, predicted[row].item<std::int64_t>(),
                   losses[row].item<double>());
      }
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
  const Result<EncoderConfig> encoder = load_encoder_config(folder);
  if (!encoder) return encoder.error();
  Result<Vocabulary> vocabulary = Vocabulary::load(folder / "vocab.txt");
  if (!vocabulary) return vocabulary.error();
  if (static_cast<std::int64_t>(vocabulary->pieces().size()) > encoder->vocab_size)
    return Error{(folder / "vocab.txt").string() + ": more pieces than config.json's vocab_size"};
  if (job.model.max_length < 2 || job.model.max_length > encoder->max_position_embeddings)
    return Error{"model.max_length must be from 2 to the model's " +
                 std::to_string(encoder->max_position_embeddings) + " positions"};
  for (const auto* part : {&examples.train, &examples.evaluation})
    if (const Status ok = check_labels(*part, job.task.labels.size()); !ok) return ok.error();
  const Result<privacy::DpSgdSteps> steps = dp_steps_per_round(job, examples.train.size());
  if (!steps) return steps.error();
  const Result<at::Device> device = device_named(resources.device);
  if (!device) return device.error();

  use_threads(resources.threads);
  const Tokenizer tokenizer(std::move(vocabulary).value());
  const std::size_t longest = job.model.max_length;
  return std::unique_ptr<LocalTrainer>(
      std::make_unique<TorchTrainer>(Setup{job, *encoder, *device, tokenizer.vocabulary().pad(),
                                           *steps, tokenize(tokenizer, examples.train, longest),
                                           tokenize(tokenizer, examples.evaluation, longest)}));
}

}  // namespace sotto::learning
