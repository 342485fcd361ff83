// What an encrypted record store costs: an epoch of training from it over the same from the plain
// file, in one run on one thread, and the parts of the difference.
#include <string>
#include <vector>

#include "common/config/parse.h"
#include "participant/data/example_source.h"
#include "participant/data/import.h"
#include "participant/data/record_file.h"
#include "participant/learning/blas.h"
#include "participant/learning/torch_models.h"
#include "tests/bench/bench.h"
#include "tests/bench/learning/openblas_kernel.h"
#include "tests/temporary_directory.h"

namespace sotto::bench {
namespace {

using data::Examples;
using data::SecureRecordStore;
using training::Trainer;

constexpr int kRuns = 7;

/// Time stands still: the cache is off anyway.
TimePoint standing_clock() {
  return {};
}

class Case {
 public:
  Case(const std::string& example, const std::string& shard, data::Format format)
      : job_(config::load_job(std::string(SOTTO_SOURCE_DIR "/configs/") + example + "/job.json",
                              {})),
        file_(std::string(SOTTO_SOURCE_DIR "/configs/") + example + "/data/shards/" + shard),
        key_(crypto::Secret32::random(random_)),
        model_(learning::initial_model(job_).value()) {
    // One expected epoch a round, in the job's batches.
    job_.local_training.local_steps =
        static_cast<std::uint32_t>(1 / job_.local_training.sampling_rate + 0.5);
    const data::ImportPlan plan{.format = format};
    data::RecordWriter writer(kind_of(plan), key_, random_);
    const auto source = data::open_source(file_, plan).value();
    while (const auto record = source->next().value())
      writer.add(*record);
    SOTTO_CHECK(writer.write(folder_ / "store").ok(), "the store is written");
    store_ = SecureRecordStore::open(folder_ / "store", key_, {.clock = standing_clock}).value();
  }

  [[nodiscard]] std::size_t size() const { return store_->count(); }

  [[nodiscard]] Examples plain() const { return data::read_examples(file_, job_).value(); }

  [[nodiscard]] Examples stored() const { return data::stored_examples(store_, job_).value(); }

  [[nodiscard]] std::unique_ptr<training::Trainer> trainer(const Examples& examples) const {
    return learning::make_trainer(job_, {.device = config::Device::kCpu, .threads = 1},
                                  {examples, {}})
        .value();
  }

  void epoch(training::Trainer& trainer) const {
    crypto::StreamRandom seeded(3);
    SOTTO_CHECK(trainer.train(model_, 1, seeded, nullptr).ok(), "an epoch");
  }

  void open_all() const {
    const data::Capability mine = store_->grant(data::Purpose::kCheck);
    for (std::size_t i = 0; i < store_->count(); ++i)
      SOTTO_CHECK(store_->open_record(mine, i).ok(), "a record opens");
  }

 private:
  TemporaryDirectory folder_;
  crypto::OsRandom random_;
  config::JobConfig job_;
  std::string file_;
  crypto::Secret32 key_;
  FlatParameters model_;
  std::shared_ptr<SecureRecordStore> store_;
};

void compare(const Report& report, const std::string& name, const Case& c) {
  const auto plain = c.trainer(c.plain()), stored = c.trainer(c.stored());
  const auto seconds = medians_of(
      kRuns, [&] { return cpu_seconds_of([&] { c.epoch(*plain); }); },
      [&] { return cpu_seconds_of([&] { c.epoch(*stored); }); },
      [&] { return cpu_seconds_of([&] { (void)c.trainer(c.plain()); }); },
      [&] { return cpu_seconds_of([&] { (void)c.trainer(c.stored()); }); },
      [&] { return cpu_seconds_of([&] { c.open_all(); }); });
  const auto add = [&](const char* metric, double value, const char* unit, double baseline) {
    report.add(
        {.name = name, .metric = metric, .value = value, .unit = unit, .baseline = baseline});
  };
  const auto records = static_cast<double>(c.size());
  add("epoch_cpu_ms", seconds[1] * 1e3, "ms", seconds[0] * 1e3);
  add("epoch_ratio", seconds[1] / seconds[0], "x", 1);
  add("start_cpu_ms", seconds[3] * 1e3, "ms", seconds[2] * 1e3);
  report.add({.name = name,
              .metric = "open_us_a_record",
              .value = seconds[4] / records * 1e6,
              .unit = "us"});
}

}  // namespace
}  // namespace sotto::bench

int main(int argc, char** argv) {
  using sotto::bench::Case;
  sotto::bench::restart_with_openblas_kernel(argv);
  sotto::learning::use_threads(1);
  const sotto::bench::Report report("records", argc, argv);
  compare(report, "quickstart",
          Case("quickstart", "aurora/train.tsv", sotto::data::Format::kLabelled));
  compare(report, "ner", Case("ner", "news/train.tsv", sotto::data::Format::kConll));
}
