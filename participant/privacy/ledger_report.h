// What a ledger says of a data set, for the people of its site. Nothing here decides.
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

/// At the policy's delta.
Result<LedgerReport> report_of(const privacy::PrivacyLedger& ledger,
                               const config::SiteConfig& site);

/// Several lines. Where there is no epsilon, they say why.
std::string describe(const LedgerReport& report);
/// One JSON object with the same content; no bound is null.
std::string to_json(const LedgerReport& report);

}  // namespace sotto::participant
