#include "coordinator/cli/dashboard_commands.h"

#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "common/base/result.h"
#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/storage/atomic_file.h"
#include "coordinator/dashboard/control_client.h"
#include "coordinator/observability/run_report.h"

namespace sotto::coordinator::dashboard {

namespace {

using cli::print;

using nlohmann::json;

constexpr std::uint64_t kMaxTextFile = 16 << 20;
constexpr std::chrono::seconds kBetweenLooks{1};

struct Arguments {
  std::string folder;
  bool json = false;
  bool watch = false;
  bool now = false;
};

/// Replaces control characters, which a terminal would interpret.
std::string printable_text(std::string text) {
  for (char& c : text)
    if ((c >= 0 && c < 0x20) || c == 0x7f) c = '?';
  return text;
}

std::optional<std::string> ask(const std::string& folder, std::string_view method,
                               const std::string& target) {
  auto answer = ask_coordinator(folder, method, target);
  if (!answer.ok()) throw StartupError(answer.error().message);
  return std::move(answer).value();
}

struct Seen {
  json status;
  bool live = false;
};

/// Reads the status from the running process, or else from the file that the last one left.
Seen read_status(const std::string& folder) {
  if (const auto live = ask(folder, "GET", "/api/status")) {
    Seen seen{.status = json::parse(*live), .live = true};
    seen.status["live"] = true;
    return seen;
  }
  const std::filesystem::path file = std::filesystem::path(folder) / "status.json";
  const auto bytes = storage::read_file(file, kMaxTextFile);
  if (!bytes.ok())
    throw StartupError("no coordinator is running in " + folder +
                       ", and the folder contains no run: " + bytes.error().message);
  Seen seen{.status = json::parse(bytes->begin(), bytes->end(), nullptr, false)};
  if (!seen.status.is_object()) throw StartupError(file.string() + " cannot be read");
  seen.status["live"] = false;
  return seen;
}

std::string describe(const Seen& seen) {
  std::string out = describe_status(seen.status.dump());
  for (const json& a : seen.status.value("alerts", json::array()))
    out += "\n! " + printable_text(a.value("text", "")) + " (" + a.value("code", "") + ")";
  return out;
}

void print_source(const Arguments& args, const Seen& seen) {
  if (seen.live) return;
  std::fprintf(stderr, "no coordinator is running in %s; this is the last status that one wrote\n",
               args.folder.c_str());
}

/// Shows the status until the process ends.
void watch_status(const Arguments& args) {
  const bool screen = !args.json && isatty(STDOUT_FILENO) != 0;
  std::string before;
  for (;;) {
    const Seen seen = read_status(args.folder);
    const std::string text = args.json ? seen.status.dump() : describe(seen);
    if (screen) std::fputs("\033[H\033[J", stdout);
    if (screen || text != before) print(text);
    before = text;
    if (!seen.live) return print_source(args, seen);
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

void show_status(const Arguments& args) {
  if (args.watch) return watch_status(args);
  const Seen seen = read_status(args.folder);
  print(args.json ? seen.status.dump() : describe(seen));
  print_source(args, seen);
}

void order(const Arguments& args, const std::string& target) {
  const auto answer = ask(args.folder, "POST", target);
  if (!answer)
    throw StartupError("no coordinator is running in " + args.folder +
                       "; start one with `sotto-coordinator run`");
  const json status = json::parse(*answer);
  if (args.json) return print(status.dump());
  print(describe_status(status.dump()));
}

std::string line_of(const json& event) {
  const json& data = event.at("data");
  const auto at = static_cast<std::time_t>(data.value("unix_s", std::uint64_t{0}));
  char when[32] = "";
  std::tm local{};
  if (localtime_r(&at, &local) != nullptr)
    std::strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
  std::string text = data.value("text", "");
  if (event.value("kind", "") == "round") {
    const json& r = data.at("round");
    text = fmt::format(
        "round {}{}: {}, {} of {} participants in the sum", r.value("server_round", 0),
        r.value("attempt", 0) == 0 ? "" : fmt::format(" (attempt {})", r.value("attempt", 0) + 1),
        r.value("status", ""), r.value("survivors", 0), r.value("cohort", 0));
  }
  return std::string(when) + "  " + printable_text(text);
}

void show_log(const Arguments& args) {
  std::uint64_t after = 0;
  for (bool first = true;; first = false) {
    const auto answer = ask(args.folder, "GET", "/api/log?after=" + std::to_string(after));
    if (!answer && !first) return;
    if (!answer)
      throw StartupError(
          "no coordinator is running in " + args.folder +
          ". The messages of an earlier process are in its standard error, and its rounds are in " +
          args.folder + "/metrics.jsonl");
    const json log = json::parse(*answer);
    for (const json& event : log.at("events"))
      print(args.json ? event.dump() : line_of(event));
    if (!args.watch) return;
    after = log.at("next");
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

cli::Command* add(cli::Command& app, const std::string& name, const std::string& what,
                  const std::shared_ptr<Arguments>& args) {
  cli::Command* sub = app.add_subcommand(name, what);
  sub->add_option("run", args->folder, "Folder of the run")->required();
  return sub;
}

}  // namespace

void add_commands(cli::Command& app) {
  const auto args = std::make_shared<Arguments>();
  cli::Command* status = add(app, "status", "Show the status of a run", args);
  status->add_flag("--json", args->json, "Print the whole status as one JSON object");
  status->add_flag("--watch", args->watch, "Repeat each second until the coordinator ends");
  status->callback([args] { show_status(*args); });

  constexpr const char* kJson = "Print the status afterwards as one JSON object";
  cli::Command* pause =
      add(app, "pause",
          "Begin no new round; the current round is finished. The pause outlives a "
          "restart of the coordinator",
          args);
  pause->add_flag("--json", args->json, kJson);
  pause->callback([args] { order(*args, "/api/pause"); });

  cli::Command* resume = add(app, "resume", "End a pause", args);
  resume->add_flag("--json", args->json, kJson);
  resume->callback([args] { order(*args, "/api/resume"); });

  cli::Command* stop =
      add(app, "stop", "Finish the current round, then end the coordinator; `run` resumes the run",
          args);
  stop->add_flag("--now", args->now,
                 "Do not wait for the current round, which is tried again later");
  stop->add_flag("--json", args->json, kJson);
  stop->callback([args] { order(*args, args->now ? "/api/stop-now" : "/api/stop"); });

  cli::Command* logs = add(app, "logs", "Show the latest events of a running coordinator", args);
  logs->add_flag("--json", args->json, "Print each event as one JSON object");
  logs->add_flag("--watch", args->watch, "Continue until the coordinator ends");
  logs->callback([args] { show_log(*args); });
}

}  // namespace sotto::coordinator::dashboard
