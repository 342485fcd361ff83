#include "common/cli/output.h"

#include <cerrno>
#include <cstdio>
#include <exception>
#include <system_error>

#include "common/base/result.h"
#include "common/cli/command.h"
#include "common/crypto/secret.h"

namespace sotto::cli {

namespace {

int outcome_of(const char* program, const std::function<int()>& body) {
  try {
    crypto::initialize_process();
    return body();
  } catch (const StartupError& e) {
    std::fprintf(stderr, "%s: %s\n", program, e.what());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: unexpected error: %s\n", program, e.what());
    return 1;
  }
}

}  // namespace

void add_force_option(Command& command, bool& force) {
  command.add_flag("--force", force, "Replace what lies at the place of the output");
}

void require_new_file(const std::filesystem::path& file, bool force) {
  std::error_code ignored;
  if (!force && std::filesystem::exists(std::filesystem::symlink_status(file, ignored)))
    throw StartupError(file.string() +
                       " exists already; choose another place, or give --force to replace it");
}

void require_new_folder(const std::filesystem::path& folder, bool force) {
  std::error_code ignored;
  if (force || !std::filesystem::exists(folder, ignored)) return;
  if (!std::filesystem::is_directory(folder, ignored))
    throw StartupError(folder.string() + " is a file; --out needs a folder");
  if (!std::filesystem::is_empty(folder, ignored))
    throw StartupError(folder.string() +
                       " holds files already; choose another place, or give --force to replace "
                       "those of the same names");
}

int run_program(const char* program, const std::function<int()>& body) {
  const int code = outcome_of(program, body);
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (flushed && std::ferror(stdout) == 0) return code;
  std::fprintf(stderr, "%s: standard output could not be written completely%s%s\n", program,
               flushed ? "" : ": ", flushed ? "" : std::generic_category().message(errno).c_str());
  return code == 0 ? 1 : code;
}

}  // namespace sotto::cli
