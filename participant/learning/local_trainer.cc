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
#include "participant/learning/clipping_torch.h"
#include "participant/learning/heap.h"
#include "participant/learning/job_model.h"
#include "participant/learning/loss_watch.h"
#include "participant/learning/metrics.h"
#include "participant/learning/optimizer_torch.h"
#include "participant/learning/pretrained.h"
#include "participant/learning/tokenized_examples.h"
#include "participant/learning/transformer_torch.h"
#include "participant/text/tokenizer.h"

namespace sotto::learning {
namespace {

using at::Tensor;

constexpr std::size_t kEvaluationBatch = 128;

Result<at::Device> device_named(const std::string& name) {
  if (name == "cpu") return at::Device(at::kCPU);
  if (name == "cuda" && at::hasCUDA()) return at::Device(at::kCUDA);
  return Error{"resources.device is \"" + name + "\", which this machine does not have"};
}

struct Setup {
  config::JobConfig job;
  ModelSpec model;
  ModelModules modules;
  config::SiteResources resources;
  at::Device device;
  std::int32_t pad;
  privacy::DpSgdSteps steps;
  TokenizedExamples train, evaluation;
  std::uint64_t training_examples, evaluation_examples;  // as declared

  [[nodiscard]] bool is_language_modeling() const { return job.is_language_modeling(); }
};

/// Records are open to a trainer while it trains, and to the thread that it trains on.
class Loading {
 public:
  Loading(std::optional<TokenizedExamples::Loader>& slot, const TokenizedExamples& from)
      : slot_(slot) {
    slot_.emplace(from.loader(records::Purpose::kTrain));
  }

  ~Loading() { slot_.reset(); }

  Loading(const Loading&) = delete;
  Loading& operator=(const Loading&) = delete;

 private:
  std::optional<TokenizedExamples::Loader>& slot_;
};

class TorchTrainer final : public LocalTrainer {
 public:
  explicit TorchTrainer(Setup setup)
      : setup_(std::move(setup)),
        model_(setup_.model, setup_.modules, setup_.device),
        kept_{Optimizer(setup_.job.local_training),
              Clipping(setup_.job.differential_privacy, model_.parameters())},
        watch_(std::uint64_t{setup_.job.rounds.num_server_rounds} *
               setup_.job.local_training.local_steps) {}

  /// What LoRA leaves alone; once.
  Status load_frozen(const FlatParameters& frozen) { return model_.load_frozen(frozen); }

  Result<TrainedUpdate> train(const FlatParameters& model, std::uint64_t server_round,
                              crypto::SecureRandom& random,
                              const std::function<void(TrainingProgress)>& progress) override;
  void keep() override;
  Result<std::vector<std::uint64_t>> evaluate(const FlatParameters& model) override;

  [[nodiscard]] const privacy::DpSgdSteps& steps_per_round() const override { return setup_.steps; }

  [[nodiscard]] std::uint64_t training_examples() const override {
    return setup_.training_examples;
  }

  [[nodiscard]] std::uint64_t evaluation_examples() const override {
    return setup_.evaluation_examples;
  }

  [[nodiscard]] std::vector<std::string> data_warnings() const override;

 private:
  /// What the steps of one round hand on to those of the next.
  struct Carried {
    Optimizer optimizer;
    Clipping clipping;
  };

  /// What was seen of the steps of one round.
  struct Seen {
    double loss = 0;  // sum over the examples of the newest step
    bool any_example = false;
    std::vector<bool> had_gradient{};  // parameters
    std::vector<std::string> warnings{};
  };

  Result<Batch> batch_of(std::span<const std::uint64_t> indices);
  Status step(std::uint64_t global, crypto::StreamRandom& random);
  Result<Tensor> losses_of(std::span<const std::uint64_t> chunk, const Pass& pass);
  Status private_gradient(std::span<const std::uint64_t> draw, crypto::StreamRandom& random);
  Status plain_gradient(std::span<const std::uint64_t> draw, crypto::StreamRandom& random);
  [[nodiscard]] std::string not_finite(const Tensor& finite) const;
  Pass training_pass(GradTape* tape, crypto::StreamRandom& random) const;
  void add_noise(double standard_deviation, crypto::StreamRandom& random);
  void pull_towards(const Tensor& start, double mu);
  Result<FlatUpdate> update_since(const FlatParameters& model) const;
  [[nodiscard]] std::optional<std::string> parameters_at_rest() const;
  void count_classes(const Batch& batch, MetricCounts& counts) const;
  void count_tokens(const Batch& batch, MetricCounts& counts) const;
  void count_words(std::span<const Sequence* const> rows, const Batch& batch,
                   MetricCounts& counts) const;
  Status count(std::span<const std::uint64_t> chunk, TokenizedExamples::Loader& loader,
               MetricCounts& counts) const;

  Setup setup_;
  Transformer model_;
  Carried kept_;                   // of the newest update that went out
  std::optional<Carried> newest_;  // of the newest update
  Seen seen_;
  LossWatch watch_;
  std::optional<TokenizedExamples::Loader> loader_;  // while training, of its thread
};

Result<Batch> TorchTrainer::batch_of(std::span<const std::uint64_t> indices) {
  const Result<std::vector<const Sequence*>> rows = loader_->read(indices);
  if (!rows) return rows.error();
  return make_batch(*rows, setup_.pad, setup_.device);
}

/// Dropout is seeded from `random` like everything else; nothing is drawn where there is none.
Pass TorchTrainer::training_pass(GradTape* tape, crypto::StreamRandom& random) const {
  Pass pass{.tape = tape,
            .precision = setup_.resources.precision == "bfloat16" ? Precision::kBfloat16
                                                                  : Precision::kFloat32,
            .recompute = setup_.resources.gradient_checkpointing};
  if (setup_.model.lora.r > 0 && setup_.model.lora.dropout > 0)
    pass.dropout = at::make_generator<at::CPUGeneratorImpl>(random.below(std::uint64_t{1} << 62U));
  return pass;
}

Result<Tensor> TorchTrainer::losses_of(std::span<const std::uint64_t> chunk, const Pass& pass) {
  const Result<Batch> batch = batch_of(chunk);
  if (!batch) return batch.error();
  const Tensor losses = model_.losses(*batch, pass);
  if (!losses.isfinite().all().item<bool>()) return Error{"the loss of an example is not finite"};
  return losses;
}

/// The parameter nearest to the loss whose row of `finite` [P,...] is not all true: that one was
/// the first on the way back.
std::string TorchTrainer::not_finite(const Tensor& finite) const {
  const std::vector<Parameter>& parameters = model_.parameters();
  for (std::size_t p = parameters.size(); p-- > 0;)
    if (!finite[static_cast<std::int64_t>(p)].all().item<bool>()) return parameters[p].name;
  return {};
}

/// The noisy sum of clipped gradients over a constant, the expected batch size: the drawn size
/// would tell how many were drawn.
Status TorchTrainer::private_gradient(std::span<const std::uint64_t> draw,
                                      crypto::StreamRandom& random) {
  Clipping& clipping = newest_->clipping;
  const std::vector<Parameter>& parameters = model_.parameters();
  for (const auto& chunk : physical_batches(draw, setup_.train.lengths(),
                                            setup_.job.local_training.physical_batch_size)) {
    // With recomputed layers what one pass would keep of them is the larger part.
    GradTape tape(setup_.resources.gradient_checkpointing ? GradTape::Passes::kTwo
                                                          : GradTape::Passes::kOne);
    const Result<Tensor> losses = losses_of(chunk, training_pass(&tape, random));
    if (!losses) return losses.error();
    const Tensor sum = losses->sum();
    tape.backward(sum);
    seen_.loss += sum.item<double>();
    if (const auto unused = tape.unused(parameters); !unused.empty())
      return Error{"the trainable parameter " + unused.front() +
                   " took no part in the loss: its noise would be released without a gradient"};
    const SquaredNorms norms = tape.squared_norms(parameters);
    if (const Tensor finite = norms.bound.isfinite(); !finite.all().item<bool>())
      return Error{"the gradient of " + not_finite(finite) +
                   " is not finite for an example; lower the learning rate"};
    const Tensor any = norms.estimate.gt(0).any(1).cpu();
    for (std::size_t p = 0; p < parameters.size(); ++p)
      if (!seen_.had_gradient[p] && any[static_cast<std::int64_t>(p)].item<bool>())
        seen_.had_gradient[p] = true;
    tape.accumulate(parameters, clipping.factors(norms.bound));
  }
  const double multiplier = setup_.steps.noise_multiplier;
  add_noise(clipping.noise_deviation(multiplier), random);  // once for the whole draw, empty or not
  const double expected = setup_.steps.sampling_rate * static_cast<double>(setup_.training_examples);
  clipping.finish({.noise_multiplier = multiplier, .expected_size = expected}, random);
  const at::NoGradGuard no_grad;
  model_.gradient().div_(expected);
  return {};
}

Status TorchTrainer::plain_gradient(std::span<const std::uint64_t> draw,
                                    crypto::StreamRandom& random) {
  const auto drawn = static_cast<double>(draw.size());
  for (const auto& chunk : physical_batches(draw, setup_.train.lengths(),
                                            setup_.job.local_training.physical_batch_size)) {
    const Result<Tensor> losses = losses_of(chunk, training_pass(nullptr, random));
    if (!losses) return losses.error();
    const Tensor sum = losses->sum();
    (sum / drawn).backward();
    seen_.loss += sum.item<double>();
  }
  const std::vector<Parameter>& parameters = model_.parameters();
  for (std::size_t p = parameters.size(); p-- > 0;) {
    const Tensor& gradient = parameters[p].gradient;
    if (!gradient.isfinite().all().item<bool>())
      return Error{"the gradient of " + parameters[p].name +
                   " is not finite; lower the learning rate"};
    if (!seen_.had_gradient[p] && gradient.ne(0).any().item<bool>()) seen_.had_gradient[p] = true;
  }
  return {};
}

void TorchTrainer::add_noise(double standard_deviation, crypto::StreamRandom& random) {
  const at::NoGradGuard no_grad;
  const Tensor& gradient = model_.gradient();
  // The sum itself goes through the function: noise that is made apart and added afterwards would
  // leave the sum's last bits in the result.
  const Tensor sum = gradient.cpu();  // the gradient's own memory where it is on the CPU already
  privacy::add_gaussian_noise({sum.data_ptr<float>(), static_cast<std::size_t>(sum.numel())},
                              standard_deviation, random);
  if (!gradient.is_cpu()) gradient.copy_(sum);
}

/// FedProx (Li et al. 2020): the gradient of mu / 2 |values - start|^2. Of released values alone,
/// so it is post-processing.
void TorchTrainer::pull_towards(const Tensor& start, double mu) {
  if (mu == 0) return;
  const at::NoGradGuard no_grad;
  model_.gradient().add_(model_.values() - start, mu);
}

/// The gradient of one step, into the model's; `global` counts the run's steps.
Status TorchTrainer::step(std::uint64_t global, crypto::StreamRandom& random) {
  const auto draw =
      privacy::poisson_sample(setup_.train.size(), setup_.steps.sampling_rate, random);
  model_.gradient().zero_();
  seen_.loss = 0;
  const Status done = setup_.job.differential_privacy.enabled ? private_gradient(draw, random)
                                                              : plain_gradient(draw, random);
  if (!done || draw.empty()) return done;
  seen_.any_example = true;
  if (auto finding = watch_.add(global, seen_.loss / static_cast<double>(draw.size())))
    seen_.warnings.push_back(std::move(*finding));
  return {};
}

Result<TrainedUpdate> TorchTrainer::train(const FlatParameters& model, std::uint64_t server_round,
                                          crypto::SecureRandom& random,
                                          const std::function<void(TrainingProgress)>& progress) {
  const config::LocalTrainingSection& settings = setup_.job.local_training;
  if (server_round == 0) return Error{"server rounds count from 1"};
  if (const Status loaded = model_.load(model); !loaded) return loaded.error();
  const Loading loading(loader_, setup_.train);
  newest_.emplace(Carried{kept_.optimizer.clone(), kept_.clipping});
  seen_ = {.had_gradient = std::vector<bool>(model_.parameters().size(), false)};
  try {
    crypto::StreamRandom stream(random);
    const Tensor start = settings.proximal_mu > 0 ? model_.values().detach().clone() : Tensor();
    const auto total = std::uint64_t{setup_.job.rounds.num_server_rounds} * settings.local_steps;
    for (std::uint32_t i = 0; i < settings.local_steps; ++i) {
      const std::uint64_t global = (server_round - 1) * settings.local_steps + i;
      if (const Status done = step(global, stream); !done)
        return Error{"step " + std::to_string(i + 1) + " of " +
                     std::to_string(settings.local_steps) + ": " + done.error().message};
      pull_towards(start, settings.proximal_mu);
      newest_->optimizer.step(model_.values(), model_.gradient(),
                              scheduled_rate(settings, std::min(global, total - 1), total));
      if (progress) progress({i + 1, settings.local_steps});
    }
  } catch (const c10::Error& e) {
    return Error{"torch: " + std::string(e.what_without_backtrace())};
  }
  // Adapters begin with B at zero, so in a run's first step A has no gradient.
  if (server_round > 1 || settings.local_steps > 1)
    if (auto finding = parameters_at_rest()) seen_.warnings.push_back(std::move(*finding));
  Result<FlatUpdate> update = update_since(model);
  if (!update) return update.error();
  return TrainedUpdate{std::move(update).value(), setup_.steps, std::move(seen_.warnings)};
}

std::vector<std::string> TorchTrainer::data_warnings() const {
  std::vector<std::string> out;
  const auto add = [&out](std::string line) {
    if (!line.empty()) out.push_back(std::move(line));
  };
  add(setup_.train.left_out().warning("training records"));
  add(setup_.evaluation.left_out().warning("evaluation records"));
  if (setup_.train.size() == 0)
    add("no training record fits the job, so this site sends noise alone");
  const auto examples = static_cast<double>(setup_.train.size()),
             declared = static_cast<double>(setup_.training_examples);
  if (examples > 1.5 * declared || declared > 1.5 * examples)
    add("this site declares " + std::to_string(setup_.training_examples) +
        " training examples and has " + std::to_string(setup_.train.size()) +
        ": sampling and step sizes follow the declared number");
  return out;
}

void TorchTrainer::keep() {
  if (newest_) kept_ = std::move(*newest_);
  newest_.reset();
}

/// Noise moves every parameter, and some optimizers move one without a gradient: only the gradient
/// says whether it learns.
std::optional<std::string> TorchTrainer::parameters_at_rest() const {
  constexpr std::size_t kNamed = 8;
  const std::vector<Parameter>& parameters = model_.parameters();
  std::string names;
  std::size_t count = 0;
  for (std::size_t p = 0; p < parameters.size(); ++p)
    if (!seen_.had_gradient[p] && ++count <= kNamed)
      names += (names.empty() ? "" : ", ") + parameters[p].name;
  if (count == 0 || !seen_.any_example) return std::nullopt;
  if (count > kNamed) names += " and " + std::to_string(count - kNamed) + " more";
  return "the gradient was zero in every step of the round, so that nothing is learnt, of " + names;
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
  const Tensor losses = cross_entropies(logits, batch.labels, Logits::kKept).cpu();
  const Tensor predicted = logits.argmax(1).cpu(), labels = batch.labels.cpu();
  for (std::int64_t row = 0; row < labels.size(0); ++row)
    counts.add(labels[row].item<std::int64_t>(), predicted[row].item<std::int64_t>(),
               losses[row].item<double>());
}

void TorchTrainer::count_tokens(const Batch& batch, MetricCounts& counts) const {
  const Tensor logits = model_.logits(batch, {});
  const Tensor losses =
      next_token_losses(logits, batch, Logits::kKept).to(at::kDouble).sum(1).cpu();
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

/// A word that the model did not see is no entity to it.
void TorchTrainer::count_words(std::span<const Sequence* const> rows, const Batch& batch,
                               MetricCounts& counts) const {
  const Tensor logits = model_.logits(batch, {});
  const Tensor losses = tag_losses(logits, batch, Logits::kKept).to(at::kDouble).sum(1).cpu();
  const Tensor likeliest = logits.argmax(2).cpu().contiguous();
  const auto* row = likeliest.data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < rows.size(); ++i, row += likeliest.size(1)) {
    std::vector<std::int64_t> said, right;
    for (const TaggedWord& word : rows[i]->words) {
      right.push_back(word.tag);
      said.push_back(word.at ? row[*word.at] : 0);
    }
    counts.add_sentence(said, right, losses[static_cast<std::int64_t>(i)].item<double>());
  }
}

Status TorchTrainer::count(std::span<const std::uint64_t> chunk, TokenizedExamples::Loader& loader,
                           MetricCounts& counts) const {
  const Result<std::vector<const Sequence*>> rows = loader.read(chunk);
  if (!rows) return rows.error();
  const Batch batch = make_batch(*rows, setup_.pad, setup_.device);
  if (setup_.is_language_modeling())
    count_tokens(batch, counts);
  else if (setup_.job.is_token_classification())
    count_words(*rows, batch, counts);
  else
    count_classes(batch, counts);
  return {};
}

Result<std::vector<std::uint64_t>> TorchTrainer::evaluate(const FlatParameters& model) {
  if (const Status loaded = model_.load(model); !loaded) return loaded.error();
  MetricCounts counts(setup_.job.task.labels.size());
  std::vector<std::uint64_t> all(
      std::min<std::uint64_t>(setup_.evaluation.size(), setup_.evaluation_examples));
  std::iota(all.begin(), all.end(), 0U);
  const std::size_t at_once = setup_.is_language_modeling()
                                  ? setup_.job.local_training.physical_batch_size
                                  : kEvaluationBatch;
  try {
    const at::NoGradGuard no_grad;
    auto loader = setup_.evaluation.loader(records::Purpose::kEvaluate);
    for (const auto& chunk : physical_batches(all, setup_.evaluation.lengths(), at_once))
      if (const Status counted = count(chunk, loader, counts); !counted) return counted.error();
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
  Result<text::Tokenizer> tokenizer = text::load_tokenizer(folder);
  if (!tokenizer) return tokenizer.error();
  if (tokenizer->size() > shape.vocab_size)
    return Error{folder.string() + ": the tokenizer has " + std::to_string(tokenizer->size()) +
                 " tokens, config.json's vocab_size is " + std::to_string(shape.vocab_size)};
  if (job.model.max_length < 2 || job.model.max_length > shape.max_position_embeddings)
    return Error{"model.max_length must be from 2 to the model's " +
                 std::to_string(shape.max_position_embeddings) + " positions"};
  const Result<at::Device> device = device_named(resources.device);
  if (!device) return device.error();

  use_threads(resources.threads);
  give_large_blocks_own_pages();
  const auto shared = std::make_shared<const text::Tokenizer>(std::move(tokenizer).value());
  auto train = TokenizedExamples::create(shared, std::move(examples.train), job);
  if (!train) return train.error();
  auto evaluation = TokenizedExamples::create(shared, std::move(examples.evaluation), job);
  if (!evaluation) return evaluation.error();
  const auto declared = [](std::uint64_t size, const Result<TokenizedExamples>& from) {
    return size > 0 ? size : std::uint64_t{from->size()};
  };
  const std::uint64_t training_examples = declared(examples.training_examples, train);
  const Result<privacy::DpSgdSteps> steps = dp_steps_per_round(job, training_examples);
  if (!steps) return steps.error();
  const std::uint64_t evaluation_examples = declared(examples.evaluation_examples, evaluation);
  auto trainer = std::make_unique<TorchTrainer>(Setup{
      job, *model, *modules, resources, *device, shared->pad(), *steps, std::move(train).value(),
      std::move(evaluation).value(), training_examples, evaluation_examples});
  if (model->lora.r > 0) {
    const Result<FlatParameters> frozen = frozen_parameters(*model, *modules, folder);
    if (!frozen) return frozen.error();
    if (const Status loaded = trainer->load_frozen(*frozen); !loaded) return loaded.error();
  }
  return std::unique_ptr<LocalTrainer>(std::move(trainer));
}

}  // namespace sotto::learning
