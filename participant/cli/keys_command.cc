#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/cli/keys.h"
#include "common/cli/unlock.h"
#include "common/config/parse.h"
#include "common/storage/atomic_file.h"
#include "participant/cli/enrolment_commands.h"
#include "participant/identity/enrolment.h"
#include "participant/identity/site_audit.h"

namespace sotto::participant {

namespace {

using cli::print;
using cli::unix_now;

using identity::Keystore;
using identity::Rotation;

struct KeysArguments {
  std::string dir = ".", only;
  cli::UnlockOptions unlock;
  bool finish = false;
  bool revoked = false;
  std::uint32_t generation = 0;
};

void begin_rotation(const KeysArguments& args, Keystore& keys) {
  const Rotation which = args.only == "signing"     ? Rotation::kSigning
                         : args.only == "transport" ? Rotation::kTransport
                                                    : Rotation::kBoth;
  crypto::OsRandom random;
  keys.rotate(which, random);
  // The keys are saved first: a card whose keys were lost would lock the site out.
  keys.save(args.dir);
  const config::Card card =
      write_card(args.dir, keys, args.revoked ? CardKind::kNewMember : CardKind::kSuccessor);
  const std::string file = args.dir + "/" + card.name + ".card.json";
  print("created generation " + std::to_string(keys.newest().generation) + " of the keys of " +
        card.name + "\nfingerprint " + config::fingerprint(card.signing_key) + "\nSend " + file +
        " to the operator of the coordinator, who runs: sotto-coordinator enroll " + card.name +
        ".card.json");
  print(card.is_successor()
            ? "The keys that the card replaces have signed it too, so that the member keeps its "
              "id. The old keys remain valid here until this site joins the roster that names the "
              "new ones. Then run: sotto-participant keys rotate --finish"
        : args.revoked ? "The card replaces no other card: it makes a new member of the same name "
                         "after the old one is revoked. Then run: sotto-participant join --replace"
                       : "No roster is pinned here, so that the card replaces no other card. If an "
                         "older card is already enrolled, join its roster first and rotate again.");
}

void finish_rotation(const KeysArguments& args, Keystore& keys) {
  const Membership membership = load_membership(args.dir, keys, unix_now());
  require_newest(keys, membership);
  const std::size_t old = keys.description().held.size() - 1;
  if (old == 0)
    return print("there is nothing to erase, because the keystore holds one generation of keys");
  // The audit log is handed over while the old key can still sign its end.
  const config::Identity identity = keys.identity(membership.generation);
  (void)open_audit(args.dir, keys, identity, unix_now());
  keys.retire_old();
  keys.save(args.dir);
  print(std::to_string(old) + (old == 1 ? " older generation" : " older generations") +
        " erased from the keystore. Backups and older copies of the file still contain them: make "
        "a new backup, then destroy those.");
}

void add_rotate(cli::Command& keys) {
  auto args = std::make_shared<KeysArguments>();
  cli::Command* sub = keys.add_subcommand(
      "rotate",
      "Create new signing and transport keys and the card that asks for their enrolment. The old "
      "keys stay until a roster names the new ones and --finish erases them");
  sub->add_option("--dir", args->dir, "Folder of the keystore")->capture_default_str();
  cli::add_unlock_options(*sub, args->unlock);
  sub->add_option("--only", args->only,
                  "Kind of key to replace: signing or transport; both unless given")
      ->one_of({"signing", "transport"});
  sub->add_flag("--finish", args->finish,
                "Erase the older keys after the pinned roster names the newest")
      ->excludes("--only");
  sub->add_flag("--revoked", args->revoked,
                "Make a card that replaces no other card, because the enrolled keys are revoked");
  sub->callback([args] {
    const auto lock = cli::lock_keystore(args->dir);
    Keystore store = cli::open_keystore(args->dir, args->unlock);
    if (args->finish) return finish_rotation(*args, store);
    begin_rotation(*args, store);
  });
}

/// Returns the generation that was requested, otherwise the one that the roster names, otherwise
/// the newest.
std::uint32_t revoked_generation(const KeysArguments& args, const Keystore& store) {
  const identity::Description& is = store.description();
  std::uint32_t out = args.generation;
  if (const auto named = cli::named_in_federation(args.dir, is); out == 0 && named)
    out = named->generation;
  if (out == 0) out = store.newest().generation;
  for (const identity::PublicKeys& keys : is.held)
    if (keys.generation == out) return out;
  throw StartupError("generation " + std::to_string(out) +
                     " is not in this keystore, and only the holder of a key can sign its "
                     "revocation. The operator can revoke a member by name");
}

void add_revoke(cli::Command& keys) {
  auto args = std::make_shared<KeysArguments>();
  cli::Command* sub =
      keys.add_subcommand("revoke",
                          "Sign a statement for the operator of the coordinator that "
                          "keys of this site must not be trusted any more");
  sub->add_option("--dir", args->dir, "Folder of the keystore")->capture_default_str();
  cli::add_unlock_options(*sub, args->unlock);
  sub->add_option("--generation", args->generation,
                  "Generation of the keys; the generation in the roster unless given");
  sub->callback([args] {
    const Keystore store = cli::open_keystore(args->dir, args->unlock);
    const std::uint32_t generation = revoked_generation(*args, store);
    const config::Revocation revocation = config::revocation_of(store.identity(generation));
    const std::string file = args->dir + "/" + revocation.name + ".revocation.json";
    const std::string text = config::to_json(revocation);
    const Status written =
        storage::write_file_atomically(file, {view_of(text)}, storage::FileAccess::kEveryoneReads);
    if (!written.ok()) throw StartupError(written.error().message);
    print(file + " revokes generation " + std::to_string(generation) + ", fingerprint " +
          config::fingerprint(revocation.signing_key) +
          "\nSend it to the operator of the coordinator, who runs: sotto-coordinator revoke " +
          revocation.name +
          ".revocation.json\nThe revocation takes effect when every member has joined the new "
          "roster. These keys are never enrolled again. To take part again, run: sotto-participant "
          "keys rotate --revoked, and send the new card.");
  });
}

}  // namespace

void add_keys_commands(cli::Command& app) {
  cli::Command* keys = cli::add_keys_commands(
      app,
      {.program = "sotto-participant", .history = {"guard.log", "genesis.log", "ledger.sqlite"}});
  add_rotate(*keys);
  add_revoke(*keys);
}

}  // namespace sotto::participant
