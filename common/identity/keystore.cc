#include "common/identity/keystore.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/result.h"
#include "common/config/fields.h"
#include "common/crypto/hash.h"
#include "common/crypto/key_agreement.h"
#include "common/identity/secret_file.h"
#include "common/storage/atomic_file.h"

namespace sotto::identity {

namespace {

namespace fs = std::filesystem;
using crypto::Secret32;
using crypto::Secret64;

fs::path file_in(const fs::path& folder) {
  return folder / kKeystoreFile;
}

/// Returns a random nonce followed by the sealed secret.
template <std::size_t N>
Bytes seal_secret(const Secret32& key, const crypto::Secret<N>& secret, BytesView associated_data,
                  crypto::SecureRandom& random) {
  crypto::Nonce nonce{};
  random.fill(nonce);
  Bytes out(nonce.begin(), nonce.end());
  const Bytes sealed = crypto::seal(key, nonce, secret.expose(), associated_data);
  out.insert(out.end(), sealed.begin(), sealed.end());
  return out;
}

template <std::size_t N>
std::optional<crypto::Secret<N>> open_secret(const Secret32& key, BytesView sealed,
                                             BytesView associated_data) {
  crypto::Nonce nonce{};
  std::ranges::copy(sealed.first(nonce.size()), nonce.begin());
  crypto::Secret<N> out;
  if (!crypto::open(key, nonce, sealed.subspan(nonce.size()), associated_data, out.writable()))
    return std::nullopt;
  return out;
}

Secret32 entry_key(const Secret32& master) {
  return crypto::kdf("SOTTO key entry", master, {});
}

SealedBy seal_of(const Opener& opener) {
  if (std::holds_alternative<Passphrase>(opener)) return SealedBy::kPassphrase;
  return std::holds_alternative<KeyFile>(opener) ? SealedBy::kKeyFile : SealedBy::kNothing;
}

/// Returns the key that the master key is sealed under. `opener` is not Nothing.
Secret32 wrapping_key(const Opener& opener, const crypto::Salt& salt,
                      const crypto::PasswordCost& cost) {
  if (const auto* file = std::get_if<KeyFile>(&opener))
    return crypto::kdf("SOTTO key file", file->key, {});
  const crypto::SecretCell& text = std::get<Passphrase>(opener).text;
  return crypto::password_hash({text.data(), text.size()}, salt, cost).or_stop();
}

[[noreturn]] void refuse_seal(const fs::path& file, SealedBy is) {
  switch (is) {
    case SealedBy::kPassphrase:
      throw StartupError(
          file.string() +
          " is sealed by a passphrase; give it with --passphrase-file or at a terminal");
    case SealedBy::kKeyFile:
      throw StartupError(file.string() + " is sealed by a key file; give it with --key-file");
    case SealedBy::kNothing:
      throw StartupError(
          file.string() +
          " is not sealed, so that it needs neither passphrase nor key file; `keys seal` seals it");
  }
  SOTTO_CHECK(false, "no such seal");
}

/// Returns the message for a person whose passphrase or key file does not open the keystore.
std::string wrong_opener(const fs::path& file, SealedBy by) {
  const std::string what = by == SealedBy::kPassphrase ? "passphrase" : "key file";
  return file.string() + ": this " + what +
         " does not open the file. The file is complete, so that the " + what +
         " is a different one (or the file was changed on purpose, which looks the same).\n  "
         "Nobody can reset it. Without it the keys in this file are lost, and with them everything "
         "that is encrypted under these keys (a store of encrypted records), unless there is a "
         "backup whose own passphrase is known: `keys restore`.\n  The following files are not "
         "encrypted under the keys and remain valid: the original data, guard.log, genesis.log, "
         "ledger.sqlite, audit.jsonl, federation.json, run folders.\n  To continue with new keys, "
         "move " +
         std::string(kKeystoreFile) +
         " and audit.jsonl away, run `init` in the same folder, and have the operator revoke the "
         "old card and enrol the new one.";
}

std::string damaged(const fs::path& file, const std::string& clause) {
  return file.string() + " " + clause +
         "; restore it from a backup (`keys restore`). The backup also keeps everything readable "
         "that is encrypted under its keys. guard.log, genesis.log, ledger.sqlite and audit.jsonl "
         "do not depend on it";
}

Parsed parse_or_throw(BytesView text, const fs::path& file) {
  Result<Parsed> parsed = parse(text);
  if (!parsed) throw StartupError(damaged(file, parsed.error().message));
  return std::move(parsed).value();
}

crypto::SecretCell read_in(const fs::path& folder) {
  crypto::SecretCell text =
      config::read_secret_file(file_in(folder), "create the keys of a party with `init`");
  config::check_private_folder(folder);
  return text;
}

/// Reads a backup. It is sealed, so it may be in any place, with any modes. It is read into guarded
/// memory nevertheless, because the file could be a copy of a keystore that is not sealed.
crypto::SecretCell read_backup(const fs::path& file) {
  Bytes text = storage::read_file(file, kMaxFileBytes).or_stop();
  if (text.empty()) throw StartupError(file.string() + " is empty");
  crypto::SecretCell out(text.size());
  std::ranges::copy(text, out.data());
  crypto::wipe(text);
  return out;
}

void refuse_existing(const fs::path& file) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(file, error)))
    throw StartupError(file.string() +
                       " exists, and keys are never overwritten; choose another place, or move "
                       "this one away if its keys are to be given up");
}

void write_file(const fs::path& file, const Contents& contents, const Secret32& master) {
  const Pieces pieces = write(contents, master);
  const BytesView bare =
      pieces.has_bare_master ? BytesView(pieces.bare_master.expose()) : BytesView();
  const Status written =
      storage::write_file_atomically(file,
                                     {view_of(pieces.head), bare, view_of(pieces.tail),
                                      view_of(pieces.mac), view_of(pieces.checksum)},
                                     storage::FileAccess::kOwnerOnly);
  if (!written.ok()) throw StartupError(written.error().message);
}

/// Returns the signing seed and the transport key.
std::pair<Secret32, Secret32> halves_of(const Secret64& secret) {
  return {Secret32::copy_of(secret.expose().first<32>()),
          Secret32::copy_of(secret.expose().last<32>())};
}

Secret64 joined(const Secret32& seed, const Secret32& transport) {
  Secret64 out;
  std::ranges::copy(seed.expose(), out.writable().begin());
  std::ranges::copy(transport.expose(), out.writable().begin() + 32);
  return out;
}

PublicKeys public_half(std::uint32_t generation, const Secret64& secret) {
  auto [seed, transport] = halves_of(secret);
  return {.generation = generation,
          .signing_key = crypto::SigningKey::from_seed(seed).verify_key(),
          .transport_key = crypto::AgreementKey(std::move(transport)).public_key()};
}

}  // namespace

Description describe(const fs::path& folder) {
  const crypto::SecretCell text = read_in(folder);
  return parse_or_throw({text.data(), text.size()}, file_in(folder)).contents.description;
}

Description describe_backup(const fs::path& file) {
  const crypto::SecretCell text = read_backup(file);
  return parse_or_throw({text.data(), text.size()}, file).contents.description;
}

Keystore Keystore::make(std::string_view name, crypto::SecureRandom& random) {
  if (!config::is_name(name))
    throw StartupError("\"" + std::string(name) +
                       "\" is not a name; allowed: 1 to 64 letters, digits, '.', '_' or '-', the "
                       "first a letter or digit");
  Keystore out;
  out.contents_.description.name = name;
  out.master_ = Secret32::random(random);
  out.root_ = Secret32::random(random);
  const Secret32 seed = Secret32::random(random), transport = Secret32::random(random);
  Secret64 secret = joined(seed, transport);
  out.contents_.description.held.push_back(public_half(1, secret));
  out.secrets_.push_back(std::move(secret));
  out.seal_entries(random);
  return out;
}

/// Seals the root and all keys under the master key again.
void Keystore::seal_entries(crypto::SecureRandom& random) {
  const Description& is = contents_.description;
  const Secret32 key = entry_key(master_);
  contents_.sealed_root = seal_secret(key, root_, associated_data(is.name), random);
  contents_.sealed_keys.clear();
  for (std::size_t i = 0; i < secrets_.size(); ++i)
    contents_.sealed_keys.push_back(
        seal_secret(key, secrets_[i], associated_data(is.name, is.held[i]), random));
}

Keystore Keystore::open_text(BytesView text, const fs::path& file, const Opener& opener) {
  Parsed parsed = parse_or_throw(text, file);
  Keystore out;
  out.contents_ = std::move(parsed.contents);
  Contents& contents = out.contents_;
  const Description& is = contents.description;
  if (seal_of(opener) != is.sealed_by) refuse_seal(file, is.sealed_by);
  if (is.sealed_by == SealedBy::kNothing) {
    out.master_ = std::move(*std::exchange(contents.bare_master, std::nullopt));
  } else {
    auto master = open_secret<32>(wrapping_key(opener, contents.salt, is.cost),
                                  contents.sealed_master, view_of(header_of(contents)));
    if (!master) throw StartupError(wrong_opener(file, is.sealed_by));
    out.master_ = std::move(*master);
  }
  bool good = is_mac_of(parsed.mac, text.first(parsed.covered), out.master_);
  const Secret32 key = entry_key(out.master_);
  auto root = open_secret<32>(key, contents.sealed_root, associated_data(is.name));
  if (root) out.root_ = std::move(*root);
  good = good && root.has_value();
  for (std::size_t i = 0; i < is.held.size(); ++i) {
    auto secret =
        open_secret<64>(key, contents.sealed_keys[i], associated_data(is.name, is.held[i]));
    if (secret) out.secrets_.push_back(std::move(*secret));
    good = good && secret.has_value();
  }
  if (!good)
    throw StartupError(damaged(file,
                               "was changed by somebody who could not seal it again, or consists "
                               "of parts of two keystores"));
  for (std::size_t i = 0; i < is.held.size(); ++i) {
    const PublicKeys made = public_half(is.held[i].generation, out.secrets_[i]);
    SOTTO_CHECK(made.signing_key == is.held[i].signing_key &&
                    made.transport_key == is.held[i].transport_key,
                "the public half that is sealed with a secret is its own");
  }
  return out;
}

Keystore Keystore::open(const fs::path& folder, const Opener& opener) {
  const crypto::SecretCell text = read_in(folder);
  return open_text({text.data(), text.size()}, file_in(folder), opener);
}

Keystore Keystore::open_backup(const fs::path& file, const Opener& opener) {
  const crypto::SecretCell text = read_backup(file);
  return open_text({text.data(), text.size()}, file, opener);
}

void Keystore::save_new(const fs::path& folder, const Opener& seal,
                        const crypto::PasswordCost& cost, crypto::SecureRandom& random) const {
  refuse_existing(file_in(folder));
  config::make_private_folder(folder);
  Keystore copy = under_new_master(random);
  copy.reseal(seal, cost, random);
  copy.save(folder);
}

void Keystore::save_backup(const fs::path& file, const Opener& seal,
                           const crypto::PasswordCost& cost, crypto::SecureRandom& random) const {
  SOTTO_CHECK(seal_of(seal) != SealedBy::kNothing, "a backup is always sealed");
  refuse_existing(file);
  Keystore copy = under_new_master(random);
  copy.reseal(seal, cost, random);
  write_file(file, copy.contents_, copy.master_);
}

void Keystore::save(const fs::path& folder) const {
  write_file(file_in(folder), contents_, master_);
}

Keystore Keystore::under_new_master(crypto::SecureRandom& random) const {
  Keystore out;
  out.contents_.description = contents_.description;
  for (const Secret64& secret : secrets_)
    out.secrets_.push_back(secret.clone());
  out.root_ = root_.clone();
  out.master_ = Secret32::random(random);
  out.seal_entries(random);
  return out;
}

void Keystore::reseal(const Opener& seal, const crypto::PasswordCost& cost,
                      crypto::SecureRandom& random) {
  contents_.description.sealed_by = seal_of(seal);
  contents_.description.cost = {};
  contents_.salt = {};
  contents_.sealed_master.clear();
  if (std::holds_alternative<Nothing>(seal)) return;
  if (std::holds_alternative<Passphrase>(seal)) {
    contents_.description.cost = cost;
    random.fill(contents_.salt);
  }
  contents_.sealed_master = seal_secret(wrapping_key(seal, contents_.salt, cost), master_,
                                        view_of(header_of(contents_)), random);
}

config::Identity Keystore::identity(std::uint32_t generation) const {
  const auto& held = description().held;
  const auto at = std::ranges::find(held, generation, &PublicKeys::generation);
  SOTTO_CHECK(at != held.end(), "keys of a generation that is not held");
  auto [seed, transport] = halves_of(secrets_[static_cast<std::size_t>(at - held.begin())]);
  return {description().name, crypto::SigningKey::from_seed(seed), std::move(transport),
          at->transport_key};
}

Secret32 Keystore::data_key(std::string_view purpose) const {
  SOTTO_CHECK(config::is_name(purpose), "a purpose is a name");
  return crypto::kdf("SOTTO data key", root_, {view_of(purpose)});
}

void Keystore::rotate(Rotation which, crypto::SecureRandom& random) {
  Description& is = contents_.description;
  if (is.held.size() >= kMaxHeld)
    throw StartupError("this keystore already contains " + std::to_string(kMaxHeld) +
                       " generations of keys; `keys rotate --finish` erases the old ones after the "
                       "roster names the newest");
  auto [seed, transport] = halves_of(secrets_.back());
  if (which != Rotation::kTransport) seed = Secret32::random(random);
  if (which != Rotation::kSigning) transport = Secret32::random(random);
  Secret64 secret = joined(seed, transport);
  is.held.push_back(public_half(is.held.back().generation + 1, secret));
  contents_.sealed_keys.push_back(
      seal_secret(entry_key(master_), secret, associated_data(is.name, is.held.back()), random));
  secrets_.push_back(std::move(secret));
}

void Keystore::retire_old() {
  Description& is = contents_.description;
  is.retired.insert(is.retired.end(), is.held.begin(), is.held.end() - 1);
  if (is.retired.size() > kMaxRetired)
    is.retired.erase(is.retired.begin(),
                     is.retired.end() - static_cast<std::ptrdiff_t>(kMaxRetired));
  is.held.erase(is.held.begin(), is.held.end() - 1);
  contents_.sealed_keys.erase(contents_.sealed_keys.begin(), contents_.sealed_keys.end() - 1);
  secrets_.erase(secrets_.begin(), secrets_.end() - 1);
}

void Keystore::restrict_to_successor() {
  for (PublicKeys& keys : contents_.description.held)
    keys.use = KeyUse::kSuccessorOnly;
}

}  // namespace sotto::identity
