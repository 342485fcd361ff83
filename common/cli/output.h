// The rule for what commands write: nothing takes the place of what lies there unless --force says
// so, and a result that could not be written is not a success.
#pragma once

#include <filesystem>
#include <functional>

namespace sotto::cli {

class Command;

/// Adds --force, which permits a command to replace what lies at the place of its output.
void add_force_option(Command& command, bool& force);

/// Throws a StartupError that names `file` where it exists, unless `force`.
void require_new_file(const std::filesystem::path& file, bool force);
/// Throws a StartupError that names `folder` where it exists and is not empty, unless `force`.
void require_new_folder(const std::filesystem::path& folder, bool force);

/// Runs the body of a program's main and returns its exit code: what `body` returns; 2 with one
/// line on standard error for a StartupError, 1 for another exception, and 1 where standard output
/// could not be written (a full disk, a closed pipe) although the body succeeded. `program` is the
/// name in these lines.
int run_program(const char* program, const std::function<int()>& body);

}  // namespace sotto::cli
