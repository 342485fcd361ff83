#include <algorithm>
#include <cmath>
#include <exception>
#include <map>
#include <optional>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "common/privacy/mechanisms/noise.h"
#include "participant/learning/blas.h"
#include "participant/learning/dp_sgd/clipping_torch.h"
#include "participant/learning/dp_sgd/draw_gradient_torch.h"
#include "participant/learning/dp_sgd/optimizer_torch.h"
#include "participant/learning/heap.h"
#include "participant/learning/loss_watch.h"
#include "participant/learning/tasks/evaluation_torch.h"
#include "participant/learning/tasks/task_learning_torch.h"
#include "participant/learning/tokenized_examples.h"
#include "participant/learning/torch_models.h"
#include "participant/learning/transformer/job_model.h"
#include "participant/learning/transformer/pretrained.h"
#include "participant/learning/transformer/transformer_torch.h"
#include "participant/text/tokenizer.h"
#include "participant/training/dp_steps.h"

namespace sotto::learning {
namespace {

using at::Tensor;
using training::TrainedUpdate;
using training::TrainingProgress;

Result<at::Device> usable(config::Device device) {
  switch (device) {
    case config::Device::kCpu:
      return at::Device(at::kCPU);
    case config::Device::kCuda:
      if (at::hasCUDA()) return at::Device(at::kCUDA);
      return Error{"resources.device is \"cuda\", but this machine has no CUDA device"};
  }
  SOTTO_CHECK(false, "no such device");
}

struct Setup {
  config::JobConfig job;
  std::unique_ptr<const TaskLearning> task;
  ModelSpec model;
  ModelModules modules;
  config::SiteResources resources;
  at::Device device;
  std::int32_t pad;
  privacy::DpSgdSteps steps;
  TokenizedExamples train, evaluation;
  std::uint64_t training_units, evaluation_examples;  // the declared sizes
};

/// Loading opens the records to a trainer while it trains, and to the thread that it trains on.
class Loading {
 public:
  Loading(std::optional<TokenizedExamples::Loader>& slot, const TokenizedExamples& from)
      : slot_(slot) {
    slot_.emplace(from.loader(data::Purpose::kTrain));
  }

  ~Loading() { slot_.reset(); }

  Loading(const Loading&) = delete;
  Loading& operator=(const Loading&) = delete;

 private:
  std::optional<TokenizedExamples::Loader>& slot_;
};

/// Returns up to eight names, and the number of further ones; empty if there are none.
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kNamed = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kNamed); ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kNamed) text += " and " + std::to_string(names.size() - kNamed) + " more";
  return text;
}

class TorchTrainer final : public training::Trainer {
 public:
  explicit TorchTrainer(Setup setup)
      : setup_(std::move(setup)),
        model_(setup_.model, setup_.modules, setup_.device),
        kept_{Optimizer(setup_.job.local_training),
              Clipping(setup_.job.differential_privacy, model_.parameters())},
        watch_(std::uint64_t{setup_.job.rounds.num_server_rounds} *
               setup_.job.local_training.local_steps) {}

  /// Loads the parameters that LoRA freezes. Call once.
  Status load_frozen(const FlatParameters& frozen) { return model_.load_frozen(frozen); }

  /// With differential privacy every trainable parameter gets noise, so each must influence the
  /// loss. That depends on the model's structure alone, so it is checked with a fixed text that
  /// belongs to no site.
  Status check_every_parameter_is_used();

  Result<TrainedUpdate> train(const FlatParameters& model, std::uint64_t server_round,
                              crypto::SecureRandom& random,
                              const std::function<void(TrainingProgress)>& progress) override;
  void keep() override;
  Result<std::vector<std::uint64_t>> evaluate(const FlatParameters& model) override;

  [[nodiscard]] const privacy::DpSgdSteps& steps_per_round() const override { return setup_.steps; }

  [[nodiscard]] privacy::ProtectedUnit protected_unit() const override { return setup_.job.unit(); }

  [[nodiscard]] std::uint64_t training_units() const override { return setup_.training_units; }

  [[nodiscard]] std::uint64_t evaluation_examples() const override {
    return setup_.evaluation_examples;
  }

  [[nodiscard]] std::vector<std::string> data_warnings() const override;

 private:
  /// The state that training carries from one round to the next.
  struct Carried {
    Optimizer optimizer;
    Clipping clipping;
  };

  /// Observations of the steps of one round.
  struct Seen {
    bool any_example = false;
    std::vector<bool> had_gradient{};  // for each parameter
    /// The number of examples that contributed nothing, and for the first one its step and the
    /// reason.
    std::uint64_t not_finite = 0, failed = 0;
    std::string first_not_finite{}, first_failed{};
    std::vector<std::string> warnings{};
  };

  [[nodiscard]] DrawPlan plan(crypto::StreamRandom& random);
  void step(std::uint64_t global, crypto::StreamRandom& random);
  DrawOutcome private_gradient(std::span<const std::uint64_t> draw, crypto::StreamRandom& random);
  void note(std::uint64_t global, const DrawOutcome& outcome);
  Pass training_pass(crypto::StreamRandom& random) const;
  void add_noise(double standard_deviation, crypto::StreamRandom& random);
  void pull_towards(const Tensor& start, double mu);
  FlatUpdate update_since(const FlatParameters& model);
  void warn_of_what_was_left_out();
  void warn_of_parameters_at_rest();

  Setup setup_;
  Transformer model_;
  Carried kept_;                   // after the newest update that was sent
  std::optional<Carried> newest_;  // after the newest update
  Seen seen_;
  LossWatch watch_;
  std::optional<TokenizedExamples::Loader> loader_;  // set while training, for its thread
};

Status TorchTrainer::check_every_parameter_is_used() {
  if (!setup_.job.differential_privacy.enabled) return {};
  const Sequence probe = setup_.task->probe();
  const Sequence* row = &probe;
  try {
    GradTape tape;
    const Batch batch = make_batch({&row, 1}, setup_.pad, setup_.device);
    tape.backward(model_.losses(*setup_.task, batch, {.tape = &tape}).sum());
    if (const auto unused = tape.unused(model_.parameters()); !unused.empty())
      return Error{
          "the trainable parameter " + unused.front() +
          " has no influence on the loss, so that its noise would be released without a gradient"};
  } catch (const std::exception& e) {
    return Error{"a first pass through the model fails: " + std::string(e.what())};
  }
  return {};
}

DrawPlan TorchTrainer::plan(crypto::StreamRandom& random) {
  return {.model = model_,
          .task = *setup_.task,
          .lengths = setup_.train.lengths(),
          .weights = setup_.train.units().weights(),
          .batch_size = setup_.job.local_training.physical_batch_size,
          .read = [this](std::span<const std::uint64_t> indices) -> Result<Batch> {
            SOTTO_ASSIGN_OR_RETURN(const std::vector<const Sequence*> rows, loader_->read(indices));
            return make_batch(rows, setup_.pad, setup_.device);
          },
          .new_pass = [this, &random] { return training_pass(random); }};
}

/// Returns the settings of a training pass. Dropout is seeded from `random`; without dropout
/// nothing is drawn.
Pass TorchTrainer::training_pass(crypto::StreamRandom& random) const {
  Pass pass{.precision = setup_.resources.precision,
            .recompute = setup_.resources.gradient_checkpointing};
  if (setup_.model.lora.r > 0 && setup_.model.lora.dropout > 0)
    pass.dropout = at::make_generator<at::CPUGeneratorImpl>(random.below(std::uint64_t{1} << 62U));
  return pass;
}

/// Computes the noisy sum of clipped gradients divided by a constant, the expected batch size,
/// because the size of the draw would reveal how many units were drawn. Noise and division are
/// the same whatever happens to the draw.
DrawOutcome TorchTrainer::private_gradient(std::span<const std::uint64_t> draw,
                                           crypto::StreamRandom& random) {
  Clipping& clipping = newest_->clipping;
  const Clipping before = clipping;
  const Tensor& gradient = model_.gradient();
  DrawOutcome outcome;
  const auto leave_out_all = [&](const std::string& reason) {
    gradient.zero_();
    clipping = before;
    outcome = {.failed = draw.size(), .reason = reason};
  };
  try {
    outcome = add_clipped(plan(random), draw, clipping);
    // Finite bounds give a finite sum. If the sum is not finite all the same, the step is noise
    // alone.
    if (!std::isfinite(gradient.sum(at::kDouble).item<double>()))
      leave_out_all("the sum of clipped gradients is not finite");
  } catch (const std::exception& e) {
    leave_out_all(e.what());
  }
  const double multiplier = setup_.steps.noise_multiplier;
  add_noise(clipping.noise_deviation(multiplier), random);  // once for the whole draw, also if it
                                                            // is empty
  const double expected = setup_.steps.sampling_rate * static_cast<double>(setup_.training_units);
  clipping.finish({.noise_multiplier = multiplier, .expected_size = expected}, random);
  const at::NoGradGuard no_grad;
  gradient.div_(expected);
  return outcome;
}

void TorchTrainer::add_noise(double standard_deviation, crypto::StreamRandom& random) {
  const at::NoGradGuard no_grad;
  const Tensor& gradient = model_.gradient();
  // The function adds noise and discretises the sum itself: noise added separately would leave the
  // last bits of the sum in the result.
  const Tensor sum = gradient.cpu();  // the gradient's own memory if it is on the CPU
  privacy::add_gaussian_noise({sum.data_ptr<float>(), static_cast<std::size_t>(sum.numel())},
                              standard_deviation, random);
  if (!gradient.is_cpu()) gradient.copy_(sum);
}

/// Adds the gradient of mu / 2 |values - start|^2 (FedProx, Li et al. 2020). It depends on released
/// values alone, so it is post-processing.
void TorchTrainer::pull_towards(const Tensor& start, double mu) {
  if (mu == 0) return;
  const at::NoGradGuard no_grad;
  model_.gradient().add_(model_.values() - start, mu);
}

/// Computes the gradient of one step in the model's gradient vector. `global` counts the run's
/// steps.
void TorchTrainer::step(std::uint64_t global, crypto::StreamRandom& random) {
  const DrawUnits& units = setup_.train.units();
  const std::vector<std::uint64_t> draw =
      units.examples_of(privacy::poisson_sample(units.size(), setup_.steps.sampling_rate, random));
  model_.gradient().zero_();
  const DrawOutcome outcome = setup_.job.differential_privacy.enabled
                                  ? private_gradient(draw, random)
                                  : add_plain(plan(random), draw);
  note(global, outcome);
}

/// Records the outcome of a step for the site's own log.
void TorchTrainer::note(std::uint64_t global, const DrawOutcome& outcome) {
  const std::string step =
      "step " + std::to_string(global % setup_.job.local_training.local_steps + 1);
  if (seen_.not_finite == 0 && outcome.not_finite > 0)
    seen_.first_not_finite =
        outcome.parameter.empty() ? step : step + ", there of " + outcome.parameter;
  if (seen_.failed == 0 && outcome.failed > 0)
    seen_.first_failed = step + ": " + outcome.reason.substr(0, outcome.reason.find('\n'));
  seen_.not_finite += outcome.not_finite;
  seen_.failed += outcome.failed;
  for (std::size_t p = 0; p < outcome.had_gradient.size(); ++p)
    seen_.had_gradient[p] = seen_.had_gradient[p] || outcome.had_gradient[p];
  if (outcome.computed == 0) return;
  seen_.any_example = true;
  if (auto finding = watch_.add(global, outcome.loss / static_cast<double>(outcome.computed)))
    seen_.warnings.push_back(std::move(*finding));
}

Result<TrainedUpdate> TorchTrainer::train(const FlatParameters& model, std::uint64_t server_round,
                                          crypto::SecureRandom& random,
                                          const std::function<void(TrainingProgress)>& progress) {
  const config::LocalTrainingSection& settings = setup_.job.local_training;
  if (server_round == 0) return Error{"server rounds count from 1"};
  SOTTO_TRY(check_values(model));
  SOTTO_TRY(model_.load(model));
  const Loading loading(loader_, setup_.train);
  newest_.emplace(Carried{kept_.optimizer.clone(), kept_.clipping});
  seen_ = {.had_gradient = std::vector<bool>(model_.parameters().size(), false)};
  try {
    crypto::StreamRandom stream(random);
    const Tensor start = settings.proximal_mu > 0 ? model_.values().detach().clone() : Tensor();
    const auto total = std::uint64_t{setup_.job.rounds.num_server_rounds} * settings.local_steps;
    for (std::uint32_t i = 0; i < settings.local_steps; ++i) {
      const std::uint64_t global = (server_round - 1) * settings.local_steps + i;
      step(global, stream);
      pull_towards(start, settings.proximal_mu);
      newest_->optimizer.step(model_.values(), model_.gradient(),
                              scheduled_rate(settings, std::min(global, total - 1), total));
      if (progress) progress({i + 1, settings.local_steps});
    }
    warn_of_what_was_left_out();
    // Adapters start with B at zero, so in a run's first step A has no gradient.
    if (server_round > 1 || settings.local_steps > 1) warn_of_parameters_at_rest();
    FlatUpdate update = update_since(model);
    return TrainedUpdate{std::move(update), setup_.steps, std::move(seen_.warnings)};
  } catch (const std::exception& e) {
    return Error{"torch: " + std::string(e.what())};
  }
}

std::vector<std::string> TorchTrainer::data_warnings() const {
  std::vector<std::string> out;
  const auto add = [&out](std::string line) {
    if (!line.empty()) out.push_back(std::move(line));
  };
  add(setup_.train.left_out().warning("training records"));
  add(setup_.evaluation.left_out().warning("evaluation records"));
  for (const std::string& line : setup_.train.tokens().warnings())
    add("training examples: " + line);
  for (const std::string& line : setup_.evaluation.tokens().warnings())
    add("evaluation examples: " + line);
  if (setup_.train.size() == 0)
    add("no training record fits the job, so that this site sends only noise");
  const DrawUnits& units = setup_.train.units();
  const auto there = static_cast<double>(units.size()),
             declared = static_cast<double>(setup_.training_units);
  if (there > 1.5 * declared || declared > 1.5 * there)
    add("this site declares " + std::to_string(setup_.training_units) +
        (setup_.job.protects_persons() ? " persons" : " training examples") + " and has " +
        std::to_string(units.size()) + "; sampling and step sizes use the declared number");
  if (const std::size_t unused = units.unused(); unused > 0)
    add(std::to_string(unused) + " of " + std::to_string(setup_.train.size()) +
        " training examples are not used, because the job uses at most " +
        std::to_string(setup_.job.differential_privacy.examples_per_person) +
        " of one person (differential_privacy.examples_per_person)");
  return out;
}

void TorchTrainer::keep() {
  if (newest_) kept_ = std::move(*newest_);
  newest_.reset();
}

void TorchTrainer::warn_of_what_was_left_out() {
  const auto examples = [](std::uint64_t count) {
    return std::to_string(count) + (count == 1 ? " drawn example" : " drawn examples") +
           " contributed nothing: ";
  };
  if (seen_.not_finite > 0)
    seen_.warnings.push_back(examples(seen_.not_finite) +
                             "the loss or the gradient was not finite (first in " +
                             seen_.first_not_finite + "); a lower learning rate may help");
  if (seen_.failed > 0)
    seen_.warnings.push_back(examples(seen_.failed) + "opening or computing failed (first in " +
                             seen_.first_failed + ")");
}

/// Warns of parameters without a gradient. Noise moves every parameter, and some optimizers move
/// one without a gradient, so only the gradient tells whether it learns.
void TorchTrainer::warn_of_parameters_at_rest() {
  const std::vector<Parameter>& parameters = model_.parameters();
  std::vector<std::string> names;
  for (std::size_t p = 0; p < parameters.size(); ++p)
    if (!seen_.had_gradient[p]) names.push_back(parameters[p].name);
  if (!names.empty() && seen_.any_example)
    seen_.warnings.push_back(
        "the gradient was zero in every step of the round, so that nothing is learnt, for " +
        listed(names));
}

/// Returns the update in the order of the layout of `model`. Also warns of parameters that did not
/// move: a run can report epsilon although its weights do not change.
FlatUpdate TorchTrainer::update_since(const FlatParameters& model) {
  std::map<std::string, Tensor> trained;
  for (const Parameter& p : model_.parameters())
    trained[p.name] = p.value.detach().cpu().contiguous();
  FlatUpdate update(std::vector<float>(model.values.size()));
  std::vector<std::string> still, not_finite;
  std::size_t at = 0;
  for (const ParameterShape& p : model.layout) {
    const auto* now = trained.at(p.name).data_ptr<float>();
    bool moved = false, finite = true;
    for (std::size_t i = 0; i < p.count(); ++i, ++at) {
      const float change = now[i] - model.values[at];
      if (std::isfinite(change)) update.values[at] = change;
      finite = finite && std::isfinite(change);
      moved |= change != 0;
    }
    if (!finite) not_finite.push_back(p.name);
    if (!moved) still.push_back(p.name);
  }
  if (!not_finite.empty())
    seen_.warnings.push_back(
        "training produced values that are not finite and are sent as zero, in " +
        listed(not_finite));
  if (still.size() == model.layout.size())
    seen_.warnings.push_back("training did not change the model: the update is zero");
  else if (setup_.job.differential_privacy.enabled && !still.empty())
    seen_.warnings.push_back("training did not change " + listed(still));
  return update;
}

Result<std::vector<std::uint64_t>> TorchTrainer::evaluate(const FlatParameters& model) {
  SOTTO_TRY(check_values(model));
  SOTTO_TRY(model_.load(model));
  return setup_.task->task().in_steps(
      evaluate_examples({.model = model_,
                         .task = *setup_.task,
                         .examples = setup_.evaluation,
                         .physical_batch_size = setup_.job.local_training.physical_batch_size,
                         .most = setup_.evaluation_examples,
                         .pad = setup_.pad,
                         .device = setup_.device}));
}

}  // namespace

Result<std::unique_ptr<training::Trainer>> make_trainer(const config::JobConfig& job,
                                                        const config::SiteResources& resources,
                                                        data::SiteExamples examples) {
  const std::filesystem::path folder = job.model.path;
  SOTTO_ASSIGN_OR_RETURN(ModelSpec model, spec_of(job));
  SOTTO_ASSIGN_OR_RETURN(ModelModules modules, modules_of(model));
  SOTTO_ASSIGN_OR_RETURN(text::Tokenizer tokenizer, tokenizer_of(job, model.config));
  SOTTO_ASSIGN_OR_RETURN(const at::Device device, usable(resources.device));

  use_threads(resources.threads);
  give_large_blocks_own_pages();
  const auto shared = std::make_shared<const text::Tokenizer>(std::move(tokenizer));
  using Split = TokenizedExamples::Split;
  auto train = TokenizedExamples::create(shared, std::move(examples.train), job, Split::kTraining);
  if (!train) return train.error();
  auto evaluation =
      TokenizedExamples::create(shared, std::move(examples.evaluation), job, Split::kEvaluation);
  if (!evaluation) return evaluation.error();
  const auto declared = [](std::uint64_t size, std::size_t found) {
    return size > 0 ? size : std::uint64_t{found};
  };
  const std::uint64_t training_units =
      declared(examples.declared_units(job), train->units().size());
  SOTTO_ASSIGN_OR_RETURN(const privacy::DpSgdSteps steps,
                         training::dp_steps_per_round(job, training_units));
  const std::uint64_t evaluation_examples =
      declared(examples.evaluation_examples, evaluation->size());
  auto trainer = std::make_unique<TorchTrainer>(
      Setup{job, make_task_learning(job), model, modules, resources, device, shared->pad(), steps,
            std::move(train).value(), std::move(evaluation).value(), training_units,
            evaluation_examples});
  if (model.lora.r > 0) {
    SOTTO_ASSIGN_OR_RETURN(const FlatParameters frozen, frozen_parameters(model, modules, folder));
    SOTTO_TRY(trainer->load_frozen(frozen));
  }
  SOTTO_TRY(trainer->check_every_parameter_is_used());
  return std::unique_ptr<training::Trainer>(std::move(trainer));
}

}  // namespace sotto::learning
