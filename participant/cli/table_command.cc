#include "participant/cli/table_command.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/cli/output.h"
#include "common/storage/atomic_file.h"
#include "participant/data/progress_clock.h"
#include "participant/deidentify/anonymisation/findings.h"
#include "participant/deidentify/anonymisation/full_domain.h"
#include "participant/deidentify/anonymisation/mondrian.h"
#include "participant/deidentify/anonymisation/plan.h"
#include "participant/deidentify/anonymisation/release.h"

namespace sotto::participant {

namespace {

using cli::or_stop;

using nlohmann::json;
using tables::Table;
namespace anon = anonymisation;

struct TableArguments {
  std::string file, plan, out;
  std::vector<std::string> overrides, quasi_identifiers, sensitive, ordered;
  bool json = false, force = false;
};

std::string four_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

json json_of(const anon::Findings& found) {
  json sensitive = json::object();
  for (const auto& s : found.sensitive)
    sensitive[s.name] = {{"distinct_l", s.worst.distinct},
                         {"entropy_l", s.worst.entropy_l},
                         {"t", s.worst.t},
                         {"distance", config::word_of(s.distance)}};
  return {{"rows", found.rows},
          {"classes", found.classes},
          {"k", found.k},
          {"unique_rows", found.unique_rows},
          {"rows_in_classes_below_5", found.rows_below_five},
          {"highest_risk", 1 / static_cast<double>(found.k)},
          {"mean_risk", found.mean_risk()},
          {"sensitive", sensitive}};
}

void print_findings(const anon::Findings& found) {
  std::printf("  %zu rows in %zu classes, the smallest has k = %zu\n", found.rows, found.classes,
              found.k);
  std::printf("  %zu rows are unique, %zu are in classes of fewer than 5\n", found.unique_rows,
              found.rows_below_five);
  std::printf(
      "  share of persons that an observer who knows the quasi-identifiers identifies: at most %s "
      "%%, on average %s %%\n",
      four_digits(100 / static_cast<double>(found.k)).c_str(),
      four_digits(100 * found.mean_risk()).c_str());
  for (const auto& s : found.sensitive)
    std::printf("  %s: distinct l = %zu, entropy l = %s, t = %s (%s distance)\n", s.name.c_str(),
                s.worst.distinct, four_digits(s.worst.entropy_l).c_str(),
                four_digits(s.worst.t).c_str(), config::word_of(s.distance).data());
}

/// Returns what the options request as a plan, of which only the measurement is used.
anon::AnonymisationPlan plan_of(const TableArguments& args) {
  if (!args.plan.empty()) return anon::load_plan(args.plan, args.overrides);
  if (args.quasi_identifiers.empty())
    throw StartupError("give --plan anonymise.json, or --quasi-identifiers with column names");
  anon::AnonymisationPlan plan{.k = 1};
  for (const std::string& name : args.quasi_identifiers)
    plan.columns[name].role = anon::Role::kQuasiIdentifier;
  for (const std::string& name : args.sensitive)
    plan.columns[name].role = anon::Role::kSensitive;
  for (const std::string& name : args.ordered)
    plan.columns[name] = {.role = anon::Role::kSensitive,
                          .kind = anon::ColumnKind::kNumber,
                          .distance = anon::Distance::kOrdered};
  return plan;
}

void check(const TableArguments& args) {
  const anon::AnonymisationPlan plan = plan_of(args);
  const Table table = or_stop(Table::read(args.file));
  const anon::Findings found = or_stop(anon::check(table, plan));
  if (args.json) {
    json out = json_of(found);
    if (!args.plan.empty()) out["meets_plan"] = found.meets(plan);
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  std::printf("%s\n", args.file.c_str());
  print_findings(found);
  if (!args.plan.empty())
    std::printf("  %s what %s asks for\n", found.meets(plan) ? "has" : "does NOT meet",
                args.plan.c_str());
}

anon::Release release_of(const anon::Microdata& data, const anon::AnonymisationPlan& plan) {
  ProgressBar bar("anonymising");
  if (plan.method == anon::Method::kFullDomain) {
    auto search = or_stop(anon::FullDomain::start(data, plan.max_suppressed));
    while (search.advance())
      bar.show(search.progress());
    return or_stop(search.take());
  }
  auto mondrian = or_stop(anon::Mondrian::start(data));
  while (mondrian.advance())
    bar.show(mondrian.progress());
  return mondrian.take();
}

void print_result(const TableArguments& args, const anon::Findings& found,
                  const anon::Release& release, const anon::Microdata& data) {
  const anon::Utility utility = anon::utility_of(release, data);
  if (args.json) {
    json out = json_of(found), ncp = json::object();
    for (std::size_t i = 0; i < data.quasi.size(); ++i)
      ncp[data.quasi[i].name] = utility.ncp[i];
    out.update({{"suppressed_rows", release.suppressed.size()},
                {"ncp", ncp},
                {"gcp", utility.gcp},
                {"discernibility", utility.discernibility},
                {"mean_class_over_k", utility.mean_class_over_k}});
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  std::printf("%s\n", args.out.c_str());
  print_findings(found);
  std::printf("  %zu of %zu rows suppressed\n", release.suppressed.size(), data.rows);
  std::printf("  information loss (0 none, 1 all): %s", four_digits(utility.gcp).c_str());
  for (std::size_t i = 0; i < data.quasi.size(); ++i)
    std::printf("%s %s %s", i == 0 ? ";" : ",", data.quasi[i].name.c_str(),
                four_digits(utility.ncp[i]).c_str());
  std::printf("\n  discernibility %s, mean class size over k %s\n",
              four_digits(utility.discernibility).c_str(),
              four_digits(utility.mean_class_over_k).c_str());
}

void anonymise(const TableArguments& args) {
  const anon::AnonymisationPlan plan = anon::load_plan(args.plan, args.overrides);
  std::error_code ignored;
  if (std::filesystem::equivalent(args.file, args.out, ignored))
    throw StartupError("--out names the file that is read; the original is never overwritten");
  cli::require_new_file(args.out, args.force);
  const Table table = or_stop(Table::read(args.file));
  const anon::Microdata data = or_stop(anon::microdata_of(table, plan));
  const anon::Release release = release_of(data, plan);
  const std::string text = anon::released_text(release, table, plan);
  // The check reads the text that will be written, as a recipient would.
  const Table written = or_stop(Table::parse(text, args.out, table.format()));
  const anon::Findings found = or_stop(anon::check(written, plan));
  SOTTO_CHECK(found.meets(plan), "an anonymised table meets its plan");
  if (auto s = storage::write_file_atomically(args.out, {view_of(text)},
                                              storage::FileAccess::kOwnerOnly);
      !s.ok())
    throw StartupError(s.error().message);
  print_result(args, found, release, data);
}

}  // namespace

void add_table_commands(cli::Command& data) {
  auto args = std::make_shared<TableArguments>();
  cli::Command* sub = data.add_subcommand(
      "check",
      "Measure how well a table protects its persons: k-anonymity, l-diversity, t-closeness");
  sub->add_option("file", args->file, "File in CSV (or TSV if its name ends so) with a header line")
      ->required();
  sub->add_option(
      "--plan", args->plan,
      "File anonymise.json with the roles of the columns and the requirements to check");
  sub->add_option("--set", args->overrides, "Override a key of the plan")->allow_extra_args(false);
  sub->add_option(
         "--quasi-identifiers", args->quasi_identifiers,
         "Without a plan: columns that others may know about a person, separated by commas")
      ->delimiter(',');
  sub->add_option("--sensitive", args->sensitive, "Without a plan: columns of sensitive values")
      ->delimiter(',');
  sub->add_option("--ordered", args->ordered,
                  "Without a plan: columns of sensitive numbers, whose distance is ordered")
      ->delimiter(',');
  sub->add_flag("--json", args->json, "Print one JSON object");
  sub->callback([args] { check(*args); });

  auto more = std::make_shared<TableArguments>();
  sub = data.add_subcommand("anonymise",
                            "Create a table in which each person is hidden among others, as a plan "
                            "requires; the original is not changed");
  sub->add_option("file", more->file, "File in CSV (or TSV if its name ends so) with a header line")
      ->required();
  sub->add_option("--plan", more->plan,
                  "File anonymise.json with the requirements and the role of each column")
      ->required();
  sub->add_option("--out", more->out,
                  "File for the anonymised table; it is written as a whole or not at all")
      ->required();
  sub->add_option("--set", more->overrides,
                  "Override a key of the plan, as in k=10 or "
                  "columns.occupation.t=0.2")
      ->allow_extra_args(false);
  sub->add_flag("--json", more->json, "One JSON object");
  cli::add_force_option(*sub, more->force);
  sub->callback([more] { anonymise(*more); });
}

}  // namespace sotto::participant
