#include "participant/cli/split_command.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/cli/output.h"
#include "common/config/parse.h"
#include "common/storage/atomic_file.h"
#include "participant/cli/layout_options.h"
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

struct SplitArguments {
  std::string job, train, evaluation, out;
  LayoutOptions layout;
  std::uint32_t participants = 4;
  double dirichlet = 0.5, held_out = 0;
  std::uint64_t seed = 1;
  bool force = false;
};

/// Removes the shards of an earlier split, so that none stays beside the new ones, and nothing
/// else.
void remove_older_shards(const std::filesystem::path& out) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(out, ignored)) {
    if (!entry.path().filename().string().starts_with("site-")) continue;
    for (const char* file : {"train.tsv", "eval.tsv"})
      std::filesystem::remove(entry.path() / file, ignored);
    std::filesystem::remove(entry.path(), ignored);  // fails where it holds other files
  }
}

/// Reads the two sets of examples. With --held-out both come from the training file.
data::HeldOut read_examples(const SplitArguments& args, const config::JobConfig& job) {
  const config::DataLayout layout = layout_of(args.layout);
  const std::filesystem::path beside = std::filesystem::path(args.job).parent_path() / "data";
  const auto read = [&](const std::string& given, const char* usual) {
    return or_stop(data::read_examples(
        given.empty() ? beside / usual : std::filesystem::path(given), job, layout));
  };
  if (args.held_out > 0)
    return data::hold_out(read(args.train, "train.tsv"), args.held_out, args.seed + 2);
  return {read(args.train, "train.tsv"), read(args.evaluation, "test.tsv")};
}

void split(const SplitArguments& args) {
  cli::require_new_folder(args.out, args.force);
  const config::JobConfig job = config::load_job(args.job);
  const data::HeldOut all = read_examples(args, job);
  cli::stop_unless(data::check_partition(args.dirichlet, args.participants, all.train.size(),
                                         all.evaluation.size()));
  const auto train = data::dirichlet_partition(all.train, job.make_task()->strata(),
                                               args.participants, args.dirichlet, args.seed);
  const auto evaluation = data::even_partition(all.evaluation, args.participants, args.seed + 1);
  if (args.force) remove_older_shards(args.out);
  for (std::size_t i = 0; i < train.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    const auto folder = std::filesystem::path(args.out) /
                        ("site-" + std::string(number.size() < 2 ? "0" : "") + number);
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed) throw StartupError(folder.string() + " cannot be made: " + failed.message());
    write_examples(folder / "train.tsv", train[i], job);
    write_examples(folder / "eval.tsv", evaluation[i], job);
  }
  cli::print(args.out + ": " + std::to_string(train.size()) + " shards");
}

}  // namespace

void add_split_command(cli::Command& data) {
  auto args = std::make_shared<SplitArguments>();
  cli::Command* sub = data.add_subcommand(
      "split",
      "Split one data set into shards for demonstration sites\nExample: sotto-participant data "
      "split --job job.json --train all.csv --evaluation test.csv --text text --label intent --out "
      "shards");
  sub->add_option("--job", args->job, "job.json, for its labels")->required();
  sub->add_option("--train", args->train,
                  "Training examples; data/train.tsv beside the job unless given");
  sub->add_option("--evaluation", args->evaluation,
                  "Held-out examples; data/test.tsv beside the job unless given");
  sub->add_option("--held-out", args->held_out,
                  "Share of the training examples that is held out for evaluation instead of "
                  "--evaluation, below 1")
      ->in_range(0.0, 0.99)
      ->excludes("--evaluation");
  add_layout_options(*sub, args->layout);
  sub->add_option("--participants", args->participants, "Number of shards")->capture_default_str();
  sub->add_option("--dirichlet", args->dirichlet,
                  "Label skew, from 0.01 to 1000000: with a small value each shard contains mostly "
                  "some labels")
      ->capture_default_str();
  sub->add_option("--seed", args->seed, "Seed of the split")->capture_default_str();
  sub->add_option("--out", args->out,
                  "Folder for the shards site-01/train.tsv, site-01/eval.tsv, ...")
      ->required();
  cli::add_force_option(*sub, args->force);
  sub->callback([args] { split(*args); });
}

}  // namespace sotto::participant
