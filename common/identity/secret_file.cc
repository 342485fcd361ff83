#include "common/identity/secret_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>

#include "common/base/result.h"
#include "common/storage/atomic_file.h"

namespace sotto::config {

namespace fs = std::filesystem;

namespace {

/// Returns the value of a lower-case digit, else a number with bit 8 set. It does not branch on the
/// character.
unsigned nibble_of(std::uint8_t character) {
  const int c = character;
  const int is_digit = (('0' - 1 - c) & (c - '9' - 1)) >> 8;   // all ones or zero
  const int is_letter = (('a' - 1 - c) & (c - 'f' - 1)) >> 8;  // all ones or zero
  const int value = (is_digit & (c - '0')) | (is_letter & (c - 'a' + 10));
  return static_cast<unsigned>(value | (~(is_digit | is_letter) & 0x100));
}

std::string octal(mode_t mode) {
  std::array<char, 8> out{};
  std::snprintf(out.data(), out.size(), "%04o", static_cast<unsigned>(mode & 07777));
  return out.data();
}

}  // namespace

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

std::optional<crypto::Secret32> secret_from_hex(BytesView hex) {
  crypto::Secret32 out;
  if (hex.size() != 64) return std::nullopt;
  unsigned faults = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    const unsigned high = nibble_of(hex[2 * i]), low = nibble_of(hex[2 * i + 1]);
    faults |= high | low;
    out.writable()[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  if ((faults & 0x100) != 0) return std::nullopt;
  return out;
}

void make_private_folder(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder)) {
    fs::create_directories(folder, error);
    if (!error) fs::permissions(folder, fs::perms::owner_all, error);
    if (error) throw StartupError("cannot make " + folder.string() + ": " + error.message());
  }
  check_private_folder(folder);
}

void check_private_folder(const fs::path& folder) {
  struct stat status {};

  if (::stat(folder.c_str(), &status) != 0)
    throw StartupError(storage::system_error("cannot read " + folder.string()).message);
  if ((status.st_mode & 022) != 0)
    throw StartupError("other users can write to " + folder.string() + " (mode " +
                       octal(status.st_mode) + "); run: chmod 700 " + folder.string());
}

crypto::SecretCell read_secret_file(const fs::path& file, std::string_view where_from) {
  const storage::FileDescriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));

  struct stat status {};

  if (!in.is_open() || ::fstat(in.get(), &status) != 0)
    throw StartupError(storage::system_error("cannot read " + file.string()).message + "; " +
                       std::string(where_from));
  if ((status.st_mode & 077) != 0)
    throw StartupError(file.string() + " contains secret keys and other users can read it (mode " +
                       octal(status.st_mode) + "); run: chmod 600 " + file.string());
  constexpr off_t kMaxBytes = 16 << 10;  // the largest SecretCell
  if (!S_ISREG(status.st_mode) || status.st_size == 0 || status.st_size > kMaxBytes)
    throw StartupError(file.string() + " is not a file of keys");
  crypto::SecretCell text(static_cast<std::size_t>(status.st_size));
  const Result<std::size_t> read = storage::read_at(in, {text.data(), text.size()}, 0);
  if (!read || *read != text.size())
    throw StartupError(file.string() + " cannot be read completely");
  return text;
}

}  // namespace sotto::config
