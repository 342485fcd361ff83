#include "common/cli/audit.h"

#include <memory>
#include <string>
#include <vector>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/observability/audit_check.h"

namespace sotto::cli {

void add_audit_command(Command& app, int& exit_code) {
  struct Arguments {
    observability::AuditParty party;
    std::string folder = ".", federation;
    std::vector<std::string> heads;
    bool json = false;
  };

  auto args = std::make_shared<Arguments>();
  Command* sub = app.add_subcommand("audit", "Check the signed log of a party");
  sub->require_subcommand(1);
  Command* verify = sub->add_subcommand(
      "verify",
      "Check every line of FOLDER/audit.jsonl and report each line that was changed, removed, "
      "moved, repeated or cut; the exit code is 3 if there is one");
  verify
      ->add_option("folder", args->folder,
                   "Folder with audit.jsonl, or the log of older keys itself")
      ->capture_default_str();
  verify->add_option("--federation", args->federation,
                     "federation.json with the party's key, instead of the keystore of the folder");
  verify->add_option("--member", args->party.member,
                     "Name of the party in --federation; the coordinator unless given");
  verify
      ->add_option("--head", args->heads,
                   "Head of this log that another party recorded, as this command prints it")
      ->allow_extra_args(false);
  verify->add_flag("--json", args->json, "Print one JSON object");
  verify->callback([args, &exit_code] {
    args->party.log = observability::audit_file(args->folder);
    args->party.federation = args->federation;
    const std::string file = args->party.log.string();
    const auto report =
        observability::check_audit_file(file, observability::audit_key(args->party), args->heads);
    print(args->json ? observability::to_json(report, file)
                     : observability::describe(report, file));
    if (!report.whole()) exit_code = 3;
  });
}

}  // namespace sotto::cli
