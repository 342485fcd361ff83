#include "participant/identity/preshared_keys.h"

#include <algorithm>
#include <string>

#include "common/base/result.h"
#include "common/config/fields.h"
#include "common/identity/secret_file.h"
#include "common/storage/atomic_file.h"

namespace sotto::participant {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHowToGetOne = "`preshared` creates or imports a key";
constexpr std::size_t kKeyDigits = 64;

fs::path file_of(const fs::path& folder, std::string_view peer) {
  if (!config::is_name(peer))
    throw StartupError("\"" + std::string(peer) + "\" is not the name of a member");
  return folder / "preshared" / (std::string(peer) + ".key");
}

crypto::Secret32 read_key(const fs::path& file) {
  const crypto::SecretCell text = config::read_secret_file(file, kHowToGetOne);
  const BytesView bytes(text.data(), text.size());
  auto key = bytes.size() == kKeyDigits + 1 && bytes[kKeyDigits] == '\n'
                 ? config::secret_from_hex(bytes.first(kKeyDigits))
                 : std::nullopt;
  if (!key) throw StartupError(file.string() + " is not a line of 64 hexadecimal digits");
  return std::move(*key);
}

void write_key(const fs::path& file, const crypto::Secret32& key) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(file, error)))
    throw StartupError(
        file.string() +
        " exists, and keys are never overwritten; move it away at both sites to replace it");
  config::make_private_folder(file.parent_path());
  const crypto::Secret64 digits = config::secret_to_hex(key);
  storage::write_file_atomically(file, {digits.expose(), view_of("\n")},
                                 storage::FileAccess::kOwnerOnly)
      .or_stop();
}

}  // namespace

fs::path make_preshared_key(const fs::path& folder, std::string_view peer,
                            crypto::SecureRandom& random) {
  const fs::path file = file_of(folder, peer);
  write_key(file, crypto::Secret32::random(random));
  return file;
}

void import_preshared_key(const fs::path& folder, std::string_view peer, const fs::path& file) {
  write_key(file_of(folder, peer), read_key(file));
}

secagg::PresharedKeys load_preshared_keys(const fs::path& folder, const config::Roster& roster,
                                          MemberId self) {
  secagg::PresharedKeys keys;
  const fs::path inside = folder / "preshared";
  if (!fs::exists(inside)) return keys;
  config::check_private_folder(inside);
  for (const auto& entry : fs::directory_iterator(inside)) {
    const std::string name = entry.path().stem().string();
    const auto member = std::ranges::find(roster.members, name, &config::RosterMember::name);
    if (entry.path().extension() != ".key" || member == roster.members.end() || member->id == self)
      throw StartupError(entry.path().string() +
                         " is not a key with another member of this federation; rename it to "
                         "MEMBER.key, or move it away");
    keys.emplace(member->id, read_key(entry.path()));
  }
  return keys;
}

}  // namespace sotto::participant
