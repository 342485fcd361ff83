// What privacy costs: a DP-SGD step (clipping, noise and optimiser included) over the same step
// without privacy, in one run, on one thread.
#include <array>
#include <cstdint>
#include <fstream>
#include <string>

#include <ATen/ATen.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/privacy/noise.h"
#include "participant/learning/blas.h"
#include "participant/learning/encoder_torch.h"
#include "participant/learning/optimizer_torch.h"
#include "tests/bench/bench.h"

namespace sotto::bench {
namespace {

using learning::Encoder;

struct Case {
  std::string name;
  learning::EncoderConfig model;
  std::int64_t labels, batch, positions;
};

constexpr int kRuns = 9;

class Step {
 public:
  explicit Step(const Case& c)
      : encoder_(c.model, c.labels, at::kCPU), optimizer_({.optimizer = "adam"}), random_(1) {
    SOTTO_CHECK(encoder_.load(learning::random_parameters(c.model, c.labels, 1)).ok(), "model");
    crypto::StreamRandom draw(2);
    for (std::int64_t i = 0; i < c.batch; ++i) {
      learning::Sequence s{{}, static_cast<std::int64_t>(draw.below(2))};
      for (std::int64_t t = 0; t < c.positions; ++t)
        s.ids.push_back(
            static_cast<std::int32_t>(draw.below(static_cast<std::uint64_t>(c.model.vocab_size))));
      texts_.push_back(std::move(s));
    }
  }

  void plain() {
    encoder_.gradient().zero_();
    encoder_.losses(batch(), nullptr).mean().backward();
    optimizer_.step(encoder_.values(), encoder_.gradient(), kRate);
  }

  void with_privacy() {
    encoder_.gradient().zero_();
    learning::GradTape tape;
    encoder_.losses(batch(), &tape).sum().backward();
    SOTTO_CHECK(tape.unused(encoder_.parameters()).empty(), "a parameter took no part");
    tape.accumulate(learning::clip_factors(tape.norms(), 1.0));
    const at::Tensor& gradient = encoder_.gradient();
    privacy::add_gaussian_noise(
        {gradient.data_ptr<float>(), static_cast<std::size_t>(gradient.numel())}, 1.0, random_);
    gradient.div_(static_cast<double>(texts_.size()));
    optimizer_.step(encoder_.values(), gradient, kRate);
  }

 private:
  static constexpr double kRate = 1e-4;

  [[nodiscard]] learning::Batch batch() const {
    std::vector<const learning::Sequence*> rows;
    for (const learning::Sequence& s : texts_)
      rows.push_back(&s);
    return learning::make_batch(rows, 0, at::kCPU);
  }

  Encoder encoder_;
  learning::Optimizer optimizer_;
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
/// no earlier step has grown. 0 where that cannot be measured.
template <class Work>
double peak_mib_of(Work work) {
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

void compare(const Report& report, const Case& c) {
  Step step(c);
  const double plain_mib = peak_mib_of([&] { step.plain(); });
  const double private_mib = peak_mib_of([&] { step.with_privacy(); });
  if (plain_mib > 0)
    report.add(
        {.name = c.name, .metric = "memory_ratio", .value = private_mib / plain_mib, .unit = "x"});
  const auto seconds = medians_of(
      kRuns, [&] { return cpu_seconds_of([&] { step.plain(); }); },
      [&] { return cpu_seconds_of([&] { step.with_privacy(); }); });
  report.add({.name = c.name, .metric = "plain_cpu_ms", .value = seconds[0] * 1e3, .unit = "ms"});
  report.add({.name = c.name,
              .metric = "private_cpu_ms",
              .value = seconds[1] * 1e3,
              .unit = "ms",
              .baseline = seconds[0] * 1e3});
  report.add(
      {.name = c.name, .metric = "time_ratio", .value = seconds[1] / seconds[0], .unit = "x"});
}

}  // namespace
}  // namespace sotto::bench

int main(int argc, char** argv) {
  sotto::learning::prepare_blas_or_reexec(argc, argv);
  sotto::learning::use_threads(1);
  const sotto::bench::Report report("training", argc, argv);
  sotto::bench::compare(report, {.name = "4l_d256_classify",
                                 .model = {.vocab_size = 8000,
                                           .hidden_size = 256,
                                           .num_hidden_layers = 4,
                                           .num_attention_heads = 4,
                                           .intermediate_size = 1024,
                                           .max_position_embeddings = 128},
                                 .labels = 2,
                                 .batch = 16,
                                 .positions = 128});
}
