#include "coordinator/observability/report.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <sstream>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/base/result.h"
#include "common/config/parse.h"
#include "common/job/counter_noise.h"
#include "common/job/privacy_statement.h"
#include "common/storage/atomic_file.h"
#include "common/tasks/registry.h"
#include "coordinator/observability/run_report.h"
#include "coordinator/protocol/round.h"

namespace sotto::embedded {
extern const unsigned char report_html[];
extern const std::size_t report_html_size;
extern const unsigned char chart_js[];
extern const std::size_t chart_js_size;
}  // namespace sotto::embedded

namespace sotto::coordinator {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxFile = 256 << 20;

std::string read_text(const std::filesystem::path& file) {
  const Bytes bytes = storage::read_file(file, kMaxFile).or_stop();
  return {bytes.begin(), bytes.end()};
}

json parse(const std::string& text, const std::filesystem::path& file, std::size_t line) {
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) {
    throw StartupError(fmt::format("{}:{}: the line is not JSON; the run may still be writing it",
                                   file.string(), line));
  }
  return value;
}

/// Returns the done rounds of metrics.jsonl, in order; a round that was lost and tried again
/// appears once.
std::vector<json> done_rounds(const std::filesystem::path& run) {
  const std::filesystem::path file = run / "metrics.jsonl";
  std::istringstream lines(read_text(file));
  std::vector<json> rounds;
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    json round = parse(line, file, ++number);
    if (round.value("status", "") == "done") rounds.push_back(std::move(round));
  }
  if (rounds.empty()) throw StartupError(file.string() + " contains no finished round yet");
  return rounds;
}

/// Returns the last round that has an evaluation. It is that of the final model when the run is
/// complete and its closing evaluation was neither lost nor void.
json last_evaluated(const std::vector<json>& rounds) {
  for (auto r = rounds.rbegin(); r != rounds.rend(); ++r) {
    if (r->contains("evaluation")) return *r;
  }
  return json::object();
}

/// Returns the figure in an object "evaluation"; null where it has none.
json figure_in(const json& evaluation, const tasks::FigureKind& kind) {
  return evaluation.value(json::json_pointer(std::string(kind.place)), json());
}

/// Writes the figures of an evaluation under their names with `suffix` added. Those of other tasks
/// are null, so that the same keys exist for every task.
void add_figures(json& summary, const tasks::Task& task, const json& evaluation,
                 const std::string& suffix) {
  for (const std::string_view name : tasks::figure_names())
    summary[std::string(name) + suffix] = nullptr;
  for (const tasks::FigureKind& kind : task.figures())
    summary[std::string(kind.name) + suffix] = figure_in(evaluation, kind);
}

/// The key under which the figure of Task::constant_answer() is written.
std::string constant_key(const tasks::Task& task) {
  const auto constant = task.constant_answer();
  return constant ? std::string(task.figures().front().name).append(constant->suffix)
                  : std::string();
}

struct Mean {
  double sum = 0;
  std::size_t count = 0;

  void add(double value) {
    sum += value;
    ++count;
  }

  [[nodiscard]] json value() const {
    return count == 0 ? json(nullptr) : json(sum / static_cast<double>(count));
  }
};

/// Adds the mean of every figure over the participants' local-only baselines.
void add_local_only(json& summary, const tasks::Task& task,
                    const std::vector<std::filesystem::path>& files) {
  std::map<std::string, Mean> means;
  const auto add = [&means](const json& alone, const std::string& from, const std::string& to) {
    Mean& mean = means[to];
    if (const json value = alone.value(from, json()); !value.is_null()) mean.add(value);
  };
  const std::string constant = constant_key(task);
  std::vector<json> all(1, json::object());  // so that the keys exist without files too
  for (const auto& file : files)
    all.push_back(parse(read_text(file), file, 1));
  for (const json& alone : all) {
    for (const std::string_view name : tasks::figure_names())
      add(alone, std::string(name), std::string(name) + "_alone");
    if (!constant.empty()) add(alone, constant, constant);
  }
  for (const auto& [key, mean] : means)
    summary[key] = mean.value();
}

/// Adds what the ledgers say about the data sets: their charges by all runs, which are not the cost
/// of this run.
void add_ledgers(json& summary, const std::vector<std::filesystem::path>& ledgers) {
  summary["ledger_epsilons"] = json::object();
  summary["participant_epsilons"] = json::object();
  for (const auto& file : ledgers) {
    const json ledger = parse(read_text(file), file, 1);
    summary["ledger_epsilons"][ledger.at("dataset_id").get<std::string>()] = {
        {"epsilon", ledger.at("epsilon")}, {"delta", ledger.at("delta")}};
    summary["participant_epsilons"][ledger.at("dataset_id").get<std::string>()] = {
        {"epsilon", ledger.at("participant_epsilon")}, {"delta", ledger.at("delta")}};
  }
}

/// Adds the epsilon of the evaluation counters, null without noise on them. Each server round opens
/// at most one sum of counters, and a round at which the run ended without a result may have opened
/// one.
void add_evaluation_privacy(json& summary, const config::JobConfig& job,
                            const std::vector<json>& rounds) {
  summary["evaluation_epsilon"] = nullptr;
  const double multiplier = job.evaluation.counter_noise_multiplier;
  if (!(multiplier > 0)) return;
  const bool closed = rounds.back().value("closing_evaluation", false);
  summary["evaluation_epsilon"] = job::counter_epsilon(multiplier, rounds.size() + (closed ? 0 : 1),
                                                       job.differential_privacy.target_delta);
}

/// Adds the participant-level guarantee; null everywhere without noise inside the sum.
void add_participant_level(json& summary, const config::JobConfig& job,
                           const std::vector<json>& rounds) {
  for (const char* key :
       {"participant_epsilon", "participant_delta", "participant_privacy_statement", "noise"})
    summary[key] = nullptr;
  if (!job.distributed_privacy.enabled) return;
  summary["participant_delta"] = job.distributed_privacy.target_delta;
  for (const json& round : rounds) {
    if (round.contains("noise")) summary["noise"] = round["noise"];
    if (round.contains("participant_epsilon"))
      summary["participant_epsilon"] = round["participant_epsilon"];
  }
  summary["participant_privacy_statement"] = job::participant_statement(job).text;
}

/// The facts of a run that its privacy statement contains besides the job.
job::StatementFacts facts_of(const std::vector<json>& rounds) {
  job::StatementFacts facts;
  for (const json& round : rounds)
    if (const json epsilon = round.value("epsilon", json()); epsilon.is_number())
      facts.epsilon_spent = epsilon.get<double>();
  return facts;
}

/// Adds the epsilon of this run for one unit, as the rounds recorded it. It is null without
/// differential privacy, and where it depends on the size that each site declares; the run then
/// knows no figure that holds for every site.
void add_run_epsilon(json& summary, const config::JobConfig& job, const std::vector<json>& rounds) {
  const std::optional<double> spent = facts_of(rounds).epsilon_spent;
  summary["private"] = job.differential_privacy.enabled;
  summary["epsilon"] = spent ? json(*spent) : json(nullptr);
  summary["target_epsilon"] = job.differential_privacy.enabled
                                  ? json(job.differential_privacy.target_epsilon)
                                  : json(nullptr);
}

json summarise(const config::JobConfig& job, const ReportInputs& inputs,
               const std::vector<json>& rounds, const std::vector<json>& non_private) {
  const auto task = job.make_task();
  const json evaluated = last_evaluated(rounds);
  const json evaluation = evaluated.value("evaluation", json::object());
  json summary = {
      {"job", job.name},
      {"entities", evaluation.value("entities", json())},
      {"declared_evaluation_examples", evaluated.value("declared_evaluation_examples", 0)},
      {"closing_evaluation", evaluated.value("closing_evaluation", false)},
      {"evaluated_round", evaluated.value("evaluated_round", json())},
      {"delta", job.differential_privacy.target_delta},
      {"unit", config::word_of(job.unit())},
      {"participants", rounds.back().value("cohort", 0)},
      {"wall_s", rounds.back().value("wall_s", 0.0)}};
  std::map<std::string, double> phases;
  double upload = 0, values = 0;
  std::size_t training_rounds = 0;
  for (const json& r : rounds) {
    for (const auto& [phase, s] : r.at("phase_s").items())
      phases[phase] += s.get<double>();
    if (r.value("closing_evaluation", false)) continue;
    ++training_rounds;
    upload += r.value("upload_bytes", 0.0);
    values += r.value("values", 0.0) * r.value("survivors", 0.0);
  }
  summary["rounds"] = training_rounds;
  summary["phase_s"] = phases;
  summary["upload_bytes"] = upload;
  summary["upload_bytes_per_value"] = values > 0 ? upload / values : 0;
  add_figures(summary, *task, evaluation, "");
  add_figures(summary, *task, last_evaluated(non_private).value("evaluation", json::object()),
              "_non_private");
  add_local_only(summary, *task, inputs.alone);
  add_run_epsilon(summary, job, rounds);
  add_ledgers(summary, inputs.ledgers);
  add_participant_level(summary, job, rounds);
  add_evaluation_privacy(summary, job, rounds);
  summary["privacy_statement"] =
      json::parse(job::to_json(job::privacy_statement(job, facts_of(rounds))));
  return summary;
}

/// A cell of a table.
std::string cell(const tasks::FigureKind& kind, const json& value) {
  return value.is_null() ? "–" : shown(kind, value.get<double>());
}

std::string bounded(const json& epsilon) {
  return epsilon.is_null() ? "unbounded" : fmt::format("{:.3f}", epsilon.get<double>());
}

tasks::EntityScore score_of(const json& s) {
  return {.precision = s.at("precision"),
          .recall = s.at("recall"),
          .f1 = s.at("f1"),
          .support = s.at("support")};
}

/// Reads the report from the JSON of metrics.jsonl.
tasks::EntityReport entities_of(const json& s) {
  tasks::EntityReport report{.labels = {},
                             .micro = score_of(s.at("micro")),
                             .macro = score_of(s.at("macro")),
                             .weighted = score_of(s.at("weighted"))};
  for (const json& label : s.at("labels"))
    report.labels.emplace_back(label.at("label"), score_of(label));
  return report;
}

/// The table with two figures of every model that is compared.
std::string table_of_figures(const tasks::Task& task, const json& s) {
  const std::vector<tasks::FigureKind> kinds = task.figures();
  const tasks::FigureKind &first = kinds.at(0), &second = kinds.at(1);
  // A longer title makes the column wider.
  const std::size_t width = std::max<std::size_t>(10, first.title.size() + 2);
  std::string out =
      fmt::format("  {:<46}{:>{}}{:>12}\n", "held-out", first.title, width, second.title);
  const auto row = [&](const std::string& what, const json& a, const json& b) {
    if (!a.is_null())
      out += fmt::format("  {:<46}{:>{}}{:>12}\n", what, cell(first, a), width, cell(second, b));
  };
  const auto model = [&](const char* what, const std::string& suffix) {
    row(what, s[std::string(first.name) + suffix], s[std::string(second.name) + suffix]);
  };
  model("federation, private", "");
  model("federation without differential privacy", "_non_private");
  model("local-only baseline, same privacy (mean)", "_alone");
  if (const auto constant = task.constant_answer())
    row(fmt::format("{} of each participant (mean)", constant->title), s[constant_key(task)],
        json());
  return out;
}

/// The guarantee of this run for one example or person, and what the ledgers count over all runs.
std::string table_of_epsilons(const json& s) {
  const bool of_person = s["unit"] == config::word_of(privacy::ProtectedUnit::kPerson);
  std::string out = fmt::format("\n  privacy of one {}, for adding or removing it\n",
                                of_person ? "person" : "training example");
  const auto row = [&out](const std::string& what, const std::string& epsilon, const json& delta) {
    out += fmt::format("  {:<46}{:>10}  delta {:g}\n", what, epsilon, delta.get<double>());
  };
  if (!s["private"].get<bool>())
    out += "  this run                                       unbounded (no differential privacy)\n";
  else if (s["epsilon"].is_null())
    out += "  this run: it depends on the size that a site declares; each site's ledger has it\n";
  else
    row("this run", bounded(s["epsilon"]), s["delta"]);
  for (const auto& [name, spent] : s["ledger_epsilons"].items())
    row(name + ", all runs, by its ledger", bounded(spent["epsilon"]), spent["delta"]);
  return out;
}

std::string make_table(const tasks::Task& task, const json& s) {
  std::string out = fmt::format(
      "{}: {} participants, {} rounds, {:.0f} s, {} held-out examples declared\n\n",
      s["job"].get<std::string>(), s["participants"].get<int>(), s["rounds"].get<int>(),
      s["wall_s"].get<double>(), s["declared_evaluation_examples"].get<std::uint64_t>());
  if (!s["closing_evaluation"].get<bool>() && !s["evaluated_round"].is_null())
    out += fmt::format(
        "  There is no closing evaluation; the figures belong to the model after round {}.\n\n",
        s["evaluated_round"].get<std::uint64_t>());
  out += table_of_figures(task, s);
  if (!s["entities"].is_null() && s["closing_evaluation"].get<bool>())
    out += "\n" + entity_table(entities_of(s["entities"])) + "\n";
  out += table_of_epsilons(s);
  if (!s["evaluation_epsilon"].is_null())
    out +=
        fmt::format("\n  privacy of one evaluation example, in all evaluations\n  {:<46}{:>10}\n",
                    "all sums of counters", bounded(s["evaluation_epsilon"]));
  if (!s["participant_privacy_statement"].is_null()) {
    out +=
        "\n  privacy of a whole participant (everything that it sends, compared with zeros; a "
        "separate guarantee)\n";
    const auto bound = [&out](const std::string& what, const json& epsilon, const json& delta) {
      out +=
          fmt::format("  {:<46}{:>10}  delta {:g}\n", what, bounded(epsilon), delta.get<double>());
    };
    bound("all sums of the run", s["participant_epsilon"], s["participant_delta"]);
    for (const auto& [name, spent] : s["participant_epsilons"].items())
      bound(name + ", by its ledger", spent["epsilon"], spent["delta"]);
  }
  out +=
      fmt::format("\n  masked update: {:.3f} bytes for each value (float32: 4), {:.2f} MB in all\n",
                  s["upload_bytes_per_value"].get<double>(), s["upload_bytes"].get<double>() / 1e6);
  out += "  seconds per phase:";
  // In the order of the phases, which a JSON object does not keep.
  for (int i = 0; i < static_cast<int>(Phase::kClosed); ++i) {
    const std::string phase(name(static_cast<Phase>(i)));
    if (s["phase_s"].contains(phase))
      out += fmt::format(" {} {:.1f}", phase, s["phase_s"][phase].get<double>());
  }
  return out;
}

std::string_view text_of(const unsigned char* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

void replace_once(std::string& text, std::string_view mark, std::string_view with) {
  const std::size_t at = text.find(mark);
  SOTTO_CHECK(at != std::string::npos, "the template of the report lacks a placeholder");
  text.replace(at, mark.size(), with);
}

/// JSON for use inside a script element, which "</" would end.
std::string for_script(const json& value) {
  std::string text = value.dump();
  for (std::size_t at = text.find("</"); at != std::string::npos; at = text.find("</", at))
    text.replace(at, 2, "<\\/");
  return text;
}

std::string make_page(const json& data) {
  std::string page(text_of(embedded::report_html, embedded::report_html_size));
  replace_once(page, "/*DATA*/", for_script(data));
  replace_once(page, "/*CHART_JS*/", text_of(embedded::chart_js, embedded::chart_js_size));
  return page;
}

/// The description of a task with which the page shows its figures.
json description_of(const tasks::Task& task) {
  json figures = json::array();
  for (const tasks::FigureKind& kind : task.figures())
    figures.push_back({{"name", kind.name},
                       {"title", kind.title},
                       {"place", kind.place},
                       {"is_share", kind.is_share}});
  json out = {{"figures", figures}, {"constant", nullptr}};
  if (const auto constant = task.constant_answer())
    out["constant"] = {{"key", constant_key(task)}, {"title", constant->title}};
  return out;
}

}  // namespace

Report make_report(const ReportInputs& inputs) {
  const std::vector<json> rounds = done_rounds(inputs.run);
  const std::vector<json> baseline =
      inputs.non_private ? done_rounds(*inputs.non_private) : std::vector<json>{};
  const config::JobConfig job = config::load_job(inputs.run / "job.json");
  const auto task = job.make_task();
  const json summary = summarise(job, inputs, rounds, baseline);
  const std::string page = make_page({{"summary", summary},
                                      {"task", description_of(*task)},
                                      {"rounds", rounds},
                                      {"non_private_rounds", baseline}});
  storage::write_text(inputs.run / "summary.json", summary.dump(2) + "\n").or_stop();
  storage::write_text(inputs.run / "report.html", page).or_stop();
  return {.summary_json = summary.dump(2), .table = make_table(*task, summary)};
}

std::string report_finished_run(const std::filesystem::path& run) {
  std::string out = fmt::format("the model is in {}\n", (run / "model").string());
  try {
    (void)make_report({.run = run});
  } catch (const StartupError& e) {  // the command `report` can be given again
    return out + fmt::format("warning: there is no report: {}\n", e.what());
  }
  return out + fmt::format("the report is {}; `sotto-coordinator report` prints its figures\n",
                           (run / "report.html").string());
}

}  // namespace sotto::coordinator
