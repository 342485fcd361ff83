#include "common/config/identity.h"

#include <array>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>

#include "common/base/result.h"
#include "common/config/fields.h"
#include "common/crypto/key_agreement.h"
#include "common/journal/atomic_file.h"

namespace sotto::config {

namespace {

namespace fs = std::filesystem;

// identity.json is JSON, but written and read here piece by piece: a JSON library would leave
// copies of the keys in ordinary memory. Only what we wrote ourselves is accepted.
constexpr std::string_view kBeforeName = "{\n  \"format\": \"sotto identity 1\",\n  \"name\": \"";
constexpr std::string_view kBeforeSeed = "\",\n  \"signing_seed\": \"";
constexpr std::string_view kBeforeTransport = "\",\n  \"transport_secret\": \"";
constexpr std::string_view kEnd = "\"\n}\n";

fs::path file_in(const fs::path& folder) {
  return folder / "identity.json";
}

/// Lower-case hexadecimal without branches or look-ups on the secret.
crypto::Secret64 secret_to_hex(const crypto::Secret32& secret) {
  crypto::Secret64 out;
  const auto digit = [](int nibble) {
    return static_cast<std::uint8_t>(nibble + '0' + (((9 - nibble) >> 8) & ('a' - '0' - 10)));
  };
  for (std::size_t i = 0; i < 32; ++i) {
    const int byte = secret.expose()[i];
    out.writable()[2 * i] = digit(byte >> 4);
    out.writable()[2 * i + 1] = digit(byte & 15);
  }
  return out;
}

/// The value of a lower-case digit, or a number with bit 8 set; without branches on it.
unsigned nibble_of(std::uint8_t character) {
  const int c = character;
  const int is_digit = (('0' - 1 - c) & (c - '9' - 1)) >> 8;   // all ones or zero
  const int is_letter = (('a' - 1 - c) & (c - 'f' - 1)) >> 8;  // all ones or zero
  const int value = (is_digit & (c - '0')) | (is_letter & (c - 'a' + 10));
  return static_cast<unsigned>(value | (~(is_digit | is_letter) & 0x100));
}

/// Takes the file apart; any surprise makes ok() false.
class IdentityReader {
 public:
  explicit IdentityReader(BytesView text) : text_(text) {}

  void expect(std::string_view literal) {
    const BytesView part = take(literal.size());
    const BytesView wanted = view_of(literal);
    ok_ = ok_ && std::equal(part.begin(), part.end(), wanted.begin(), wanted.end());
  }

  std::string name() {
    std::size_t length = 0;
    while (length < text_.size() && text_[length] != '"')
      ++length;
    const BytesView part = take(length);
    std::string out(part.begin(), part.end());
    ok_ = ok_ && is_name(out);
    return out;
  }

  crypto::Secret32 secret() {
    crypto::Secret32 out;
    const BytesView hex = take(64);
    unsigned faults = 0;
    for (std::size_t i = 0; i < hex.size() / 2; ++i) {
      const unsigned high = nibble_of(hex[2 * i]), low = nibble_of(hex[2 * i + 1]);
      faults |= high | low;
      out.writable()[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    ok_ = ok_ && (faults & 0x100) == 0;
    return out;
  }

  [[nodiscard]] bool finished() const { return ok_ && text_.empty(); }

 private:
  BytesView take(std::size_t count) {
    ok_ = ok_ && count <= text_.size();
    if (!ok_) return {};
    const BytesView part = text_.first(count);
    text_ = text_.subspan(count);
    return part;
  }

  BytesView text_;
  bool ok_ = true;
};

std::string octal(mode_t mode) {
  std::array<char, 8> out{};
  std::snprintf(out.data(), out.size(), "%04o", static_cast<unsigned>(mode & 07777));
  return out.data();
}

void check_folder(const fs::path& folder) {
  struct stat status {};

  if (::stat(folder.c_str(), &status) != 0)
    throw StartupError(journal::system_error("cannot read " + folder.string()).message);
  if ((status.st_mode & 022) != 0)
    throw StartupError(folder.string() + " can be written by others (mode " +
                       octal(status.st_mode) + "); run: chmod 700 " + folder.string());
}

/// The bytes of the file in guarded memory, after a look at who else may read it.
crypto::SecretCell read_guarded(const fs::path& file) {
  const journal::FileDescriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));

  struct stat status {};

  if (!in.is_open() || ::fstat(in.get(), &status) != 0)
    throw StartupError(journal::system_error("cannot read " + file.string()).message +
                       "; `init` makes an identity");
  if ((status.st_mode & 077) != 0)
    throw StartupError(file.string() + " holds secret keys and is open to others (mode " +
                       octal(status.st_mode) + "); run: chmod 600 " + file.string());
  constexpr off_t kMaxBytes = 1024;
  if (!S_ISREG(status.st_mode) || status.st_size == 0 || status.st_size > kMaxBytes)
    throw StartupError(file.string() + " is not an identity file");
  crypto::SecretCell text(static_cast<std::size_t>(status.st_size));
  const Result<std::size_t> read = journal::read_at(in, {text.data(), text.size()}, 0);
  if (!read || *read != text.size()) throw StartupError(file.string() + " cannot be read whole");
  return text;
}

Bytes32 transport_public_of(const crypto::Secret32& secret) {
  return crypto::AgreementKey(secret.clone()).public_key();
}

}  // namespace

Identity make_identity(std::string_view name, crypto::SecureRandom& random) {
  if (!is_name(name))
    throw StartupError("\"" + std::string(name) +
                       "\" is no name; allowed: 1 to 64 letters, digits, '.', '_' or '-', the "
                       "first a letter or digit");
  crypto::SigningKey signing = crypto::SigningKey::generate(random);
  crypto::Secret32 transport = crypto::Secret32::random(random);
  const Bytes32 transport_public = transport_public_of(transport);
  return {std::string(name), std::move(signing), std::move(transport), transport_public};
}

void save_identity(const fs::path& folder, const Identity& identity) {
  const fs::path file = file_in(folder);
  std::error_code error;
  if (fs::exists(fs::symlink_status(file, error)))
    throw StartupError(file.string() +
                       " exists: keys are never overwritten; choose another folder, or move this "
                       "one away if its keys are to be given up");
  if (!fs::is_directory(folder)) {
    fs::create_directories(folder, error);
    if (!error) fs::permissions(folder, fs::perms::owner_all, error);
    if (error) throw StartupError("cannot make " + folder.string() + ": " + error.message());
  }
  check_folder(folder);
  const crypto::Secret64 seed = secret_to_hex(identity.signing.seed());
  const crypto::Secret64 transport = secret_to_hex(identity.transport_secret);
  const Status written = journal::write_file_atomically(
      file,
      {view_of(kBeforeName), view_of(identity.name), view_of(kBeforeSeed), seed.expose(),
       view_of(kBeforeTransport), transport.expose(), view_of(kEnd)},
      journal::FileAccess::kOwnerOnly);
  if (!written.ok()) throw StartupError(written.error().message);
}

Identity load_identity(const fs::path& folder) {
  const fs::path file = file_in(folder);
  const crypto::SecretCell text = read_guarded(file);
  check_folder(folder);
  IdentityReader reader({text.data(), text.size()});
  reader.expect(kBeforeName);
  std::string name = reader.name();
  reader.expect(kBeforeSeed);
  const crypto::Secret32 seed = reader.secret();
  reader.expect(kBeforeTransport);
  crypto::Secret32 transport = reader.secret();
  reader.expect(kEnd);
  if (!reader.finished())
    throw StartupError(file.string() + " is damaged or was edited; restore it from a copy");
  const Bytes32 transport_public = transport_public_of(transport);
  return {std::move(name), crypto::SigningKey::from_seed(seed), std::move(transport),
          transport_public};
}

Card card_of(const Identity& identity) {
  Card card{.name = identity.name,
            .signing_key = identity.signing.verify_key(),
            .transport_key = identity.transport_public};
  card.signature = identity.signing.sign(card.signed_bytes());
  return card;
}

}  // namespace sotto::config
