#include "participant/identity/key_file.h"

#include <optional>
#include <string>

#include "common/identity/secret_file.h"
#include "common/storage/atomic_file.h"

namespace sotto::participant {

crypto::Secret32 read_key_file(const std::filesystem::path& file, std::string_view where_from) {
  constexpr std::size_t kDigits = 64;
  const crypto::SecretCell text = config::read_secret_file(file, where_from);
  const BytesView view(text.data(), text.size());
  auto key = view.size() == kDigits + 1 && view.back() == '\n'
                 ? config::secret_from_hex(view.first(kDigits))
                 : std::nullopt;
  if (!key)
    throw StartupError(file.string() + ":1:1: not a key: one line of 64 digits 0-9a-f is needed");
  return std::move(*key);
}

crypto::Secret32 make_key_file(const std::filesystem::path& file, std::string_view what_then,
                               crypto::SecureRandom& random) {
  if (std::filesystem::exists(file))
    throw StartupError(file.string() + " already exists; " + std::string(what_then));
  crypto::Secret32 key = crypto::Secret32::random(random);
  const crypto::Secret64 hex = config::secret_to_hex(key);
  storage::write_file_atomically(file, {BytesView(hex.expose()), view_of("\n")},
                                 storage::FileAccess::kOwnerOnly)
      .or_stop();
  return key;
}

}  // namespace sotto::participant
