#include "common/cli/command.h"

#include <utility>

#include <CLI/CLI.hpp>

namespace sotto::cli {

Option* Option::required() {
  option_.required();
  return this;
}

Option* Option::capture_default_str() {
  option_.capture_default_str();
  return this;
}

Option* Option::allow_extra_args(bool allowed) {
  option_.allow_extra_args(allowed);
  return this;
}

Option* Option::delimiter(char separator) {
  option_.delimiter(separator);
  return this;
}

Option* Option::excludes(const std::string& name) {
  option_.excludes(name);
  return this;
}

Option* Option::in_range(int least, int most) {
  option_.check(CLI::Range(least, most));
  return this;
}

Option* Option::in_range(std::uint32_t least, std::uint32_t most) {
  option_.check(CLI::Range(least, most));
  return this;
}

Option* Option::in_range(double least, double most) {
  option_.check(CLI::Range(least, most));
  return this;
}

Option* Option::one_of(const std::vector<std::string>& values) {
  option_.check(CLI::IsMember(values));
  return this;
}

Command::Command(const std::string& description)
    : program_(std::make_unique<CLI::App>(description)), command_(*program_) {}

Command::Command(CLI::App& command) : command_(command) {}

Command::~Command() = default;

Command* Command::keep(CLI::App* command) {
  return &commands_.emplace_back(*command);
}

Option* Command::keep(CLI::Option* option) {
  return &options_.emplace_back(*option);
}

Command* Command::add_subcommand(const std::string& name, const std::string& description) {
  return keep(command_.add_subcommand(name, description));
}

Command* Command::get_subcommand(const std::string& name) {
  return keep(command_.get_subcommand(name));
}

void Command::require_subcommand(int number) {
  command_.require_subcommand(number);
}

Option* Command::add_option(const std::string& name, std::string& value,
                            const std::string& description) {
  return keep(command_.add_option(name, value, description));
}

Option* Command::add_option(const std::string& name, std::vector<std::string>& values,
                            const std::string& description) {
  return keep(command_.add_option(name, values, description));
}

Option* Command::add_option(const std::string& name, std::uint32_t& value,
                            const std::string& description) {
  return keep(command_.add_option(name, value, description));
}

Option* Command::add_option(const std::string& name, std::uint64_t& value,
                            const std::string& description) {
  return keep(command_.add_option(name, value, description));
}

Option* Command::add_option(const std::string& name, double& value,
                            const std::string& description) {
  return keep(command_.add_option(name, value, description));
}

Option* Command::add_flag(const std::string& name, bool& value, const std::string& description) {
  return keep(command_.add_flag(name, value, description));
}

void Command::set_version_flag(const std::string& name, const std::string& version) {
  command_.set_version_flag(name, version);
}

void Command::callback(std::function<void()> function) {
  command_.callback(std::move(function));
}

std::optional<int> Command::parse(int argc, const char* const* argv) {
  try {
    command_.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return command_.exit(e) == 0 ? 0 : 2;
  }
  return std::nullopt;
}

}  // namespace sotto::cli
