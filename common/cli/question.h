// A question to the person at the terminal.
#pragma once

#include <optional>
#include <string>

namespace sotto::command {

/// Shows `prompt` at the terminal of this process (/dev/tty), whatever its standard input is, and
/// reads a line there; without its line feed. Nothing where there is no terminal.
std::optional<std::string> ask_at_terminal(const std::string& prompt);

}  // namespace sotto::command
