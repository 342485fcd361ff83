// sotto-participant: the program of a site, with commands for its identity, membership, runs and
// ledger. Every command has --help; output for scripts has --json.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/version.h"
#include "common/cli/audit.h"
#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/cli/output.h"
#include "common/cli/unlock.h"
#include "common/config/head_labels.h"
#include "common/config/parse.h"
#include "common/crypto/hash.h"
#include "common/crypto/secret.h"
#include "common/crypto/secure_random.h"
#include "common/identity/identity.h"
#include "common/job/saved_model.h"
#include "common/net/asio_host.h"
#include "common/observability/audit_log.h"
#include "common/privacy/ledger/ledger.h"
#include "common/storage/atomic_file.h"
#include "common/tasks/registry.h"
#include "participant/admission/approvals.h"
#include "participant/cli/count_command.h"
#include "participant/cli/enrolment_commands.h"
#include "participant/cli/evaluate_command.h"
#include "participant/cli/export_command.h"
#include "participant/cli/generate_command.h"
#include "participant/cli/inspect_command.h"
#include "participant/cli/job_command.h"
#include "participant/cli/ledger_command.h"
#include "participant/cli/mask_command.h"
#include "participant/cli/policy_command.h"
#include "participant/cli/predict_command.h"
#include "participant/cli/privacy_command.h"
#include "participant/cli/records_command.h"
#include "participant/cli/site_command.h"
#include "participant/cli/split_command.h"
#include "participant/cli/table_command.h"
#include "participant/cli/tokenize_command.h"
#include "participant/data/site_records.h"
#include "participant/driver/participant.h"
#include "participant/identity/enrolment.h"
#include "participant/identity/preshared_keys.h"
#include "participant/identity/site_audit.h"
#include "participant/training/learning_library.h"
#include "participant/training/local_only.h"

namespace {

using sotto::cli::Command;
using sotto::cli::or_stop;
using sotto::cli::print;
using sotto::cli::stop_unless;
using sotto::cli::unix_now;

namespace config = sotto::config;
namespace participant = sotto::participant;
namespace training = sotto::training;
using nlohmann::json;
using sotto::StartupError;

/// Returns null for infinity, which JSON lacks: there is no bound.
json finite(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}

std::string ledger_file(const std::string& dir) {
  return dir + "/ledger.sqlite";
}

/// Returns a hash that identifies the contents of the file without revealing them.
std::string hash_of_file(const std::string& file) {
  const auto bytes = or_stop(sotto::storage::read_file(file, 1 << 20));
  return sotto::to_hex(sotto::crypto::hash("SOTTO site", {bytes}));
}

struct RunArguments {
  std::string dir = ".";
  std::string site;
  sotto::cli::UnlockOptions unlock;
  bool once = false;
};

int run(const RunArguments& args) {
  const std::string site_file = args.site.empty() ? args.dir + "/site.json" : args.site;
  const auto keys = sotto::cli::open_keystore(args.dir, args.unlock);
  const participant::Membership membership =
      participant::load_membership(args.dir, keys, unix_now());
  participant::require_all_uses(keys, membership);
  const config::Identity identity = keys.identity(membership.generation);
  participant::SiteRecords records(args.dir, participant::records_key(keys));
  config::SiteConfig site = config::load_site(site_file);
  stop_unless(participant::SiteRecords::check_files(site));
  training::ModelProvider& models = training::learning_library();
  participant::ParticipantOptions options{
      .self = membership.self,
      .roster = membership.federation.roster,
      .site = std::move(site),
      .preshared =
          participant::load_preshared_keys(args.dir, membership.federation.roster, membership.self),
      .models = models,
      .read_examples = records.reader(),
      .unix_now = unix_now,
      .evidence = args.dir + "/evidence",
      .approvals = args.dir + "/" + participant::kApprovalsFile,
      .approvals_key = participant::approvals_key(keys).verify_key(),
      .offered_jobs = args.dir + "/offered-jobs",
      .evaluated_jobs = args.dir + "/judged-jobs.txt",
      .once = args.once};
  const auto log = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
  models.use_threads(options.site.resources.threads);
  const training::BlasDescription blas = models.blas_description();
  log(identity.name + ": " + blas.text);
  log(identity.name + ": " + participant::keys_line(keys, membership));
  if (blas.is_slow) {
    log("warning: this is the reference BLAS, with which training is ten times slower; "
        "scripts/setup.sh installs OpenBLAS");
  }

  participant::Guard guard = or_stop(participant::Guard::open(args.dir + "/guard.log"));
  participant::RandomnessLog randomness_log =
      or_stop(participant::RandomnessLog::open(args.dir + "/genesis.log"));
  sotto::privacy::PrivacyLedger ledger =
      or_stop(sotto::privacy::PrivacyLedger::open(ledger_file(args.dir)));
  sotto::crypto::OsRandom random;
  sotto::net::AsioHost host(1, log);
  sotto::observability::AuditLog audit =
      participant::open_audit(args.dir, keys, identity, unix_now());
  const auto write_down = [&](const sotto::observability::AuditEvent& event) {
    stop_unless(audit.append(event, unix_now()));
  };
  write_down({"policy", {{"site_hash", hash_of_file(site_file)}}});
  participant::Participant app(
      std::move(options), host, identity.signing, random, guard, randomness_log, ledger,
      {.on_log = log,
       .on_warning = [&log,
                      &identity](const auto& text) { log(identity.name + ": warning: " + text); },
       .on_audit = write_down,
       .on_run_ended =
           [&] {
             if (const auto opened = participant::opens_event(records.counts()))
               write_down(*opened);
           }});
  host.connect({.endpoint = membership.federation.endpoint,
                .identity = {identity.transport_public, identity.transport_secret.clone()},
                .coordinator_key = membership.federation.roster.coordinator_transport_key},
               app);
  return host.run();
}

void add_run(Command& app, int& exit_code) {
  auto args = std::make_shared<RunArguments>();
  Command* sub = app.add_subcommand(
      "run", "Take part in the jobs of the federation that the site's policy permits");
  sub->add_option("--dir", args->dir, "Folder of this site's keystore, guard and ledger")
      ->capture_default_str();
  sotto::cli::add_unlock_options(*sub, args->unlock);
  sub->add_option("--site", args->site, "File site.json; the one in --dir unless given");
  sub->add_flag("--once", args->once, "End after the first run has ended or was declined");
  sub->callback([args, &exit_code] { exit_code = run(*args); });
}

void add_model_merge(Command& model) {
  struct Arguments {
    std::string job, adapter, out;
    std::vector<std::string> overrides;
    bool force = false;
  };

  auto args = std::make_shared<Arguments>();
  Command* sub = model.add_subcommand(
      "merge",
      "Merge a LoRA adapter into its base weights, which gives a model that loads without PEFT");
  sub->add_option("--job", args->job,
                  "job.json of the run, whose model folder contains the base weights")
      ->required();
  sub->add_option("--adapter", args->adapter, "Folder with adapter_model.safetensors")->required();
  sub->add_option("--out", args->out, "Folder for the merged model")->required();
  sotto::cli::add_force_option(*sub, args->force);
  sub->add_option("--set", args->overrides, "Override a key of the job")->allow_extra_args(false);
  sub->callback([args] {
    sotto::cli::require_new_folder(args->out, args->force);
    const config::JobConfig job = config::load_job(args->job, args->overrides);
    if (job.lora.r == 0) throw StartupError(args->job + ": the job has no LoRA adapters to merge");
    const std::string file = args->adapter + "/" + sotto::job::kAdapterFile;
    const sotto::FlatParameters trained = or_stop(sotto::job::load_parameters(file));
    const sotto::FlatParameters merged = or_stop(sotto::job::merged_model(job, trained));
    stop_unless(sotto::job::save_merged(args->out, job, merged, args->adapter));
    print(args->out + "/model.safetensors: " + std::to_string(merged.values.size()) +
          " parameters");
  });
}

void add_model(Command& app) {
  struct Arguments {
    std::string job, out;
    std::vector<std::string> overrides;
    bool force = false;
  };

  auto args = std::make_shared<Arguments>();
  Command* sub = app.add_subcommand("model", "Create models");
  sub->require_subcommand(1);
  add_model_merge(*sub);
  participant::add_export_command(*sub);
  Command* init =
      sub->add_subcommand("init",
                          "Write the initial model of a job (the weights in the model's folder, or "
                          "random ones if model.initial of the job is \"random\") with its config "
                          "and vocabulary; with LoRA the adapters and the weights that they adapt");
  init->add_option("--job", args->job, "job.json")->required();
  init->add_option("--out", args->out, "Folder for model.safetensors, config.json and vocab.txt")
      ->required();
  init->add_option("--set", args->overrides, "Override a key of the job")->allow_extra_args(false);
  sotto::cli::add_force_option(*init, args->force);
  init->callback([args] {
    sotto::cli::require_new_folder(args->out, args->force);
    const config::JobConfig job = config::load_job(args->job, args->overrides);
    const sotto::FlatParameters model = or_stop(training::learning_library().initial_model(job));
    stop_unless(sotto::job::save_initial_model(args->out, job, model));
    if (job.lora.r > 0) stop_unless(sotto::job::copy_base_weights(args->out, job));
    print(args->out + ": " + std::to_string(model.values.size()) + " trained parameters, " +
          or_stop(sotto::config::source_of_initial_model(job, model)));
  });
}

/// Adds the metrics of all tasks by name, null for those that this task lacks, and the baseline.
json add_figures(json out, const sotto::tasks::Task& task, const participant::LocalOnlyResult& r) {
  for (const std::string_view name : sotto::tasks::figure_names())
    out[std::string(name)] = nullptr;
  for (const sotto::tasks::Figure& figure : r.evaluation.figures)
    out[std::string(figure.kind.name)] = figure.value;
  if (const auto constant = task.constant_answer())
    out[std::string(task.figures().front().name).append(constant->suffix)] = *r.constant_answer;
  return out;
}

std::string figures_in_words(const sotto::tasks::Task& task,
                             const participant::LocalOnlyResult& r) {
  std::string out;
  for (const sotto::tasks::FigureKind& kind : task.figures())
    out += (out.empty() ? "" : ", ") + std::string(kind.title) + " " +
           shown(kind, r.evaluation.value(kind.name));
  if (const auto constant = task.constant_answer())
    out += ", " + std::string(constant->title) + " " +
           shown(task.figures().front(), *r.constant_answer);
  return out;
}

void add_train_local_only(Command& app) {
  struct Arguments {
    std::string dir = ".", job, site, evaluation;
    std::vector<std::string> overrides;
    sotto::cli::UnlockOptions unlock;
    bool json = false;
  };

  auto args = std::make_shared<Arguments>();
  Command* sub = app.add_subcommand(
      "train-alone",
      "Train a local-only model of this site with the same privacy (charges the ledger)");
  sub->add_option("--dir", args->dir, "Folder of the ledger to charge")->capture_default_str();
  sub->add_option("--job", args->job, "job.json")->required();
  sub->add_option("--site", args->site, "site.json")->required();
  sub->add_option("--evaluation", args->evaluation,
                  "Held-out examples for the evaluation, instead of the site's evaluation split");
  sub->add_option("--set", args->overrides, "Override a key of the job")->allow_extra_args(false);
  sotto::cli::add_unlock_options(*sub, args->unlock);
  sub->add_flag("--json", args->json, "One JSON object");
  sub->callback([args] {
    const config::JobConfig job = config::load_job(args->job, args->overrides);
    config::SiteConfig site = config::load_site(args->site);
    if (!args->evaluation.empty()) {
      site.data.evaluation = args->evaluation;
      site.data.evaluation_examples = 0;  // the declared size belongs to the replaced file
    }
    stop_unless(participant::SiteRecords::check_files(site));
    auto ledger = or_stop(sotto::privacy::PrivacyLedger::open(ledger_file(args->dir)));
    training::ModelProvider& models = training::learning_library();
    models.use_threads(site.resources.threads);
    std::optional<sotto::crypto::Secret32> key;
    if (participant::names_record_stores(site))
      key = participant::records_key(sotto::cli::open_keystore(args->dir, args->unlock));
    participant::SiteRecords records(args->dir, std::move(key));
    const auto began = std::chrono::steady_clock::now();
    const auto r = or_stop(participant::train_local_only(job, site, records, models, ledger));
    for (const std::string& line : r.warnings)
      std::fprintf(stderr, "warning: %s\n", line.c_str());
    const double wall_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    json out = {{"dataset_id", site.data.dataset_id},
                {"epsilon", finite(r.epsilon)},
                {"delta", r.delta},
                {"unit", sotto::config::word_of(job.unit())},
                {"records_opened", participant::by_purpose(records.counts())},
                {"wall_s", wall_s}};
    print(args->json ? add_figures(std::move(out), *job.make_task(), r).dump()
                     : "local-only result: " + figures_in_words(*job.make_task(), r) +
                           ", epsilon " + std::to_string(r.epsilon) + " for one " +
                           std::string(sotto::config::word_of(job.unit())));
  });
}

void add_data(Command& app, int& exit_code) {
  Command* sub = app.add_subcommand("data", "Prepare data sets");
  sub->require_subcommand(1);
  participant::add_table_commands(*sub);
  participant::add_masking_commands(*sub);
  participant::add_records_commands(*sub, exit_code);
  participant::add_split_command(*sub);
  participant::add_count_command(*sub);
  participant::add_inspect_command(*sub, exit_code);
}

void add_config(Command& app) {
  Command* sub = app.add_subcommand("config", "Check configuration files");
  sub->require_subcommand(1);
  auto file = std::make_shared<std::string>();
  Command* check = sub->add_subcommand("check", "Report all errors of a site.json");
  check->add_option("file", *file, "site.json")->required();
  check->callback([file] {
    (void)config::load_site(*file);
    print(*file + " has no errors");
  });
}

}  // namespace

int main(int argc, char** argv) {
  Command app(
      "Sotto participant: trains on this site's data, sends only masked updates and keeps the "
      "site's privacy budget");
  app.set_version_flag("--version", std::string("sotto-participant ") + sotto::build_id());
  app.require_subcommand(1);
  int exit_code = 0;
  participant::add_enrolment_commands(app);
  participant::add_keys_commands(app);
  add_run(app, exit_code);
  participant::add_site_commands(app);
  participant::add_job_commands(app);
  add_model(app);
  add_train_local_only(app);
  add_data(app, exit_code);
  participant::add_ledger_command(app);
  add_config(app);
  participant::add_generate_command(app);
  participant::add_predict_command(app);
  participant::add_evaluate_command(app);
  participant::add_tokenize_command(app);
  participant::add_privacy_command(app);
  sotto::cli::add_audit_command(app, exit_code);
  participant::add_policy_commands(app, exit_code);
  return sotto::cli::run_program("sotto-participant", [&] {
    if (const auto ended = app.parse(argc, argv)) return *ended;
    return exit_code;
  });
}
