// Asks the person at the terminal a question.
#pragma once

#include <optional>
#include <string>

namespace sotto::cli {

/// Shows `prompt` at the terminal of this process (/dev/tty), whatever its standard input is, and
/// returns the line that it reads there, without its line feed. Returns nothing when there is no
/// terminal.
std::optional<std::string> ask_at_terminal(const std::string& prompt);

}  // namespace sotto::cli
