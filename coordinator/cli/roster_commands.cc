#include "coordinator/cli/roster_commands.h"

#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/cli/keys.h"
#include "common/cli/unlock.h"
#include "common/config/parse.h"
#include "common/crypto/secure_random.h"
#include "common/identity/roster_expiry.h"
#include "coordinator/members/enrolment.h"
#include "coordinator/observability/audit.h"

namespace sotto::coordinator {

namespace {

using cli::print;
using cli::unix_now;

using identity::Keystore;
using identity::SealedBy;

const cli::SealNames kInitNames{"--seal-by", "--passphrase-file", "--key-file"};

constexpr std::uint64_t kDay = 86400;
constexpr std::uint32_t kYear = 365;       // in days
constexpr std::uint32_t kMostDays = 3650;  // ten years

Validity good_for(std::uint32_t days) {
  return {.now_unix_s = unix_now(), .for_s = days * kDay};
}

Validity a_year() {
  return good_for(kYear);
}

void add_init(cli::Command& app) {
  struct Arguments {
    std::string dir = ".";
    FederationAddress address;
    cli::SealOptions seal;
  };

  auto args = std::make_shared<Arguments>();
  cli::Command* sub =
      app.add_subcommand("init", "Create a coordinator's keys, which never leave the folder");
  sub->add_option("--dir", args->dir, "Folder of the keystore and of federation.json")
      ->capture_default_str();
  sub->add_option("--name", args->address.name, "Name of the federation, which is shown to people")
      ->required();
  sub->add_option("--endpoint", args->address.endpoint,
                  "Address that participants connect to: tcp://HOST:PORT")
      ->required();
  sub->add_option("--listen", args->address.listen,
                  "Address to bind; the endpoint unless given (tcp://0.0.0.0:PORT behind a NAT)");
  cli::add_seal_options(*sub, args->seal, kInitNames, "nothing unless given");
  sub->callback([args] {
    check_address(args->address);
    crypto::OsRandom random;
    const Keystore keys = Keystore::make(args->address.name, random);
    keys.save_new(args->dir,
                  cli::new_seal(args->seal, kInitNames, SealedBy::kNothing, "the keys", random),
                  crypto::kModerateCost, random);
    const config::Identity identity = keys.identity(keys.newest().generation);
    init(args->dir, identity, args->address);
    write_audit(args->dir, identity, {"identity_made", {{"name", args->address.name}}}, unix_now());
    print("created keys in " + args->dir + "; enrol members with: sotto-coordinator enroll --dir " +
          args->dir + " CARD...");
  });
}

struct RosterArguments {
  std::string dir = ".";
  std::vector<std::string> cards, names, statements;
  std::uint32_t days = kYear;
  cli::UnlockOptions unlock;

  [[nodiscard]] config::Identity identity() const {
    const Keystore keys = cli::open_keystore(dir, unlock);
    return keys.identity(keys.newest().generation);
  }
};

/// Writes the new roster to the audit log, then shows it.
void announce(const config::FederationConfig& made, const RosterArguments& args,
              const config::Identity& identity) {
  audit_roster(args.dir, identity, made.roster, unix_now());
  for (const config::RosterMember& m : made.roster.members)
    print(std::to_string(raw(m.id)) + "  " + m.name + "  " + config::fingerprint(m.signing_key));
  print("The roster has version " + std::to_string(made.roster.version) + ", hash " +
        config::fingerprint(made.roster.hash()) + " and is valid until " +
        config::utc_date(made.roster.expiry_unix_s) + ".\nHand " + args.dir +
        "/federation.json to every member. Each member compares the fingerprints, runs "
        "`sotto-participant join` with the file and starts again. Then start `sotto-coordinator "
        "run` again.");
}

void add_enroll(cli::Command& app, const std::shared_ptr<RosterArguments>& args) {
  cli::Command* sub = app.add_subcommand(
      "enroll",
      "Add the cards of members to the signed roster, or replace the keys of a member by new keys "
      "whose card the old keys signed (creates a new roster version)");
  sub->add_option("cards", args->cards,
                  "Public cards that `sotto-participant init` or `keys rotate` created")
      ->required();
  sub->callback([args] {
    std::vector<config::Card> cards;
    for (const std::string& file : args->cards)
      cards.push_back(config::load_card(file));
    const config::Identity identity = args->identity();
    announce(enroll(args->dir, identity, cards, a_year()), *args, identity);
  });
}

void add_renew(cli::Command& app, const std::shared_ptr<RosterArguments>& args) {
  cli::Command* sub = app.add_subcommand(
      "renew",
      "Sign the roster with the same members for a longer time (creates a new roster "
      "version).\nExample: sotto-coordinator renew --dir coordinator --days 365");
  sub->add_option("--days", args->days, "Number of days from now for which the roster is valid")
      ->in_range(std::uint32_t{1}, kMostDays)
      ->capture_default_str();
  sub->callback([args] {
    const config::Identity identity = args->identity();
    announce(renew(args->dir, identity, good_for(args->days)), *args, identity);
  });
}

void add_remove(cli::Command& app, const std::shared_ptr<RosterArguments>& args) {
  cli::Command* sub =
      app.add_subcommand("remove",
                         "Remove members from the signed roster (creates a new roster "
                         "version); their cards may be enrolled again");
  sub->add_option("names", args->names, "Names of members")->required();
  sub->callback([args] {
    const config::Identity identity = args->identity();
    announce(remove(args->dir, identity, args->names, Removal::kRemove, a_year()), *args, identity);
  });
}

void add_revoke(cli::Command& app, const std::shared_ptr<RosterArguments>& args) {
  cli::Command* sub = app.add_subcommand("revoke",
                                         "Remove members from the signed roster and permanently "
                                         "exclude their keys (creates a new roster version)");
  sub->add_option(
      "statements", args->statements,
      "Statements that the keys themselves signed, made by `sotto-participant keys revoke`");
  sub->add_option("--name", args->names,
                  "Name of a member whose keys cannot sign any more; the operator vouches for the "
                  "revocation")
      ->allow_extra_args(false);
  sub->callback([args] {
    if (args->statements.empty() == args->names.empty())
      throw StartupError("give either statements or --name, not both or none");
    std::vector<config::Revocation> statements;
    for (const std::string& file : args->statements)
      statements.push_back(config::load_revocation(file));
    const config::Identity identity = args->identity();
    announce(statements.empty()
                 ? remove(args->dir, identity, args->names, Removal::kRevoke, a_year())
                 : revoke(args->dir, identity, statements, a_year()),
             *args, identity);
  });
}

}  // namespace

void add_roster_commands(cli::Command& app) {
  add_init(app);
  auto args = std::make_shared<RosterArguments>();
  add_enroll(app, args);
  add_renew(app, args);
  add_remove(app, args);
  add_revoke(app, args);
  for (const char* name : {"enroll", "renew", "remove", "revoke"}) {
    cli::Command* sub = app.get_subcommand(name);
    sub->add_option("--dir", args->dir, "Folder of the coordinator's keystore")
        ->capture_default_str();
    cli::add_unlock_options(*sub, args->unlock);
  }
  cli::add_keys_commands(app, {.program = "sotto-coordinator", .history = {}});
}

}  // namespace sotto::coordinator
