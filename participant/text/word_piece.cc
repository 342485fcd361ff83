#include "participant/text/word_piece.h"

namespace sotto::text {
namespace {

/// Returns the byte offsets after each character of valid UTF-8.
std::vector<std::size_t> ends_of_characters(std::string_view word) {
  std::vector<std::size_t> ends;
  for (std::size_t at = 1; at <= word.size(); ++at)
    if (at == word.size() || (static_cast<unsigned char>(word[at]) & 0xC0U) != 0x80U)
      ends.push_back(at);
  return ends;
}

}  // namespace

void WordPieces::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  const std::vector<std::size_t> ends = ends_of_characters(word);
  if (ends.size() > rules_.longest_word) return ids.push_back(rules_.unknown);
  const std::size_t before = ids.size();
  std::string candidate;
  for (std::size_t start = 0; start < word.size();) {
    std::optional<std::int32_t> match;
    for (auto end = ends.rbegin(); end != ends.rend() && *end > start && !match; ++end) {
      candidate.assign(start == 0 ? "" : rules_.prefix).append(word.substr(start, *end - start));
      match = vocabulary_.find(candidate);
      if (match) {
        ids.push_back(*match);
        start = *end;
      }
    }
    if (match) continue;
    ids.resize(before);  // one unknown piece makes the whole word unknown
    return ids.push_back(rules_.unknown);
  }
}

}  // namespace sotto::text
