#include "common/cli/passphrase.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/result.h"
#include "common/base/utf8.h"
#include "common/identity/secret_file.h"
#include "common/storage/atomic_file.h"
#include "common/storage/file_descriptor.h"

namespace sotto::cli {

namespace {

namespace fs = std::filesystem;
using storage::FileDescriptor;

constexpr std::uint8_t kInterrupt = 3;  // Ctrl-C
constexpr std::size_t kKeyDigits = 64;
constexpr std::size_t kFewCharacters = 8;

/// Reads up to `size` bytes, at most to the end of the input or of a line. Returns their number.
std::size_t read_some(const FileDescriptor& in, std::uint8_t* out, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(in.get(), out + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
    if (out[done - 1] == '\n' || out[done - 1] == kInterrupt) break;
  }
  return done;
}

/// Returns the text of the line in a cell of its size.
identity::Passphrase line_of(const crypto::SecretCell& buffer, std::size_t size,
                             const std::string& from) {
  BytesView text(buffer.data(), size);
  if (!text.empty() && text.back() == '\n') text = text.first(text.size() - 1);
  if (!text.empty() && text.back() == '\r') text = text.first(text.size() - 1);
  if (text.empty())
    throw StartupError(from + ": the passphrase is empty and would protect nothing");
  if (text.size() > identity::kMaxPassphraseBytes)
    throw StartupError(from + ": a passphrase may have at most " +
                       std::to_string(identity::kMaxPassphraseBytes) + " bytes");
  if (std::ranges::find_if(text, [](std::uint8_t c) { return c < ' '; }) != text.end())
    throw StartupError(from + ": a passphrase must be one line without control characters");
  identity::Passphrase out{crypto::SecretCell(text.size())};
  std::ranges::copy(text, out.text.data());
  return out;
}

/// SilentTerminal turns the terminal's echo off while it lives. Ctrl-C ends the line, so that it
/// cannot end the process with the echo turned off.
class SilentTerminal {
 public:
  explicit SilentTerminal(const FileDescriptor& terminal) : terminal_(&terminal) {
    if (::tcgetattr(terminal.get(), &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    silent.c_lflag |= ECHONL | ICANON;
    silent.c_cc[VEOL] = kInterrupt;
    is_silent_ = ::tcsetattr(terminal.get(), TCSAFLUSH, &silent) == 0;
  }

  ~SilentTerminal() {
    if (is_silent_) ::tcsetattr(terminal_->get(), TCSAFLUSH, &before_);
  }

  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;

  [[nodiscard]] bool is_silent() const { return is_silent_; }

 private:
  const FileDescriptor* terminal_;
  termios before_{};
  bool is_silent_ = false;
};

void print(const FileDescriptor& terminal, std::string_view text) {
  if (::write(terminal.get(), text.data(), text.size()) < 0)
    throw StartupError(storage::system_error("cannot write to the terminal").message);
}

}  // namespace

identity::Passphrase read_passphrase(const fs::path& file) {
  const FileDescriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));

  struct stat status {};

  if (!in.is_open() || ::fstat(in.get(), &status) != 0)
    throw StartupError(storage::system_error("cannot read " + file.string()).message);
  if (S_ISREG(status.st_mode) && (status.st_mode & 077) != 0)
    throw StartupError(file.string() +
                       " contains a passphrase and other users can read it; run: chmod 600 " +
                       file.string());
  if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode))
    throw StartupError(file.string() + " is neither a file nor a pipe");
  // The buffer is larger than the limit, so that a line that is too long is detected and not cut.
  const crypto::SecretCell buffer(2 * identity::kMaxPassphraseBytes);
  std::size_t size = 0;
  while (size < buffer.size()) {
    const std::size_t more = read_some(in, buffer.data() + size, buffer.size() - size);
    if (more == 0) break;
    size += more;
  }
  return line_of(buffer, size, file.string());
}

identity::Passphrase ask_passphrase(std::string_view prompt, std::string_view where_else) {
  const FileDescriptor terminal(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.is_open())
    throw StartupError("a passphrase is needed, but there is no terminal to ask for it; " +
                       std::string(where_else));
  const SilentTerminal silent(terminal);
  if (!silent.is_silent())
    throw StartupError("the passphrase was not read, because this terminal would show it");
  print(terminal, std::string(prompt) + ": ");
  const crypto::SecretCell buffer(2 * identity::kMaxPassphraseBytes);
  const std::size_t size = read_some(terminal, buffer.data(), buffer.size());
  if (size > 0 && buffer.data()[size - 1] == kInterrupt) {
    print(terminal, "\n");
    throw StartupError("interrupted; nothing was changed");
  }
  return line_of(buffer, size, "terminal");
}

identity::Passphrase ask_new_passphrase(std::string_view what, std::string_view where_else) {
  identity::Passphrase first =
      ask_passphrase("new passphrase for " + std::string(what), where_else);
  const identity::Passphrase again = ask_passphrase("the same passphrase again", where_else);
  if (!crypto::constant_time_equal({first.text.data(), first.text.size()},
                                   {again.text.data(), again.text.size()}))
    throw StartupError("the two passphrases differ; nothing was changed");
  return first;
}

std::optional<std::string> weakness_of(const identity::Passphrase& passphrase) {
  const std::uint8_t* const text = passphrase.text.data();
  // Counts the code points without a copy of the text: every byte that does not continue a code
  // point begins one.
  const auto characters = std::count_if(text, text + passphrase.text.size(),
                                        [](std::uint8_t c) { return (c & 0xC0) != 0x80; });
  if (characters >= static_cast<std::ptrdiff_t>(kFewCharacters)) return std::nullopt;
  return "the passphrase has " + std::to_string(characters) +
         " characters; passphrases of fewer than " + std::to_string(kFewCharacters) +
         " characters can be guessed in hours. Use six words drawn at random";
}

identity::KeyFile read_key_file(const fs::path& file) {
  const crypto::SecretCell text =
      config::read_secret_file(file, "create one with `keys seal --new-key-file`");
  const BytesView view(text.data(), text.size());
  auto key = view.size() == kKeyDigits + 1 && view.back() == '\n'
                 ? config::secret_from_hex(view.first(kKeyDigits))
                 : std::nullopt;
  if (!key)
    throw StartupError(file.string() + " is not a key file; it must be a line of 64 digits 0-9a-f");
  return {std::move(*key)};
}

identity::KeyFile make_key_file(const fs::path& file, crypto::SecureRandom& random) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(file, error)))
    throw StartupError(file.string() + " exists, and keys are never overwritten");
  identity::KeyFile out{crypto::Secret32::random(random)};
  const crypto::Secret64 digits = config::secret_to_hex(out.key);
  const Status written = storage::write_file_atomically(file, {digits.expose(), view_of("\n")},
                                                        storage::FileAccess::kOwnerOnly);
  if (!written.ok()) throw StartupError(written.error().message);
  return out;
}

}  // namespace sotto::cli
