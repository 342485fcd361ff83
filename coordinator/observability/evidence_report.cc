#include "coordinator/observability/evidence_report.h"

#include <nlohmann/json.hpp>

#include "common/base/printable.h"

namespace sotto::coordinator {

namespace {

std::string name_in(const config::Roster& roster, MemberId id) {
  if (id == kCoordinatorId) return "the coordinator";
  const config::RosterMember* member = roster.find(id);
  return member == nullptr ? "member " + std::to_string(raw(id)) : printable(member->name);
}

}  // namespace

std::string describe_evidence(const std::string& file, const Result<secagg::Finding>& finding,
                              const config::Roster& roster) {
  if (!finding.ok()) return file + " proves nothing: " + printable(finding.error().message);
  return file + " proves a violation by " + name_in(roster, finding->offender) + " (id " +
         std::to_string(raw(finding->offender)) + "): " + finding->rule;
}

std::string evidence_json(const std::string& file, const Result<secagg::Finding>& finding,
                          const config::Roster& roster) {
  nlohmann::json out{{"file", file}, {"proves", finding.ok()}};
  if (finding.ok()) {
    out["guilty"] = raw(finding->offender);
    out["name"] = name_in(roster, finding->offender);
    out["rule"] = finding->rule;
  } else {
    out["reason"] = printable(finding.error().message);
  }
  return out.dump();
}

}  // namespace sotto::coordinator
