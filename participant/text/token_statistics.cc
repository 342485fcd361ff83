#include "participant/text/token_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace sotto::text {
namespace {

constexpr double kManyUnknown = 0.2;

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

}  // namespace

TokenStatistics::TokenStatistics(const Tokenizer& tokenizer, std::size_t max_length)
    : frame_(tokenizer.frame()), max_length_(max_length) {
  for (const char* token : {"[UNK]", "<unk>"})
    if (const auto id = tokenizer.find(token)) unknown_ids_.push_back(*id);
}

void TokenStatistics::add(std::span<const std::int32_t> ids, std::size_t length) {
  const std::size_t framed = std::min(frame_, ids.size());
  lengths_.push_back(static_cast<std::uint32_t>(length));
  cut_ += length > max_length_ ? 1 : 0;
  empty_ += length <= frame_ ? 1 : 0;
  tokens_ += ids.size() - framed;
  for (const std::int32_t unknown : unknown_ids_)
    unknown_ += static_cast<std::uint64_t>(std::ranges::count(ids, unknown));
}

double TokenStatistics::unknown_share() const {
  return tokens_ == 0 ? 0 : static_cast<double>(unknown_) / static_cast<double>(tokens_);
}

std::size_t TokenStatistics::length_at(double part) const {
  if (lengths_.empty()) return 0;
  std::vector<std::uint32_t> sorted = lengths_;
  std::ranges::sort(sorted);
  const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

std::vector<std::string> TokenStatistics::warnings() const {
  std::vector<std::string> out;
  const auto of_all = [this](std::uint64_t count) {
    return std::to_string(count) + " of " + std::to_string(texts()) + " texts";
  };
  if (cut_ > 0)
    out.push_back(of_all(cut_) + " are longer than model.max_length, " +
                  std::to_string(max_length_) + " tokens, and are cut; the longest has " +
                  std::to_string(length_at(1)));
  if (empty_ > 0) out.push_back(of_all(empty_) + " have no token of the model's vocabulary");
  if (unknown_share() > kManyUnknown)
    out.push_back(percent(unknown_share()) +
                  " of the tokens are unknown to the model's vocabulary; the model may be one for "
                  "another language or another kind of text");
  return out;
}

}  // namespace sotto::text
