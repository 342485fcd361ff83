#include "common/cli/keys.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include <nlohmann/json.hpp>

#include "common/base/result.h"
#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/cli/unlock.h"
#include "common/config/parse.h"
#include "common/identity/secret_file.h"

namespace sotto::cli {

namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;
using identity::Description;
using identity::Keystore;
using identity::PublicKeys;
using identity::SealedBy;

const SealNames kNewNames{"--seal-by", "--new-passphrase-file", "--new-key-file"};
const SealNames kBackupNames{"--backup-by", "--backup-passphrase-file", "--backup-key-file"};

std::string sealed_text(const Description& is) {
  switch (is.sealed_by) {
    case SealedBy::kNothing:
      return "no passphrase or key file; only the modes of file and folder protect it, and whoever "
             "can read the file has the keys";
    case SealedBy::kKeyFile:
      return "a key file";
    case SealedBy::kPassphrase:
      return "a passphrase (Argon2id, " + std::to_string(is.cost.operations) + " passes over " +
             std::to_string(is.cost.memory_kib / 1024) + " MiB)";
  }
  return {};
}

json json_of(const PublicKeys& keys, const std::optional<NamedKeys>& named) {
  json out = {{"generation", keys.generation},
              {"use", name(keys.use)},
              {"signing_key", to_hex(keys.signing_key)},
              {"transport_key", to_hex(keys.transport_key)}};
  if (named) out["named_by_roster"] = named->generation == keys.generation;
  return out;
}

std::string json_text(const fs::path& file, const Description& is, bool verified,
                      const std::optional<NamedKeys>& named) {
  json out = {{"file", file.string()},
              {"name", is.name},
              {"sealed_by", name(is.sealed_by)},
              {"verified", verified}};
  if (is.sealed_by == SealedBy::kPassphrase)
    out["argon2id"] = {{"operations", is.cost.operations}, {"memory_kib", is.cost.memory_kib}};
  if (named) out["roster_version"] = named->roster_version;
  out["keys"] = json::array();
  for (const PublicKeys& keys : is.held)
    out["keys"].push_back(json_of(keys, named));
  out["retired"] = json::array();
  for (const PublicKeys& keys : is.retired)
    out["retired"].push_back(json_of(keys, std::nullopt));
  return out.dump();
}

void print_description(const fs::path& file, const Description& is, bool verified,
                       const std::optional<NamedKeys>& named) {
  print(file.string() + ": keys of " + is.name + "\nsealed by " + sealed_text(is));
  for (const PublicKeys& keys : is.held) {
    std::string detail;
    if (named && named->generation == keys.generation)
      detail = "named by the roster, version " + std::to_string(named->roster_version);
    if (keys.use == identity::KeyUse::kSuccessorOnly)
      detail += std::string(detail.empty() ? "" : "; ") +
                "restored: may name a successor and sign revocations, but not take part";
    print("generation " + std::to_string(keys.generation) +
          (detail.empty() ? "" : "  (" + detail + ")") + "\n  signing    " +
          config::fingerprint(keys.signing_key) + "\n  transport  " +
          config::fingerprint(keys.transport_key));
  }
  for (const PublicKeys& keys : is.retired)
    print("generation " + std::to_string(keys.generation) + "  (wiped)\n  signing    " +
          config::fingerprint(keys.signing_key));
  if (named && named->generation == 0)
    print("the roster, version " + std::to_string(named->roster_version) +
          ", names other keys for " + is.name + ": signing " +
          config::fingerprint(named->signing_key));
  if (!verified)
    print(
        "The keystore was not opened, so that these lines are not verified. Give the passphrase or "
        "key file to verify them.");
}

void add_show(Command& keys) {
  struct Arguments {
    std::string dir = ".";
    UnlockOptions unlock;
    bool json = false;
  };

  auto args = std::make_shared<Arguments>();
  Command* sub = keys.add_subcommand(
      "show",
      "Print public keys, fingerprints and how the keystore is sealed; needs no passphrase");
  sub->add_option("--dir", args->dir, "Folder of the keystore")->capture_default_str();
  add_unlock_options(*sub, args->unlock);
  sub->add_flag("--json", args->json, "Print one JSON object");
  sub->callback([args] {
    Description is = identity::describe(args->dir);
    const bool verified = is.sealed_by == SealedBy::kNothing ||
                          !args->unlock.passphrase_file.empty() || !args->unlock.key_file.empty();
    if (verified) is = open_keystore(args->dir, args->unlock).description();
    const auto named = named_in_federation(args->dir, is);
    const fs::path file = fs::path(args->dir) / identity::kKeystoreFile;
    if (args->json) return print(json_text(file, is, verified, named));
    print_description(file, is, verified, named);
  });
}

void add_seal(Command& keys) {
  struct Arguments {
    std::string dir = ".";
    UnlockOptions unlock;
    SealOptions seal;
  };

  auto args = std::make_shared<Arguments>();
  Command* sub = keys.add_subcommand("seal",
                                     "Change what opens the keystore: a passphrase, a key file, "
                                     "or nothing. The keys stay the same");
  sub->add_option("--dir", args->dir, "Folder of the keystore")->capture_default_str();
  add_unlock_options(*sub, args->unlock);
  add_seal_options(*sub, args->seal, kNewNames, "a passphrase unless given");
  sub->callback([args] {
    const auto lock = lock_keystore(args->dir);
    Keystore store = open_keystore(args->dir, args->unlock);
    crypto::OsRandom random;
    store.reseal(new_seal(args->seal, kNewNames, SealedBy::kPassphrase, "the keystore", random),
                 crypto::kModerateCost, random);
    store.save(args->dir);
    print((fs::path(args->dir) / identity::kKeystoreFile).string() + " is now sealed by " +
          sealed_text(store.description()) +
          "\nOnly the seal has changed, and older copies of the file open as before. Whoever had "
          "such a copy and its passphrase or key file has the keys: rotate or revoke them in that "
          "case.");
  });
}

void add_backup(Command& keys) {
  struct Arguments {
    std::string dir = ".", file;
    UnlockOptions unlock;
    SealOptions seal;
  };

  auto args = std::make_shared<Arguments>();
  Command* sub = keys.add_subcommand(
      "backup", "Write all keys into one file for another place, sealed by its own passphrase");
  sub->add_option("file", args->file, "File for the backup, which is never overwritten")
      ->required();
  sub->add_option("--dir", args->dir, "Folder of the keystore")->capture_default_str();
  add_unlock_options(*sub, args->unlock);
  add_seal_options(*sub, args->seal, kBackupNames, "a passphrase unless given");
  sub->callback([args] {
    const Keystore store = open_keystore(args->dir, args->unlock);
    crypto::OsRandom random;
    const identity::Opener seal =
        new_seal(args->seal, kBackupNames, SealedBy::kPassphrase, "the backup", random);
    if (std::holds_alternative<identity::Nothing>(seal))
      throw StartupError(
          "a backup must be sealed, because other persons may reach the place where it is kept");
    store.save_backup(args->file, seal, crypto::kModerateCost, random);
    print(args->file + ": all keys of " + store.description().name + ", generations up to " +
          std::to_string(store.newest().generation) +
          "\nMake another backup after each rotation. Keep the backup and its passphrase or key "
          "file apart from this machine and from each other. The backup does not contain guard, "
          "ledger and records.");
  });
}

/// Prints what was restored, and what the person has to do next.
void report_restored(const Keystore& store, const fs::path& folder, const KeysParty& party) {
  const Description& is = store.description();
  print((folder / identity::kKeystoreFile).string() + ": keys of " + is.name +
        " restored, generations " + std::to_string(is.held.front().generation) + " to " +
        std::to_string(is.held.back().generation) + ", sealed as the backup is (" +
        sealed_text(is) + "); `" + party.program + " keys seal` changes that");
  const auto named = named_in_federation(folder, is);
  if (!party.history.empty() && named && named->generation == 0)
    print("missing: the roster, version " + std::to_string(named->roster_version) +
          ", names keys that are not in this backup (signing " +
          config::fingerprint(named->signing_key) +
          "). A rotation after the backup created them, and they are lost unless a newer backup "
          "contains them. Keys for data are the same in every backup. Have the operator revoke " +
          is.name + " by name, run `keys rotate --revoked` and have the new card enrolled");
  if (store.newest().use == identity::KeyUse::kSuccessorOnly)
    print(
        "This folder lacks the site's guard.log, genesis.log or ledger.sqlite, which are never in "
        "a backup. The keys can therefore not take part: there could be two live copies, and the "
        "record of what the data have spent is missing. Stop the old copy permanently if it still "
        "runs, then run:\n  " +
        party.program +
        " join FEDERATION.JSON and keys rotate, have the operator enrol the new card, and join "
        "again\nLower policy.max_epsilon in site.json by what was spent (see the last `ledger` "
        "output, or the operator's report).");
}

void add_restore(Command& keys, const KeysParty& party) {
  struct Arguments {
    std::string dir = ".", file;
    UnlockOptions unlock;
  };

  auto args = std::make_shared<Arguments>();
  Command* sub = keys.add_subcommand(
      "restore", "Restore a backup into a folder that has no keys; never overwrites keys");
  sub->add_option("file", args->file, "File with the backup")->required();
  sub->add_option("--dir", args->dir, "Folder for the keystore")->capture_default_str();
  add_unlock_options(*sub, args->unlock);
  sub->callback([args, party] {
    const fs::path folder = args->dir;
    if (const fs::path there = folder / identity::kKeystoreFile; fs::exists(there))
      throw StartupError(
          there.string() +
          " exists, and keys are never overwritten; move it away if its keys are to be given up");
    config::make_private_folder(folder);
    const auto lock = lock_keystore(folder);
    const identity::Opener opener =
        opener_for(identity::describe_backup(args->file), args->file, args->unlock);
    Keystore store = Keystore::open_backup(args->file, opener);
    const bool lacks = std::ranges::any_of(
        party.history, [&](const std::string& file) { return !fs::exists(folder / file); });
    if (lacks) store.restrict_to_successor();
    crypto::OsRandom random;
    store.save_new(folder, opener, crypto::kModerateCost, random);
    report_restored(store, folder, party);
  });
}

}  // namespace

Command* add_keys_commands(Command& app, const KeysParty& party) {
  Command* keys = app.add_subcommand("keys", "Manage the keystore: its seal, backups and keys");
  keys->require_subcommand(1);
  add_show(*keys);
  add_seal(*keys);
  add_backup(*keys);
  add_restore(*keys, party);
  return keys;
}

storage::LockFile lock_keystore(const fs::path& folder) {
  auto lock = storage::LockFile::acquire(folder / "keystore.lock");
  if (!lock.ok()) throw StartupError(lock.error().message);
  return std::move(lock).value();
}

std::optional<NamedKeys> named_in_federation(const fs::path& folder, const Description& is) {
  const fs::path file = folder / "federation.json";
  if (!fs::exists(file)) return std::nullopt;
  const config::Roster roster = config::load_federation(file).roster;
  const auto generation_of = [&](const Bytes32& signing, const Bytes32& transport) {
    const auto at = std::ranges::find_if(is.held, [&](const PublicKeys& keys) {
      return keys.signing_key == signing && keys.transport_key == transport;
    });
    return at == is.held.end() ? 0 : at->generation;
  };
  NamedKeys out{
      .roster_version = roster.version,
      .generation = generation_of(roster.coordinator_signing_key, roster.coordinator_transport_key),
      .signing_key = roster.coordinator_signing_key};
  if (out.generation != 0) return out;
  for (const config::RosterMember& member : roster.members) {
    if (member.name != is.name) continue;
    out.generation = generation_of(member.signing_key, member.transport_key);
    out.signing_key = member.signing_key;
    return out;
  }
  return std::nullopt;
}

}  // namespace sotto::cli
