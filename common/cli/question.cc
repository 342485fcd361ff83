#include "common/cli/question.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "common/base/result.h"
#include "common/storage/file_descriptor.h"

namespace sotto::cli {

std::optional<std::string> ask_at_terminal(const std::string& prompt) {
  const storage::FileDescriptor terminal(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.is_open()) return std::nullopt;
  if (::write(terminal.get(), prompt.data(), prompt.size()) < 0)
    throw StartupError(storage::system_error("cannot write to the terminal").message);
  constexpr std::size_t kLongest = 1000;
  std::string line;
  for (char c = 0; line.size() < kLongest; line.push_back(c)) {
    const ssize_t n = ::read(terminal.get(), &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || c == '\n') break;
  }
  return line;
}

}  // namespace sotto::cli
