// A report on the charges of a data set for the people of its site. It has no influence on
// decisions.
#pragma once

#include <string>
#include <vector>

#include "common/config/site.h"
#include "common/privacy/ledger/ledger.h"

namespace sotto::participant {

struct LedgerReport {
  config::SiteData data;
  config::SitePolicy policy;
  std::string label;  // of site.json
  privacy::Spent spent;
  std::optional<privacy::BudgetRule> rule;
  std::vector<privacy::LedgerEntry> entries;
};

/// Makes the report at the policy's delta.
Result<LedgerReport> report_of(const privacy::PrivacyLedger& ledger,
                               const config::SiteConfig& site);

/// Returns several lines of text. Where epsilon is unbounded, they state the reason.
std::string describe(const LedgerReport& report);
/// Returns one JSON object with the same content; an infinite bound is null.
std::string to_json(const LedgerReport& report);

}  // namespace sotto::participant
