#include "participant/cli/enrolment_commands.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/cli/question.h"
#include "common/cli/unlock.h"
#include "common/config/colluders.h"
#include "common/config/parse.h"
#include "common/crypto/secure_random.h"
#include "common/job/collusion.h"
#include "common/job/plan.h"
#include "common/storage/atomic_file.h"
#include "participant/identity/enrolment.h"
#include "participant/identity/preshared_keys.h"
#include "participant/identity/site_audit.h"

namespace sotto::participant {

namespace {

using cli::print;
using cli::unix_now;

using identity::Keystore;
using identity::SealedBy;

const cli::SealNames kInitNames{"--seal-by", "--passphrase-file", "--key-file"};

void add_init(cli::Command& app) {
  struct Arguments {
    std::string dir = ".", name;
    cli::SealOptions seal;
  };

  auto args = std::make_shared<Arguments>();
  cli::Command* sub = app.add_subcommand("init", "Create this site's keys and its public card");
  sub->add_option("--dir", args->dir, "Folder of the keystore; private keys never leave it")
      ->capture_default_str();
  sub->add_option("--name", args->name, "Name of the site, which is shown to the other members")
      ->required();
  cli::add_seal_options(*sub, args->seal, kInitNames, "nothing unless given");
  sub->callback([args] {
    crypto::OsRandom random;
    const Keystore keys = Keystore::make(args->name, random);
    keys.save_new(args->dir,
                  cli::new_seal(args->seal, kInitNames, SealedBy::kNothing, "the keys", random),
                  crypto::kModerateCost, random);
    const config::Card card = write_card(args->dir, keys, CardKind::kNewMember);
    const bool open = identity::describe(args->dir).sealed_by == SealedBy::kNothing;
    print("created keys in " + args->dir +
          (open ? ", which no passphrase or key file seals (only the modes of file and folder "
                  "protect them; `sotto-participant keys seal` changes that)"
                : "") +
          "\nfingerprint " + config::fingerprint(card.signing_key) + "\nSend " + args->dir + "/" +
          args->name +
          ".card.json to the operator of the coordinator, and give the operator the fingerprint "
          "over another channel.");
  });
}

/// Returns what colluders would see in a job that protects against no more of them than this site's
/// policy requires. The policy is that of the site.json in the folder if it can be read, otherwise
/// the default policy.
std::string what_colluders_see(const std::string& dir, const config::Roster& roster) {
  config::SitePolicy policy;
  if (const auto bytes = storage::read_file(dir + "/site.json", 1 << 20); bytes.ok()) {
    const auto site = config::parse_site(
        {reinterpret_cast<const char*>(bytes->data()), bytes->size()}, "site.json");
    if (const auto* read = std::get_if<config::SiteConfig>(&site)) policy = read->policy;
  }
  const auto participants = static_cast<std::uint32_t>(job::signers(roster).size());
  if (Status done = config::complete(policy, participants); !done.ok()) return done.error().message;
  config::JobConfig least;
  least.secure_aggregation.max_colluders = policy.max_colluders;
  return job::collusion_sentence(least, participants, policy.min_cohort,
                                 "this site's policy requires protection against");
}

struct JoinArguments {
  std::string dir = ".", federation;
  cli::UnlockOptions unlock;
  bool replace = false;
  std::vector<std::string> accepted;  // names of members whose keys may change
};

/// Returns how the doubt was accepted; empty if it was not.
std::string accepted_by(const JoinArguments& args, const KeyChange& key_change) {
  if (std::ranges::find(args.accepted, key_change.name) != args.accepted.end())
    return "--accept-changed-keys";
  const auto typed = cli::ask_at_terminal(
      key_change.reason + "\nCompare the fingerprints with " + key_change.name +
      " over a channel that does not involve the operator. Type " + key_change.name +
      " to accept the keys in the file, anything else to reject them: ");
  return typed == key_change.name ? "the person at the terminal" : "";
}

/// Prints the change. Doubts that a person accepts are written to the audit log before the change
/// is made; any other doubt throws StartupError.
void show_and_decide(const JoinArguments& args, const identity::Keystore& keys,
                     const Membership& membership, const RosterChange& change) {
  print("changes compared with the roster that this site has pinned:");
  for (const std::string& line : change.lines)
    print("  " + line);
  RosterChange left;
  std::vector<observability::AuditEvent> accepted;
  for (const KeyChange& key_change : change.key_changes) {
    const std::string by = accepted_by(args, key_change);
    if (by.empty()) {
      left.key_changes.push_back(key_change);
      continue;
    }
    print("  accepted by " + by + ": " + key_change.reason);
    accepted.push_back({"changed_keys_accepted",
                        {{"member", key_change.name},
                         {"what", key_change.reason},
                         {"version", std::to_string(membership.federation.roster.version)},
                         {"by", by}}});
  }
  refuse_key_changes(membership, left);
  if (accepted.empty()) return;
  const config::Identity identity = keys.identity(membership.generation);
  observability::AuditLog audit = open_audit(args.dir, keys, identity, unix_now());
  for (const observability::AuditEvent& event : accepted)
    cli::stop_unless(audit.append(event, unix_now()));
}

void add_join(cli::Command& app) {
  auto args = std::make_shared<JoinArguments>();
  cli::Command* sub =
      app.add_subcommand("join", "Check a federation.json, show its changes and pin it");
  sub->add_option("federation", args->federation,
                  "federation.json from the operator of the coordinator")
      ->required();
  sub->add_option("--dir", args->dir, "Folder of this site's keystore")->capture_default_str();
  cli::add_unlock_options(*sub, args->unlock);
  sub->add_flag("--replace", args->replace,
                "Pin the file even if another coordinator or a newer roster is pinned, or if the "
                "file lacks a revoked key");
  sub->add_option("--accept-changed-keys", args->accepted,
                  "Accept keys of this member that differ from the pinned keys, without a "
                  "signature of the old keys; compare them with the member first")
      ->allow_extra_args(false);
  sub->callback([args] {
    const Keystore keys = cli::open_keystore(args->dir, args->unlock);
    const Membership pinned = join(args->dir, keys, args->federation, unix_now(),
                                   args->replace ? PinChange::kReplace : PinChange::kRefuse,
                                   [&](const Membership& membership, const RosterChange& change) {
                                     show_and_decide(*args, keys, membership, change);
                                   });
    const config::Identity identity = keys.identity(pinned.generation);
    const config::Roster& roster = pinned.federation.roster;
    const Status written = open_audit(args->dir, keys, identity, unix_now())
                               .append({"roster_pinned",
                                        {{"federation", pinned.federation.name},
                                         {"version", std::to_string(roster.version)},
                                         {"hash", to_hex(roster.hash())}}},
                                       unix_now());
    if (!written.ok()) throw StartupError(written.error().message);
    print(describe(pinned));
    print(what_colluders_see(args->dir, roster));
  });
}

void add_preshared(cli::Command& app) {
  struct Arguments {
    std::string dir = ".", peer, import;
  };

  auto args = std::make_shared<Arguments>();
  cli::Command* sub = app.add_subcommand(
      "preshared",
      "Create a key with one other member, which protects recordings of today if X25519 is broken "
      "in the future. It has no effect unless both sites have the key");
  sub->add_option("member", args->peer, "Name of the other member")->required();
  sub->add_option("--dir", args->dir, "Folder of this site's keystore")->capture_default_str();
  sub->add_option("--import", args->import, "Import the file that the other member created");
  sub->callback([args] {
    if (!args->import.empty()) {
      import_preshared_key(args->dir, args->peer, args->import);
      return print("The key with " + args->peer +
                   " was imported and is used after the next start.");
    }
    crypto::OsRandom random;
    const auto file = make_preshared_key(args->dir, args->peer, random);
    print("created the key with " + args->peer + ": " + file.string() + "\nCarry the file to " +
          args->peer +
          " by a way that no other party can observe (not through the coordinator). There, the "
          "command\n  sotto-participant preshared YOUR-NAME --import FILE\nimports it. Both sites "
          "use the key after their next start. Until both have it, one of the two sites is left "
          "out of each round.");
  });
}

}  // namespace

void add_enrolment_commands(cli::Command& app) {
  add_init(app);
  add_join(app);
  add_preshared(app);
}

}  // namespace sotto::participant
