// What privacy costs: a DP-SGD step (clipping, noise and optimiser included) over the same step
// without privacy, in one run, on one thread; and both with layers that are recomputed. With
// --device cuda the steps run on that device: then a time is the wall time until the device has
// finished, and memory is what torch allocates.
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/privacy/mechanisms/noise.h"
#include "participant/learning/blas.h"
#include "participant/learning/dp_sgd/clipping_torch.h"
#include "participant/learning/dp_sgd/optimizer_torch.h"
#include "participant/learning/heap.h"
#include "participant/learning/tasks/task_learning_torch.h"
#include "participant/learning/transformer/transformer_torch.h"
#include "tests/bench/bench.h"
#include "tests/bench/float_box_muller.h"
#include "tests/bench/learning/openblas_kernel.h"
#include "tests/participant/learning/peak_memory.h"

namespace sotto::bench {
namespace {

using learning::Transformer;

struct Case {
  std::string name;
  learning::ModelSpec model;
  std::int64_t batch, positions;
};

constexpr int kRuns = 9;

/// Of the head of a model.
std::unique_ptr<const learning::TaskLearning> task_of(const learning::ModelHead& head) {
  config::JobConfig job;
  if (head.kind == learning::ModelHead::Kind::kLanguageModel)
    job.task.type = "causal_language_modeling";
  job.task.labels.resize(static_cast<std::size_t>(head.labels));
  return learning::make_task_learning(job);
}

class Step {
 public:
  Step(const Case& c, at::Device device)
      : device_(device),
        modules_(learning::modules_of(c.model).value()),
        task_(task_of(c.model.head)),
        model_(c.model, modules_, device),
        optimizer_({.optimizer = config::LocalOptimizer::kAdam}),
        clipping_({}, model_.parameters()),
        random_(1) {
    const auto some = [&c](std::vector<ParameterShape> layout) {
      return learning::random_parameters(c.model, std::move(layout), 1);
    };
    const auto& lora = c.model.lora;
    SOTTO_CHECK(model_.load(some(learning::trainable_layout(modules_, lora))).ok(), "model");
    SOTTO_CHECK(model_.load_frozen(some(learning::frozen_layout(modules_, lora))).ok(), "model");
    const auto words = static_cast<std::uint64_t>(c.model.config.vocab_size);
    crypto::StreamRandom draw(2);
    for (std::int64_t i = 0; i < c.batch; ++i) {
      learning::Sequence s{{}, static_cast<std::int64_t>(draw.below(2))};
      for (std::int64_t t = 0; t < c.positions; ++t)
        s.ids.push_back(static_cast<std::int32_t>(draw.below(words)));
      texts_.push_back(std::move(s));
    }
  }

  void plain(bool recompute) {
    model_.gradient().zero_();
    model_.losses(*task_, batch(), {.recompute = recompute}).mean().backward();
    optimizer_.step(model_.values(), model_.gradient(), kRate);
  }

  void with_privacy(bool recompute) {
    using Passes = learning::GradTape::Passes;
    model_.gradient().zero_();
    learning::GradTape tape(recompute ? Passes::kTwo : Passes::kOne);
    tape.backward(model_.losses(*task_, batch(), {.tape = &tape, .recompute = recompute}).sum());
    SOTTO_CHECK(tape.unused(model_.parameters()).empty(), "a parameter took no part");
    const learning::SquaredNorms norms = tape.squared_norms(model_.parameters());
    tape.accumulate(model_.parameters(), clipping_.factors(norms.bound));
    noise();
    const at::Tensor& gradient = model_.gradient();
    gradient.div_(static_cast<double>(texts_.size()));
    optimizer_.step(model_.values(), gradient, kRate);
  }

  /// The noise of one step alone: made on the CPU, as in the product.
  void noise() {
    const at::Tensor gradient = model_.gradient(), sum = gradient.cpu();
    privacy::add_gaussian_noise({sum.data_ptr<float>(), static_cast<std::size_t>(sum.numel())}, 1.0,
                                random_);
    if (!gradient.is_cpu()) gradient.copy_(sum);
  }

  void plain_noise() {
    const at::Tensor& gradient = model_.gradient();
    float_box_muller::add_noise(
        {gradient.data_ptr<float>(), static_cast<std::size_t>(gradient.numel())}, 1.0F, random_);
  }

  /// The seconds of one call of `work`: CPU time on the CPU, else the wall time until the device
  /// has finished.
  template <class Work>
  double seconds_of(Work work) const {
    if (device_.is_cpu()) return cpu_seconds_of(work);
    const double start = wall_seconds();
    work();
    model_.values()[0].item<float>();  // waits
    return wall_seconds() - start;
  }

  [[nodiscard]] at::Device device() const { return device_; }

  [[nodiscard]] double parameters() { return static_cast<double>(model_.gradient().numel()); }

 private:
  static constexpr double kRate = 1e-4;

  [[nodiscard]] learning::Batch batch() const {
    std::vector<const learning::Sequence*> rows;
    for (const learning::Sequence& s : texts_)
      rows.push_back(&s);
    return learning::make_batch(rows, 0, device_);
  }

  at::Device device_;
  learning::ModelModules modules_;
  std::unique_ptr<const learning::TaskLearning> task_;
  Transformer model_;
  learning::Optimizer optimizer_;
  learning::Clipping clipping_;
  crypto::StreamRandom random_;
  std::vector<learning::Sequence> texts_;
};

double status_mib(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == key) {
      double kib = 0;
      status >> kib;
      return kib / 1024;
    }
  return 0;
}

/// How far the resident memory rises during `work`, in a child process that starts with a heap that
/// no earlier step has grown. 0 where that cannot be measured. On a device, which a child process
/// could not use, what torch allocates.
template <class Work>
double peak_mib_of(const Step& step, Work work) {
  if (!step.device().is_cpu()) return learning::peak_bytes_of(work) / (1 << 20);
  int ends[2];
  if (::pipe(ends) != 0) return 0;
  const pid_t child = ::fork();
  if (child == 0) {
    const double before = status_mib("VmRSS:");
    work();
    const double rise = status_mib("VmHWM:") - before;
    const bool sent = ::write(ends[1], &rise, sizeof rise) == sizeof rise;
    ::_exit(sent ? 0 : 1);
  }
  ::close(ends[1]);
  double rise = 0;
  if (::read(ends[0], &rise, sizeof rise) != sizeof rise) rise = 0;
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return rise;
}

/// What of a private step is noise; the baseline is plain Box and Muller in float32.
void noise(const Report& report, const std::string& name, Step& step, double private_seconds) {
  const auto [grid, plain] = medians_of(
      kRuns, [&] { return cpu_seconds_of([&] { step.noise(); }); },
      [&] { return cpu_seconds_of([&] { step.plain_noise(); }); });
  report.add({.name = name,
              .metric = "noise_cpu_per_value",
              .value = grid * 1e9 / step.parameters(),
              .unit = "ns",
              .baseline = plain * 1e9 / step.parameters()});
  report.add({.name = name,
              .metric = "noise_share_of_step",
              .value = 100 * grid / private_seconds,
              .unit = "%",
              .baseline = 100 * plain / (private_seconds - grid + plain)});
}

void compare(const Report& report, const Case& c, at::Device device) {
  Step step(c, device);
  const double plain_mib = peak_mib_of(step, [&] { step.plain(false); });
  const auto memory = [&](const std::string& metric, double mib) {
    if (plain_mib > 0)
      report.add({.name = c.name, .metric = metric, .value = mib / plain_mib, .unit = "x"});
  };
  const double private_mib = peak_mib_of(step, [&] { step.with_privacy(false); });
  report.add({.name = c.name,
              .metric = "private_memory",
              .value = private_mib,
              .unit = "MiB",
              .baseline = plain_mib});
  memory("memory_ratio", private_mib);
  memory("plain_recomputed_memory_ratio", peak_mib_of(step, [&] { step.plain(true); }));
  memory("recomputed_memory_ratio", peak_mib_of(step, [&] { step.with_privacy(true); }));
  const auto seconds = medians_of(
      kRuns, [&] { return step.seconds_of([&] { step.plain(false); }); },
      [&] { return step.seconds_of([&] { step.with_privacy(false); }); },
      [&] { return step.seconds_of([&] { step.plain(true); }); },
      [&] { return step.seconds_of([&] { step.with_privacy(true); }); });
  const std::string clock = device.is_cpu() ? "cpu_ms" : "wall_ms";
  report.add({.name = c.name, .metric = "plain_" + clock, .value = seconds[0] * 1e3, .unit = "ms"});
  report.add({.name = c.name,
              .metric = "private_" + clock,
              .value = seconds[1] * 1e3,
              .unit = "ms",
              .baseline = seconds[0] * 1e3});
  const auto time = [&](const std::string& metric, double other) {
    report.add({.name = c.name, .metric = metric, .value = other / seconds[0], .unit = "x"});
  };
  time("time_ratio", seconds[1]);
  time("plain_recomputed_time_ratio", seconds[2]);
  time("recomputed_time_ratio", seconds[3]);
  if (device.is_cpu()) noise(report, c.name, step, seconds[1]);
}

using learning::TransformerConfig;

TransformerConfig bert(std::int64_t layers, std::int64_t width, std::int64_t words) {
  return {.family = TransformerConfig::Family::kBert,
          .vocab_size = words,
          .hidden_size = width,
          .num_hidden_layers = layers,
          .num_attention_heads = width / 64,
          .num_key_value_heads = width / 64,
          .head_dim = 64,
          .intermediate_size = 4 * width,
          .max_position_embeddings = 128,
          .type_vocab_size = 2,
          .norm_eps = 1e-12};
}

TransformerConfig gpt2(std::int64_t layers, std::int64_t width, std::int64_t words) {
  TransformerConfig c = bert(layers, width, words);
  c.family = TransformerConfig::Family::kGpt2;
  c.type_vocab_size = 0;
  c.norm_eps = 1e-5;
  c.activation = TransformerConfig::Activation::kGeluTanh;
  c.tie_word_embeddings = true;
  return c;
}

/// configs/quickstart, one physical batch of its step.
Case quickstart() {
  TransformerConfig c = bert(1, 64, 1024);
  c.hidden_size = 32;
  c.num_attention_heads = c.num_key_value_heads = 4;
  c.head_dim = 8;
  c.intermediate_size = 64;
  c.type_vocab_size = 1;
  const learning::ModelHead head{.kind = learning::ModelHead::Kind::kClassification, .labels = 7};
  return {"quickstart", {c, head}, 256, 12};
}

/// The quickstart, and the sizes on which other implementations were measured, 128 tokens each.
std::vector<Case> cases() {
  const learning::ModelHead classify{.kind = learning::ModelHead::Kind::kClassification,
                                     .labels = 2};
  const learning::ModelHead language{.kind = learning::ModelHead::Kind::kLanguageModel};
  const learning::LoraConfig lora{.r = 8, .alpha = 16, .target_modules = {"query", "value"}};
  return {quickstart(),
          {"4l_d256_classify", {bert(4, 256, 8000), classify}, 16, 128},
          {"2l_d128_v30522_classify", {bert(2, 128, 30522), classify}, 16, 128},
          {"4l_d256_lora8", {bert(4, 256, 8000), classify, lora}, 16, 128},
          {"6l_d384_lm", {gpt2(6, 384, 8000), language}, 16, 128},
          {"2l_d768_classify", {bert(2, 768, 8000), classify}, 8, 128}};  // BERT-base's layers
}

}  // namespace
}  // namespace sotto::bench

int main(int argc, char** argv) {
  sotto::bench::restart_with_openblas_kernel(argv);
  sotto::learning::use_threads(1);
  sotto::learning::give_large_blocks_own_pages();
  const at::Device device(sotto::bench::take_text(argc, argv, "--device", "cpu"));
  const sotto::bench::Report report("training", argc, argv);
  for (const sotto::bench::Case& c : sotto::bench::cases())
    sotto::bench::compare(report, c, device);
}
