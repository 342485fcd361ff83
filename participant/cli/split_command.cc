#include "participant/cli/split_command.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/config/parse.h"
#include "common/storage/atomic_file.h"
#include "participant/data/partition.h"

namespace sotto::participant {

namespace {

using cli::or_stop;

void write_examples(const std::filesystem::path& file, const std::vector<data::Example>& examples,
                    const config::JobConfig& job) {
  const std::string text = data::format_examples(examples, job);
  if (auto s =
          storage::write_file_atomically(file, {view_of(text)}, storage::FileAccess::kOwnerOnly);
      !s.ok())
    throw StartupError(s.error().message);
}

}  // namespace

void add_split_command(cli::Command& data) {
  struct Arguments {
    std::string job, train, evaluation, out;
    std::uint32_t participants = 4;
    double dirichlet = 0.5;
    std::uint64_t seed = 1;
  };

  auto args = std::make_shared<Arguments>();
  cli::Command* split =
      data.add_subcommand("split", "Split one data set into shards for demonstration sites");
  split->add_option("--job", args->job, "job.json, for its labels")->required();
  split->add_option("--train", args->train,
                    "Training examples; data/train.tsv beside the job unless given");
  split->add_option("--evaluation", args->evaluation,
                    "Held-out examples; data/test.tsv beside the job unless given");
  split->add_option("--participants", args->participants, "Number of shards")
      ->capture_default_str();
  split
      ->add_option("--dirichlet", args->dirichlet,
                   "Label skew: with a small value each shard contains mostly some labels")
      ->capture_default_str();
  split->add_option("--seed", args->seed, "Seed of the split")->capture_default_str();
  split
      ->add_option("--out", args->out,
                   "Folder for the shards site-01/train.tsv, site-01/eval.tsv, ...")
      ->required();
  split->callback([args] {
    const config::JobConfig job = config::load_job(args->job);
    const std::filesystem::path beside = std::filesystem::path(args->job).parent_path() / "data";
    const auto read = [&](const std::string& given, const char* usual) {
      return or_stop(
          data::read_examples(given.empty() ? beside / usual : std::filesystem::path(given), job));
    };
    const auto train =
        sotto::data::dirichlet_partition(read(args->train, "train.tsv"), job.make_task()->strata(),
                                         args->participants, args->dirichlet, args->seed);
    const auto evaluation = sotto::data::even_partition(read(args->evaluation, "test.tsv"),
                                                        args->participants, args->seed + 1);
    for (std::size_t i = 0; i < train.size(); ++i) {
      const std::string number = std::to_string(i + 1);
      const auto folder = std::filesystem::path(args->out) /
                          ("site-" + std::string(number.size() < 2 ? "0" : "") + number);
      std::filesystem::create_directories(folder);
      write_examples(folder / "train.tsv", train[i], job);
      write_examples(folder / "eval.tsv", evaluation[i], job);
    }
    std::printf("%s\n", (args->out + ": " + std::to_string(train.size()) + " shards").c_str());
  });
}

}  // namespace sotto::participant
