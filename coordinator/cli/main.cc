// sotto-coordinator enrols members, runs jobs and makes reports. Every command has --help; those
// with output for scripts have --json.
#include <cstdio>
#include <ctime>
#include <exception>
#include <initializer_list>
#include <string>
#include <vector>

#include <unistd.h>

#include "common/base/version.h"
#include "common/cli/audit.h"
#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/cli/output.h"
#include "common/cli/unlock.h"
#include "common/config/parse.h"
#include "common/crypto/secret.h"
#include "common/crypto/secure_random.h"
#include "common/identity/identity.h"
#include "common/job/saved_model.h"
#include "common/net/asio_host.h"
#include "common/observability/evidence_folder.h"
#include "common/storage/atomic_file.h"
#include "coordinator/cli/dashboard_commands.h"
#include "coordinator/cli/roster_commands.h"
#include "coordinator/dashboard/server.h"
#include "coordinator/driver/coordinator.h"
#include "coordinator/driver/job_terms.h"
#include "coordinator/observability/audit.h"
#include "coordinator/observability/console.h"
#include "coordinator/observability/evidence_report.h"
#include "coordinator/observability/report.h"
#include "coordinator/observability/status_file.h"
#include "coordinator/observability/tensorboard_log.h"
#include "coordinator/storage/checkpoint.h"

namespace {

using sotto::cli::Command;
using sotto::cli::print;
using sotto::cli::unix_now;

using namespace std::string_literals;
namespace config = sotto::config;
namespace coordinator = sotto::coordinator;
using sotto::MemberId;
using sotto::StartupError;

constexpr std::uint64_t kMaxMetrics = std::uint64_t{256} << 20;

struct RunArguments {
  std::string dir = ".";
  std::string job;
  std::string out;
  std::string initial_model;
  std::vector<std::string> overrides;
  double gather_s = 3;
  unsigned threads = 1;
  bool json = false;
  std::uint32_t keep = 0;
  coordinator::dashboard::AddressOptions dashboard;
  sotto::cli::UnlockOptions unlock;
};

coordinator::dashboard::RunIdentity identity_of(const RunArguments& args, std::string federation,
                                                std::string job) {
  return {.federation = std::move(federation),
          .job = std::move(job),
          .folder = std::filesystem::absolute(args.out).string(),
          .version = sotto::version(),
          .started_unix_s = unix_now()};
}

/// Restores the rounds of earlier processes from the metrics, which the coordinator has cut to its
/// checkpoint.
void restore(coordinator::dashboard::RunView& view, const std::string& folder) {
  if (auto lines = sotto::storage::read_file(folder + "/metrics.jsonl", kMaxMetrics); lines.ok())
    view.restore(std::string(lines->begin(), lines->end()));
}

coordinator::dashboard::RunCommands commands(coordinator::Coordinator& app) {
  return {.pause = [&app] { return app.pause(); },
          .resume = [&app] { return app.resume(); },
          .finish_and_stop = [&app] { app.finish_and_stop(); },
          .stop_now = [&app] { app.on_stop_requested(); }};
}

sotto::FlatParameters initial_model(const RunArguments& args, const config::JobConfig& job) {
  const char* usual = job.lora.r > 0 ? sotto::job::kAdapterFile : "model.safetensors";
  auto model = sotto::job::load_parameters(args.initial_model.empty() ? job.model.path + "/" + usual
                                                                      : args.initial_model);
  if (!model.ok()) {
    throw StartupError("cannot read the initial model: " + model.error().message +
                       " (create one with: sotto-participant model init --job " + args.job +
                       " --out FOLDER)");
  }
  return std::move(model).value();
}

int run(const RunArguments& args) {
  const config::FederationConfig federation =
      config::load_federation(args.dir + "/federation.json"s);
  const auto keys = sotto::cli::open_keystore(args.dir, args.unlock);
  const config::Identity identity = keys.identity(keys.newest().generation);
  if (identity.signing.verify_key() != federation.roster.coordinator_signing_key) {
    throw StartupError(
        args.dir +
        "/federation.json was signed by another coordinator than the one of the keystore");
  }
  sotto::cli::stop_unless(coordinator::check_free_for_run(args.out));
  coordinator::CoordinatorOptions options{
      .roster = federation.roster,
      .job = coordinator::with_colluders(config::load_job(args.job, args.overrides),
                                         federation.roster, args.out),
      .folder = args.out,
      .initial_model = {},
      .gather = sotto::Duration(static_cast<std::int64_t>(args.gather_s * 1000)),
      .threads = args.threads,
      .unix_now = unix_now,
      .keep = args.keep};
  if (!coordinator::holds_run(args.out)) options.initial_model = initial_model(args, options.job);

  auto address = coordinator::dashboard::open_address(args.dashboard);
  sotto::crypto::OsRandom random;
  coordinator::RunEvents events(unix_now);
  coordinator::RunAudit audit(args.dir, identity.signing, options.job);
  coordinator::Console console({.json = args.json, .terminal = isatty(STDERR_FILENO) != 0});
  coordinator::StatusFile status_file(args.out);
  coordinator::TensorboardLog tensorboard;
  coordinator::dashboard::RunView view(identity_of(args, federation.name, options.job.canonical));
  sotto::net::AsioHost host(args.threads, [&events](const std::string& text) {
    events.emit(coordinator::LogLine{coordinator::Severity::kWarning, text});
  });
  coordinator::Coordinator app(std::move(options), host, identity.signing, random, events);
  restore(view, args.out);
  coordinator::dashboard::DashboardServer server(
      host.loop(), view, commands(app), {.folder = args.out, .address = std::move(address)});
  // The audit log is first: an event that it cannot record is not shown. The server is after the
  // view, from which it sends.
  for (coordinator::RunEventSink* sink : std::initializer_list<coordinator::RunEventSink*>{
           &audit, &console, &status_file, &tensorboard, &view, &server})
    events.add(*sink);
  const auto log = [&events](std::string line) {
    events.emit(coordinator::LogLine{coordinator::Severity::kInfo, std::move(line)});
  };
  if (const std::string url = server.url(); !url.empty()) log("dashboard: " + url);
  sotto::net::CoordinatorSocketOptions socket{
      .listen = federation.listen,
      .identity = {identity.transport_public, identity.transport_secret.clone()},
      .members = {},
      .links = {.on_too_many = [&app](MemberId peer) { app.on_too_many_links(peer); },
                .on_ended = [&app](MemberId peer) { app.on_link_ended(peer); }}};
  for (const config::RosterMember& m : federation.roster.members)
    socket.members.push_back({m.id, m.transport_key});
  host.listen(std::move(socket), app);
  log((app.resumed() ? "resuming the run in " : "running in ") + args.out + ", listening on " +
      federation.listen);
  const int code = host.run();
  if (code == 0) std::fputs(coordinator::report_finished_run(args.out).c_str(), stderr);
  return code;
}

void add_dashboard_options(Command& sub, coordinator::dashboard::AddressOptions& options) {
  sub.add_option("--dashboard", options.address,
                 "Address of a dashboard in the browser, as in 127.0.0.1:7300; off unless given");
  sub.add_option("--dashboard-token", options.token_file,
                 "File (mode 0600) with the token that the dashboard asks for; pause, resume and "
                 "stop in a browser need a token");
  sub.add_option("--dashboard-certificate", options.certificate_file,
                 "PEM file with a certificate. An address that other machines reach needs a "
                 "certificate, its key and a token");
  sub.add_option("--dashboard-key", options.key_file,
                 "PEM file (mode 0600) with the private key of the certificate");
}

void add_run(Command& app, int& exit_code) {
  auto args = std::make_shared<RunArguments>();
  Command* sub =
      app.add_subcommand("run", "Run a job; the same command resumes it after a stop or a crash");
  sub->add_option("--dir", args->dir, "Folder of the coordinator's keystore and federation.json")
      ->capture_default_str();
  sotto::cli::add_unlock_options(*sub, args->unlock);
  sub->add_option("--job", args->job, "job.json")->required();
  sub->add_option("--out", args->out,
                  "Folder of the run, for checkpoints, metrics.jsonl, status.json and the model")
      ->required();
  sub->add_option("--initial-model", args->initial_model,
                  "File model.safetensors (with LoRA: adapter_model.safetensors) of the initial "
                  "model; otherwise the file beside the job's config.json is used");
  sub->add_option("--set", args->overrides,
                  "Override a key of the job, as in rounds.num_server_rounds=5")
      ->allow_extra_args(false);
  sub->add_option("--gather", args->gather_s,
                  "Seconds to wait for the remaining members after enough members have accepted")
      ->capture_default_str();
  sub->add_option("--threads", args->threads, "Number of threads for opening sums")
      ->capture_default_str();
  sub->add_flag("--json", args->json, "Print each round as one JSON object on standard output");
  sub->add_option("--keep", args->keep,
                  "Number of the latest rounds whose models are kept in checkpoints/, in addition "
                  "to the best model")
      ->capture_default_str();
  add_dashboard_options(*sub, args->dashboard);
  sub->callback([args, &exit_code] { exit_code = run(*args); });
}

void add_report(Command& app) {
  struct Arguments {
    coordinator::ReportInputs inputs;
    std::string folder, non_private;
    std::vector<std::string> alone, ledgers;
    bool json = false;
  };

  auto args = std::make_shared<Arguments>();
  Command* sub = app.add_subcommand(
      "report", "Write summary.json and report.html of a run, and print its table of figures");
  sub->add_option("run", args->folder, "Folder of the run")->required();
  sub->add_option(
      "--alone", args->alone,
      "Results of `sotto-participant train-alone --json`, one file for each participant");
  sub->add_option("--non-private", args->non_private,
                  "Folder of the same run without differential privacy");
  sub->add_option("--ledger", args->ledgers,
                  "Output of `sotto-participant ledger --json`, one file for each participant");
  sub->add_flag("--json", args->json, "Print summary.json instead of the table");
  sub->callback([args] {
    args->inputs.run = args->folder;
    for (const auto& f : args->alone)
      args->inputs.alone.emplace_back(f);
    for (const auto& f : args->ledgers)
      args->inputs.ledgers.emplace_back(f);
    if (!args->non_private.empty()) args->inputs.non_private = args->non_private;
    const coordinator::Report report = coordinator::make_report(args->inputs);
    print(args->json ? report.summary_json : report.table);
  });
}

void add_evidence(Command& app, int& exit_code) {
  struct Arguments {
    std::vector<std::string> files;
    std::string federation = "federation.json";
    bool json = false;
  };

  auto args = std::make_shared<Arguments>();
  Command* sub = app.add_subcommand(
      "evidence",
      "Check evidence files offline and print the offender and the violated rule of each");
  sub->add_option("files", args->files, "Evidence files in the folder evidence/ of a run or a site")
      ->required();
  sub->add_option("--federation", args->federation, "Roster whose keys are trusted")
      ->capture_default_str();
  sub->add_flag("--json", args->json, "Print one JSON object for each file");
  sub->callback([args, &exit_code] {
    const config::Roster roster = config::load_federation(args->federation).roster;
    for (const std::string& file : args->files) {
      const auto finding = sotto::observability::check_evidence_file(file, roster);
      print(args->json ? coordinator::evidence_json(file, finding, roster)
                       : coordinator::describe_evidence(file, finding, roster));
      if (!finding.ok()) exit_code = 3;
    }
  });
}

void add_config(Command& app) {
  Command* sub = app.add_subcommand(
      "config", "Check configuration files, print their schemas or their reference");
  sub->require_subcommand(1);
  auto file = std::make_shared<std::string>();
  Command* check =
      sub->add_subcommand("check", "Report all errors of a job.json, site.json or federation.json");
  check
      ->add_option(
          "file", *file,
          "File to check; the name of the file determines its kind (job*, site*, federation*)")
      ->required();
  check->callback([file] {
    const std::string name = std::filesystem::path(*file).filename();
    if (name.starts_with("federation")) {
      (void)config::load_federation(*file);
    } else if (name.starts_with("site")) {
      (void)config::load_site(*file);
    } else {
      (void)config::load_job(*file);
    }
    print(*file + " has no errors");
  });
  auto kind = std::make_shared<std::string>();
  Command* schema = sub->add_subcommand("schema", "Print a JSON Schema for editors");
  schema->add_option("kind", *kind, "Kind of the schema: job, site or federation")
      ->required()
      ->one_of({"job", "site", "federation"});
  schema->callback([kind] { print(config::json_schema(*kind)); });

  struct Show {
    std::string job;
    std::vector<std::string> overrides, paths;
  };

  auto shown = std::make_shared<Show>();
  Command* show = sub->add_subcommand("show", "Print values of a resolved job, one on each line");
  show->add_option("job", shown->job, "job.json")->required();
  show->add_option("paths", shown->paths, "Keys of the values, as in rounds.num_server_rounds")
      ->required();
  show->add_option("--set", shown->overrides, "Override a key of the job")->allow_extra_args(false);
  show->callback([shown] {
    const config::JobConfig job = config::load_job(shown->job, shown->overrides);
    for (const std::string& path : shown->paths)
      print(coordinator::value_at(job.canonical, path));
  });
  sub->add_subcommand("reference", "Print the configuration reference in Markdown")->callback([] {
    print(config::reference_markdown());
  });
}

}  // namespace

int main(int argc, char** argv) {
  Command app(
      "Sotto coordinator: federated fine-tuning in which the coordinator learns only sums of "
      "updates");
  app.set_version_flag("--version", std::string("sotto-coordinator ") + sotto::build_id());
  app.require_subcommand(1);
  int exit_code = 0;
  coordinator::add_roster_commands(app);
  add_run(app, exit_code);
  coordinator::dashboard::add_commands(app);
  add_report(app);
  add_evidence(app, exit_code);
  add_config(app);
  sotto::cli::add_audit_command(app, exit_code);
  return sotto::cli::run_program("sotto-coordinator", [&] {
    if (const auto ended = app.parse(argc, argv)) return *ended;
    return exit_code;
  });
}
