// Values that a command needs and that a person may be asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace sotto::participant {

/// Returns `given`, the value of `option`. If it is empty, a person at the terminal is asked
/// `question`; without a terminal on standard input it throws a StartupError that names the option.
std::string needed(const std::string& given, const char* option, const std::string& question);

/// Returns the number in `text`, which `option` gave. Throws a StartupError with the allowed range
/// if it is not a number from `least` to `most`.
double number_in(const std::string& text, const char* option, double least, double most);

/// The same for whole numbers.
std::uint64_t count_in(const std::string& text, const char* option, std::uint64_t least,
                       std::uint64_t most);

/// Returns the last part of the path of a folder, "." and ".." resolved: the usual name for what is
/// in it.
std::string folder_name(const std::filesystem::path& folder);

}  // namespace sotto::participant
