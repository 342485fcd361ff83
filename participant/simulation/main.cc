// sotto-simulate runs a coordinator and N participants in one process over an in-memory network,
// with the classes of the daemons. The result is deterministic for a given --seed.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/version.h"
#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/cli/output.h"
#include "common/config/colluders.h"
#include "common/config/parse.h"
#include "common/crypto/key_agreement.h"
#include "common/crypto/secret.h"
#include "common/crypto/secure_random.h"
#include "common/privacy/ledger/ledger.h"
#include "common/simulation/simulation.h"
#include "coordinator/driver/coordinator.h"
#include "coordinator/driver/job_terms.h"
#include "coordinator/observability/console.h"
#include "coordinator/observability/report.h"
#include "coordinator/observability/status_file.h"
#include "coordinator/storage/checkpoint.h"
#include "participant/data/partition.h"
#include "participant/driver/participant.h"
#include "participant/training/learning_library.h"

namespace {

using sotto::cli::Command;
using sotto::cli::or_stop;

namespace config = sotto::config;
namespace coordinator = sotto::coordinator;
namespace crypto = sotto::crypto;
namespace data = sotto::data;
namespace participant = sotto::participant;
using sotto::MemberId;
using sotto::StartupError;

struct Arguments {
  std::string job, train, evaluation, shards, out;
  std::vector<std::string> overrides;
  std::uint32_t participants = 10;  // with shards: one for each shard
  std::uint64_t seed = 1;
  double dirichlet = 0.5;
  unsigned threads = 2;
  bool json = false;
};

/// A virtual site: the objects that a real participant process owns.
struct Site {
  Site(std::uint64_t seed, const std::filesystem::path& folder)
      : random(seed),
        signing(crypto::SigningKey::generate(random)),
        guard(or_stop(participant::Guard::open(folder / "guard.log"))),
        randomness_log(or_stop(participant::RandomnessLog::open(folder / "genesis.log"))),
        ledger(or_stop(sotto::privacy::PrivacyLedger::open(folder / "ledger.sqlite"))) {}

  crypto::StreamRandom random;
  crypto::SigningKey signing;
  participant::Guard guard;
  participant::RandomnessLog randomness_log;
  sotto::privacy::PrivacyLedger ledger;
  data::SiteExamples examples;
};

/// Returns every folder in `shards` that holds a train.tsv, ordered by name.
std::vector<std::filesystem::path> shard_folders(const std::filesystem::path& shards) {
  std::vector<std::filesystem::path> folders;
  std::error_code unreadable;
  for (const auto& entry : std::filesystem::directory_iterator(shards, unreadable))
    if (std::filesystem::exists(entry.path() / "train.tsv")) folders.push_back(entry.path());
  if (folders.size() < 2)
    throw StartupError(shards.string() +
                       " must contain at least two folders, each with train.tsv and eval.tsv");
  std::sort(folders.begin(), folders.end());
  return folders;
}

/// Returns different seeds for the parts of one simulation.
std::uint64_t derived(std::uint64_t seed, std::uint64_t part) {
  return seed * 1000003 + part;
}

class Federation {
 public:
  Federation(const Arguments& args, sotto::training::ModelProvider& models)
      : args_(args),
        models_(models),
        job_(config::load_job(args.job, args.overrides)),
        coordinator_random_(derived(args.seed, 0)),
        coordinator_signing_(crypto::SigningKey::generate(coordinator_random_)),
        simulation_({.threads = args.threads}) {
    roster_.coordinator_signing_key = coordinator_signing_.verify_key();
    roster_.coordinator_transport_key = transport_key(coordinator_random_);
    if (job_.protects_persons())
      throw StartupError(
          args.job +
          ": the job protects persons, and the files of a simulation do not name any; simulate it "
          "with --set differential_privacy.unit=example, or try it with `sotto-participant "
          "train-alone` at a site");
    make_sites();
    job_ = coordinator::with_colluders(std::move(job_), roster_, args.out);
  }

  int run() {
    coordinator::CoordinatorOptions options{.roster = roster_,
                                            .job = job_,
                                            .folder = std::filesystem::path(args_.out),
                                            .initial_model = or_stop(models_.initial_model(job_)),
                                            .threads = args_.threads};
    coordinator::RunEvents events([] { return std::uint64_t{0}; });  // virtual time has no date
    coordinator::Console console({.json = args_.json, .elapsed_s = [this] { return elapsed_s(); }});
    coordinator::StatusFile status_file(args_.out);
    for (coordinator::RunEventSink* sink :
         std::initializer_list<coordinator::RunEventSink*>{&console, &status_file})
      events.add(*sink);
    simulation_.add(sotto::kCoordinatorId, [&](sotto::Host& host) {
      return std::make_unique<coordinator::Coordinator>(
          std::move(options), host, coordinator_signing_, coordinator_random_, events);
    });
    for (std::size_t i = 0; i < sites_.size(); ++i)
      add_participant(i);
    const int code = simulation_.run().value();
    if (code == 0) std::fputs(coordinator::report_finished_run(args_.out).c_str(), stderr);
    if (!args_.json) {
      std::fprintf(stderr, "%llu frames, %.1f MB over the in-memory network\n",
                   static_cast<unsigned long long>(simulation_.frames()),
                   static_cast<double>(simulation_.bytes()) / 1e6);
    }
    return code;
  }

 private:
  /// Returns the real time elapsed, not the simulated time.
  [[nodiscard]] double elapsed_s() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  }

  static sotto::Bytes32 transport_key(crypto::SecureRandom& random) {
    return crypto::AgreementKey(crypto::Secret32::random(random)).public_key();
  }

  std::vector<data::Example> read(const std::filesystem::path& file) const {
    return or_stop(data::read_examples(file, job_));
  }

  std::vector<data::SiteExamples> examples_of_sites() const {
    std::vector<data::SiteExamples> sites;
    if (!args_.shards.empty()) {
      for (const std::filesystem::path& folder : shard_folders(args_.shards))
        sites.push_back({read(folder / "train.tsv"), read(folder / "eval.tsv")});
      return sites;
    }
    const std::filesystem::path data = std::filesystem::path(args_.job).parent_path() / "data";
    const auto all = read(args_.train.empty() ? data / "train.tsv"
                                              : std::filesystem::path(args_.train)),
               held_out = read(args_.evaluation.empty() ? data / "test.tsv"
                                                        : std::filesystem::path(args_.evaluation));
    sotto::cli::stop_unless(
        data::check_partition(args_.dirichlet, args_.participants, all.size(), held_out.size()));
    auto train = data::dirichlet_partition(all, job_.make_task()->strata(), args_.participants,
                                           args_.dirichlet, derived(args_.seed, 1));
    auto evaluation = data::even_partition(held_out, args_.participants, derived(args_.seed, 2));
    for (std::size_t i = 0; i < train.size(); ++i)
      sites.push_back({std::move(train[i]), std::move(evaluation[i])});
    return sites;
  }

  void make_sites() {
    roster_.expiry_unix_s = std::numeric_limits<std::uint64_t>::max();  // virtual time has no date
    std::vector<data::SiteExamples> examples = examples_of_sites();
    for (std::uint32_t i = 0; i < examples.size(); ++i) {
      const std::filesystem::path folder =
          std::filesystem::path(args_.out) / "participants" / std::to_string(i + 1);
      std::filesystem::create_directories(folder);
      auto site = std::make_unique<Site>(derived(args_.seed, 10 + i), folder);
      site->examples = std::move(examples[i]);
      roster_.members.push_back({.id = MemberId{i + 1},
                                 .signing_key = site->signing.verify_key(),
                                 .transport_key = transport_key(site->random),
                                 .name = "virtual-" + std::to_string(i + 1)});
      sites_.push_back(std::move(site));
    }
  }

  /// Returns a policy that accepts exactly the job as it is.
  config::SiteConfig site_config(std::size_t i) const {
    config::SiteConfig site;
    site.data.dataset_id = "virtual-" + std::to_string(i + 1);
    site.data.training_examples = sites_[i]->examples.train.size();
    site.data.evaluation_examples = sites_[i]->examples.evaluation.size();
    site.model_path = job_.model.path;
    site.policy.delta = job_.differential_privacy.target_delta;
    site.policy.require_differential_privacy = job_.differential_privacy.enabled;
    // Slightly above the target, because the accountant rounds epsilon up at a site that calibrates
    // its own noise.
    site.policy.max_epsilon = job_.differential_privacy.enabled
                                  ? job_.differential_privacy.target_epsilon * 1.001
                                  : std::numeric_limits<double>::infinity();
    site.policy.max_epsilon_per_job = site.policy.max_epsilon;
    const config::DistributedPrivacySection& sums = job_.distributed_privacy;
    if (sums.enabled && sums.noise_multiplier == 0)
      site.policy.max_participant_epsilon = sums.target_epsilon * 1.001;
    site.policy.max_colluders = job_.secure_aggregation.max_colluders;
    site.policy.min_cohort = config::default_min_cohort(site.policy.max_colluders);
    site.policy.allowed_tasks = {job_.task.type};
    site.policy.max_server_rounds = job_.rounds.num_server_rounds;
    site.resources.threads = 1;
    site.label = "simulation";
    return site;
  }

  void add_participant(std::size_t i) {
    Site& site = *sites_[i];
    const MemberId id{static_cast<std::uint32_t>(i + 1)};
    simulation_.add(id, [this, i, id, &site](sotto::Host& host) {
      const auto warn = [name = roster_.members[i].name](const std::string& text) {
        std::fprintf(stderr, "%s: warning: %s\n", name.c_str(), text.c_str());
      };
      return std::make_unique<participant::Participant>(
          participant::ParticipantOptions{
              .self = id,
              .roster = roster_,
              .site = site_config(i),
              .models = models_,
              .read_examples = [&site](const config::JobConfig&,
                                       const config::SiteConfig&) { return site.examples; },
              // Virtual sites have neither permitted hours nor approvals.
              .unix_now = [] { return std::uint64_t{0}; }},
          host, site.signing, site.random, site.guard, site.randomness_log, site.ledger,
          participant::ParticipantObserver{.on_log = {}, .on_warning = warn});
    });
  }

  const Arguments& args_;
  sotto::training::ModelProvider& models_;
  config::JobConfig job_;
  crypto::StreamRandom coordinator_random_;
  crypto::SigningKey coordinator_signing_;
  config::Roster roster_;
  std::vector<std::unique_ptr<Site>> sites_;
  sotto::simulation::Simulation simulation_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace

int main(int argc, char** argv) {
  Arguments args;
  Command app(
      "Simulate a federation of one coordinator and N participants in one process, which --seed "
      "determines");
  app.set_version_flag("--version", std::string("sotto-simulate ") + sotto::build_id());
  app.add_option("job", args.job, "job.json, the same file as for a deployment")->required();
  app.add_option("--participants", args.participants, "Number of simulated participants")
      ->capture_default_str()
      ->in_range(2, 10000);
  app.add_option("--seed", args.seed, "Seed of keys, shards, sampling, noise and order")
      ->capture_default_str();
  app.add_option("--train", args.train,
                 "Training examples; data/train.tsv beside the job unless given");
  app.add_option("--evaluation", args.evaluation,
                 "Held-out examples; data/test.tsv beside the job unless given");
  app.add_option("--shards", args.shards,
                 "Folder with NAME/train.tsv and NAME/eval.tsv for each participant, instead of a "
                 "split of --train")
      ->excludes("--train")
      ->excludes("--evaluation")
      ->excludes("--participants");
  app.add_option(
         "--dirichlet", args.dirichlet,
         "Label skew of the shards: with a small value each shard contains mostly some labels")
      ->capture_default_str();
  app.add_option("--out", args.out, "Folder of the run, which must not contain a run already")
      ->required();
  app.add_option("--set", args.overrides, "Override a key of the job")->allow_extra_args(false);
  app.add_option("--threads", args.threads, "Number of threads for the computation")
      ->capture_default_str();
  app.add_flag("--json", args.json, "Print each round as one JSON object on standard output");
  return sotto::cli::run_program("sotto-simulate", [&] {
    if (const auto ended = app.parse(argc, argv)) return *ended;
    if (sotto::coordinator::holds_run(args.out))
      throw StartupError(
          args.out +
          " already contains a run, and a simulation begins a new one; choose another --out");
    sotto::cli::stop_unless(sotto::coordinator::check_free_for_run(args.out));
    sotto::training::ModelProvider& models = sotto::training::learning_library();
    models.use_threads(1);  // for each trainer; --threads trainers run at once
    return Federation(args, models).run();
  });
}
