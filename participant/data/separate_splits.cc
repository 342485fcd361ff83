#include "participant/data/separate_splits.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace sotto::data {
namespace {

constexpr const char* kReason =
    "; the guarantee does not cover the evaluation split, which needs examples of its own";

bool have_the_same_content(const std::filesystem::path& one, const std::filesystem::path& other) {
  std::error_code failed;
  const auto size = std::filesystem::file_size(one, failed);
  if (failed || size == 0 || size != std::filesystem::file_size(other, failed) || failed)
    return false;
  std::ifstream a(one, std::ios::binary), b(other, std::ios::binary);
  std::vector<char> of_a(std::size_t{1} << 16), of_b(of_a.size());
  for (std::uintmax_t left = size; left > 0;) {
    const auto part = static_cast<std::streamsize>(std::min<std::uintmax_t>(left, of_a.size()));
    if (!a.read(of_a.data(), part) || !b.read(of_b.data(), part)) return false;
    if (!std::equal(of_a.begin(), of_a.begin() + part, of_b.begin())) return false;
    left -= static_cast<std::uintmax_t>(part);
  }
  return true;
}

/// Returns the hashes of the texts, sorted.
std::vector<std::size_t> hashes_of(const Examples& examples) {
  std::vector<std::size_t> out;
  const auto reader = examples.source().reader(Purpose::kCheck);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const auto example = reader->read(i);
    if (!example.ok()) continue;
    std::string text(example->text);
    for (const std::string_view word : example->words)
      text.append(word).append("\n");
    out.push_back(std::hash<std::string>{}(text));
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace

Status check_separate_files(const std::filesystem::path& train,
                            const std::filesystem::path& evaluation) {
  std::error_code ignored;
  if (!std::filesystem::equivalent(train, evaluation, ignored)) return {};
  return Error{"data.evaluation, " + evaluation.string() + ", is the same file as data.train, " +
               train.string() + kReason};
}

Status check_different_content(const std::filesystem::path& train,
                               const std::filesystem::path& evaluation) {
  if (!have_the_same_content(train, evaluation)) return {};
  return Error{"data.evaluation, " + evaluation.string() +
               ", has the same content as data.train, " + train.string() + kReason};
}

std::uint64_t shared_examples(const Examples& train, const Examples& evaluation) {
  if (!train.source().is_plain() || !evaluation.source().is_plain()) return 0;
  const std::vector<std::size_t> known = hashes_of(train), asked = hashes_of(evaluation);
  return static_cast<std::uint64_t>(std::ranges::count_if(
      asked, [&known](std::size_t text) { return std::ranges::binary_search(known, text); }));
}

}  // namespace sotto::data
