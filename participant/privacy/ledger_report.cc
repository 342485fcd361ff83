#include "participant/privacy/ledger_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "common/base/printable.h"
#include "common/job/privacy_statement.h"

namespace sotto::participant {

namespace {

using nlohmann::json;

std::string shown(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4f", value);
  return text.data();
}

std::string delta_text(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return text.data();
}

std::string short_hash(const Bytes32& hash) {
  return to_hex(hash).substr(0, 16);
}

bool costs(const privacy::Charge& charge) {
  return charge.steps || charge.without_privacy;
}

/// Returns the name in the newest charge of the job.
std::string named(const LedgerReport& report, const Bytes32& job) {
  std::string name;
  for (const privacy::LedgerEntry& entry : report.entries)
    if (entry.charge.job_hash == job && !entry.charge.job_name.empty())
      name = printable(entry.charge.job_name, 100);
  return (name.empty() ? "job " : "job '" + name + "' ") + short_hash(job);
}

bool is_mixed(const LedgerReport& report) {
  return report.spent.units.size() > 1;
}

/// Returns the adjacency of epsilon; before the first charge that of the least that the policy
/// requires.
std::string adjacency(const LedgerReport& report) {
  if (is_mixed(report)) return "charges for single examples and for persons are mixed";
  const privacy::ProtectedUnit unit =
      report.spent.units.empty() ? report.policy.required_unit : *report.spent.units.begin();
  return std::string(job::adjacency_of(unit));
}

std::string kept(const LedgerReport& report) {
  if (!report.rule) return {};
  if (report.rule->one_job)
    return "  The whole budget belongs to the " + named(report, *report.rule->one_job) +
           ", which needs all of it. Another job needs a larger policy.max_epsilon.\n";
  return "  Any job may be charged while the Rényi filter of order " +
         delta_text(report.rule->order) +
         ", which was fixed with the first charge, stays within the budget.\n";
}

std::string example_level(const LedgerReport& report) {
  const std::string data = printable(report.data.dataset_id);
  if (std::isfinite(report.spent.epsilon))
    return data + ": epsilon " + shown(report.spent.epsilon) + " of " +
           shown(report.policy.max_epsilon) + " is spent at delta " +
           delta_text(report.policy.delta) + " (" + adjacency(report) + "), " +
           std::to_string(report.entries.size()) + " entries\n";
  for (const privacy::LedgerEntry& entry : report.entries)
    if (entry.charge.without_privacy)
      return data + ": no epsilon bounds what this data set has lost, permanently: the " +
             named(report, entry.charge.job_hash) + " ran without differential privacy on " +
             entry.when_utc + ". No job with differential privacy is accepted on it any more; " +
             std::to_string(report.entries.size()) + " entries\n";
  if (is_mixed(report))
    return data +
           ": no epsilon is stated, because charges of jobs that protect single examples and of "
           "jobs that protect persons are mixed; " +
           std::to_string(report.entries.size()) + " entries\n";
  return data + ": no epsilon at delta " + delta_text(report.policy.delta) +
         " bounds what this data set has lost, because the noise of its charges was too small; " +
         std::to_string(report.entries.size()) + " entries\n";
}

std::string participant_level(const LedgerReport& report) {
  if (std::isfinite(report.spent.participant_epsilon))
    return "  Everything that was sent, compared with zeros: epsilon " +
           shown(report.spent.participant_epsilon) + "\n";
  return "  Everything that was sent, compared with zeros: there is no guarantee, because an "
         "update went into a sum without noise inside the sum (distributed_privacy). The guarantee "
         "for one example or person does not depend on it.\n";
}

std::string line_of(const privacy::LedgerEntry& e, bool participant_level) {
  std::string out = "  " + e.when_utc + "  round " + std::to_string(e.charge.round.server_round()) +
                    ", attempt " + std::to_string(e.charge.round.attempt()) + "  ";
  if (!costs(e.charge)) return out + "no cost\n";
  if (e.charge.unit == privacy::ProtectedUnit::kPerson)
    out += "for a person with at most " + std::to_string(e.charge.examples_per_person) +
           (e.charge.examples_per_person == 1 ? " example, " : " examples, ");
  out += std::isfinite(e.epsilon_after) ? "epsilon after it " + shown(e.epsilon_after)
                                        : std::string("no bound after it");
  if (participant_level && std::isfinite(e.participant_epsilon_after))
    out += ", of everything that was sent " + shown(e.participant_epsilon_after);
  return out + "\n";
}

/// JSON has no infinity; null means that there is no bound.
json finite(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}

json rule_of(const LedgerReport& report) {
  if (!report.rule) return nullptr;
  return {{"mode", report.rule->one_job ? "one_job" : "filter"},
          {"job", report.rule->one_job ? json(to_hex(*report.rule->one_job)) : json(nullptr)},
          {"renyi_order", report.rule->order},
          {"decided_for_max_epsilon", report.rule->max_epsilon}};
}

json json_of(const privacy::LedgerEntry& e) {
  return {{"time", e.when_utc},
          {"job", e.charge.job_name.empty() ? json(nullptr) : json(e.charge.job_name)},
          {"job_hash", to_hex(e.charge.job_hash)},
          {"run", to_hex(e.charge.run)},
          {"round", e.charge.round.server_round()},
          {"attempt", e.charge.round.attempt()},
          {"costs", costs(e.charge)},
          {"without_privacy", e.charge.without_privacy},
          {"unit", e.charge.steps ? json(config::word_of(e.charge.unit)) : json(nullptr)},
          {"examples_per_person", e.charge.unit == privacy::ProtectedUnit::kPerson
                                      ? json(e.charge.examples_per_person)
                                      : json(nullptr)},
          {"epsilon_after", finite(e.epsilon_after)},
          {"participant_epsilon_after", finite(e.participant_epsilon_after)}};
}

}  // namespace

Result<LedgerReport> report_of(const privacy::PrivacyLedger& ledger,
                               const config::SiteConfig& site) {
  const std::string& data = site.data.dataset_id;
  const double delta = site.policy.delta;
  SOTTO_ASSIGN_OR_RETURN(auto spent, ledger.both_spent(data, delta));
  SOTTO_ASSIGN_OR_RETURN(auto rule, ledger.rule(data));
  SOTTO_ASSIGN_OR_RETURN(auto entries, ledger.entries(data, delta));
  return LedgerReport{.data = site.data,
                      .policy = site.policy,
                      .label = site.label,
                      .spent = spent,
                      .rule = rule,
                      .entries = std::move(entries)};
}

std::string describe(const LedgerReport& report) {
  std::string out = example_level(report) + kept(report) + participant_level(report);
  const privacy::LedgerEntry* last = nullptr;
  for (const privacy::LedgerEntry& e : report.entries) {
    if (!last || last->charge.run != e.charge.run || last->charge.job_hash != e.charge.job_hash)
      out +=
          "  The " + named(report, e.charge.job_hash) + ", run " + short_hash(e.charge.run) + "\n";
    last = &e;
    out += "  " + line_of(e, std::isfinite(report.spent.participant_epsilon));
  }
  out.pop_back();
  return out;
}

std::string to_json(const LedgerReport& report) {
  json charges = json::array();
  for (const privacy::LedgerEntry& entry : report.entries)
    charges.push_back(json_of(entry));
  const json out = {{"dataset_id", report.data.dataset_id},
                    {"epsilon", finite(report.spent.epsilon)},
                    {"delta", report.policy.delta},
                    {"adjacency", adjacency(report)},
                    {"max_epsilon", finite(report.policy.max_epsilon)},
                    {"participant_epsilon", finite(report.spent.participant_epsilon)},
                    {"max_participant_epsilon", report.policy.max_participant_epsilon},
                    {"budget", rule_of(report)},
                    {"entries", report.entries.size()},
                    {"charges", std::move(charges)},
                    {"label", report.label}};
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace sotto::participant
