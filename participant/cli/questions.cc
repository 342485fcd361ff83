#include "participant/cli/questions.h"

#include <charconv>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "common/base/result.h"
#include "common/cli/question.h"

namespace sotto::participant {
namespace {

/// Returns the value of the whole text; throws a StartupError when it is none in the range.
template <class T>
T value_in(const std::string& text, const char* option, T least, T most, const char* kind) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() ||
      !(value >= least && value <= most))
    throw StartupError(std::string(option) + ": found " + text + "; allowed: " + kind + " from " +
                       nlohmann::json(least).dump() + " to " + nlohmann::json(most).dump());
  return value;
}

}  // namespace

std::string needed(const std::string& given, const char* option, const std::string& question) {
  if (!given.empty()) return given;
  if (isatty(STDIN_FILENO) != 0)
    if (const auto answer = cli::ask_at_terminal(question + ": "); answer && !answer->empty())
      return *answer;
  throw StartupError("give " + std::string(option) + " (" + question + ")");
}

double number_in(const std::string& text, const char* option, double least, double most) {
  return value_in(text, option, least, most, "a number");
}

std::uint64_t count_in(const std::string& text, const char* option, std::uint64_t least,
                       std::uint64_t most) {
  return value_in(text, option, least, most, "an integer");
}

std::string folder_name(const std::filesystem::path& folder) {
  const std::filesystem::path path = std::filesystem::absolute(folder / "").lexically_normal();
  return path.parent_path().filename().string();
}

}  // namespace sotto::participant
