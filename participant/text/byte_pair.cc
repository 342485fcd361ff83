#include "participant/text/byte_pair.h"

#include <array>
#include <cstdio>
#include <queue>
#include <tuple>

#include "participant/text/unicode.h"

namespace sotto::text {
namespace {

std::uint64_t key_of(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

std::string byte_token(char byte) {
  std::array<char, 8> out{};
  std::snprintf(out.data(), out.size(), "<0x%02X>",
                static_cast<unsigned>(static_cast<unsigned char>(byte)));
  return out.data();
}

}  // namespace

Result<BytePairs> BytePairs::create(Vocabulary vocabulary,
                                    const std::vector<std::pair<std::string, std::string>>& merges,
                                    const BytePairRules& rules) {
  BytePairs out;
  out.vocabulary_ = std::move(vocabulary);
  out.rules_ = rules;
  out.merges_.reserve(merges.size());
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    const auto a = out.vocabulary_.find(left), b = out.vocabulary_.find(right);
    const auto joined = out.vocabulary_.find(left + right);
    if (!a || !b || !joined)
      return Error{"merge " + std::to_string(rank + 1) + " (" + left + " " + right +
                   "): its parts and what they make must be tokens"};
    out.merges_.try_emplace(key_of(*a, *b), Merge{static_cast<std::uint32_t>(rank), *joined});
  }
  return out;
}

const BytePairs::Merge* BytePairs::merge_of(std::int32_t left, std::int32_t right) const {
  const auto at = merges_.find(key_of(left, right));
  return at == merges_.end() ? nullptr : &at->second;
}

/// Returns one symbol for each character, before any merge.
std::vector<std::int32_t> BytePairs::symbols_of(std::string_view word) const {
  std::vector<std::int32_t> symbols;
  bool after_unknown = false;
  for (const char32_t character : characters_of(word)) {
    std::string one;
    append(one, character);
    if (const auto id = vocabulary_.find(one)) {
      symbols.push_back(*id);
      after_unknown = false;
      continue;
    }
    std::vector<std::int32_t> bytes;
    for (const char byte : one)
      if (const auto id = rules_.byte_fallback ? vocabulary_.find(byte_token(byte)) : std::nullopt)
        bytes.push_back(*id);
    if (bytes.size() == one.size()) {
      symbols.insert(symbols.end(), bytes.begin(), bytes.end());
      after_unknown = false;
    } else if (rules_.unknown) {
      if (!(after_unknown && rules_.fuse_unknown)) symbols.push_back(*rules_.unknown);
      after_unknown = true;
    }
  }
  return symbols;
}

void BytePairs::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (rules_.ignore_merges)
    if (const auto whole = vocabulary_.find(word)) return ids.push_back(*whole);
  std::vector<std::int32_t> symbols = symbols_of(word);
  // A linked list of the remaining symbols; a merged pair is stored at its left position.
  constexpr std::int32_t kGone = -1;
  const std::size_t n = symbols.size();
  std::vector<std::size_t> next(n), previous(n);
  for (std::size_t i = 0; i < n; ++i) {
    next[i] = i + 1;
    previous[i] = i == 0 ? n : i - 1;
  }

  struct Candidate {
    std::uint32_t rank = 0;
    std::size_t at = 0;
    std::int32_t left = 0, right = 0;  // the symbols when the candidate was found

    bool operator>(const Candidate& other) const {
      return std::tie(rank, at) > std::tie(other.rank, other.at);
    }
  };

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto consider = [&](std::size_t at) {
    if (at >= n || next[at] >= n) return;
    if (const Merge* merge = merge_of(symbols[at], symbols[next[at]]))
      queue.push({merge->rank, at, symbols[at], symbols[next[at]]});
  };
  for (std::size_t i = 0; i + 1 < n; ++i)
    consider(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    const std::size_t right = next[best.at];
    if (symbols[best.at] != best.left || right >= n || symbols[right] != best.right) continue;
    symbols[best.at] = merge_of(best.left, best.right)->result;
    symbols[right] = kGone;
    next[best.at] = next[right];
    if (next[right] < n) previous[next[right]] = best.at;
    consider(best.at);
    consider(previous[best.at]);
  }
  for (std::size_t i = 0; i < n; i = next[i])
    ids.push_back(symbols[i]);
}

}  // namespace sotto::text
