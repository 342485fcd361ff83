#include "participant/cli/ledger_command.h"

#include <memory>
#include <string>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/config/parse.h"
#include "participant/privacy/ledger_report.h"

namespace sotto::participant {

void add_ledger_command(cli::Command& app) {
  struct Arguments {
    std::string dir = ".", site;
    bool json = false;
  };

  auto args = std::make_shared<Arguments>();
  cli::Command* sub = app.add_subcommand(
      "ledger",
      "Print what the site's data set has spent, on which jobs, and what remains. The participant "
      "may run at the same time.\nExample: sotto-participant ledger --dir aurora --json");
  sub->add_option("--dir", args->dir, "Folder of the ledger")->capture_default_str();
  sub->add_option("--site", args->site, "File site.json; the one in --dir unless given");
  sub->add_flag("--json", args->json, "One JSON object");
  sub->callback([args] {
    const config::SiteConfig site =
        config::load_site(args->site.empty() ? args->dir + "/site.json" : args->site);
    const auto ledger = cli::or_stop(privacy::PrivacyLedger::read(args->dir + "/ledger.sqlite"));
    const LedgerReport report = cli::or_stop(report_of(ledger, site));
    cli::print(args->json ? to_json(report) : describe(report));
  });
}

}  // namespace sotto::participant
