// The commands and options of a program. This header is all that other files know of CLI11, whose
// templates take seconds to compile: only command.cc reads them.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace sotto::cli {

/// A handle of one option. Its Command owns it. Each function returns the same handle, so that
/// calls can be written one after another.
class Option {
 public:
  explicit Option(CLI::Option& option) : option_(option) {}  // for command.cc

  Option(const Option&) = delete;
  Option& operator=(const Option&) = delete;

  /// Makes it a usage error to leave the option out.
  Option* required();
  /// Shows the value that the variable has now as the default in the help text.
  Option* capture_default_str();
  /// Determines whether one use of an option of a list takes all words up to the next option.
  Option* allow_extra_args(bool allowed);
  /// Splits each word at this character into several values of a list.
  Option* delimiter(char separator);
  /// Makes it a usage error to give this option together with the option of that name, which must
  /// exist.
  Option* excludes(const std::string& name);
  /// Makes every value below `least` or above `most` a usage error. The help text names the type of
  /// the bounds.
  Option* in_range(int least, int most);
  Option* in_range(std::uint32_t least, std::uint32_t most);
  Option* in_range(double least, double most);
  /// Makes every value but these a usage error.
  Option* one_of(const std::vector<std::string>& values);

 private:
  CLI::Option& option_;
};

/// A handle of a program or of one of its commands. A program owns the Command that it constructs
/// with a description; that one owns its commands and options, directly or through its commands, so
/// that every pointer from here is valid until the program's Command is destroyed. The variables of
/// the options belong to the caller, must outlive the program's Command::parse, and are written
/// there.
///
/// All functions must be called from one thread. Functions other than parse throw an exception that
/// is derived from std::runtime_error on an error of the program itself: a name that is malformed,
/// given twice or missing.
class Command {
 public:
  /// Makes the command of the program itself.
  explicit Command(const std::string& description);
  explicit Command(CLI::App& command);  // for command.cc
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  ~Command();

  Command* add_subcommand(const std::string& name, const std::string& description);
  /// Returns a handle of the command that add_subcommand has added.
  Command* get_subcommand(const std::string& name);
  /// Makes it a usage error to name fewer or more commands below this one.
  void require_subcommand(int number);

  /// Adds an option that stores its value in `value`. A name without dashes makes a positional
  /// argument.
  Option* add_option(const std::string& name, std::string& value, const std::string& description);
  Option* add_option(const std::string& name, std::vector<std::string>& values,
                     const std::string& description);
  Option* add_option(const std::string& name, std::uint32_t& value, const std::string& description);
  Option* add_option(const std::string& name, std::uint64_t& value, const std::string& description);
  Option* add_option(const std::string& name, double& value, const std::string& description);
  /// Adds an option without a value, which stores true.
  Option* add_flag(const std::string& name, bool& value, const std::string& description);
  /// Adds an option that prints `version` and ends the program.
  void set_version_flag(const std::string& name, const std::string& version);

  /// Sets what parse calls when the command line names this command.
  void callback(std::function<void()> function);

  /// Reads the command line, stores the values and calls the callbacks. Returns no value
  /// afterwards. If there is nothing to call, it has printed why and returns the exit code of the
  /// program: 0 after the help text or the version, on standard output, and 2 after a usage error,
  /// on standard error. Passes on what a callback throws.
  std::optional<int> parse(int argc, const char* const* argv);

 private:
  Option* keep(CLI::Option* option);
  Command* keep(CLI::App* command);

  std::unique_ptr<CLI::App> program_;  // null unless this is the command of the program
  CLI::App& command_;
  std::list<Command> commands_;
  std::list<Option> options_;
};

}  // namespace sotto::cli
