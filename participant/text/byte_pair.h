// Byte-pair encoding (Sennrich, Haddow, Birch 2016) as current models use it: the symbols of a word
// are merged pair by pair, the pair that was learned first before all others. Immutable; any thread
// may use it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "participant/text/vocabulary.h"

namespace sotto::text {

struct BytePairRules {
  std::optional<std::int32_t> unknown;  // for characters that are no token; none: these are dropped
  bool fuse_unknown = false;            // adjacent unknown characters become one token
  bool byte_fallback = false;           // prefers <0xE2><0x96>... to `unknown`
  bool ignore_merges = false;           // a word that is a token is not built by merges
};

class BytePairs {
 public:
  /// Makes an encoder; `merges` are in the order in which they were learned. An Error names a merge
  /// whose parts or result are not tokens.
  static Result<BytePairs> create(Vocabulary vocabulary,
                                  const std::vector<std::pair<std::string, std::string>>& merges,
                                  const BytePairRules& rules);

  /// Appends the ids of one word; O(n log n) in its characters.
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;

  [[nodiscard]] const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  struct Merge {
    std::uint32_t rank = 0;
    std::int32_t result = 0;
  };

  [[nodiscard]] std::vector<std::int32_t> symbols_of(std::string_view word) const;
  [[nodiscard]] const Merge* merge_of(std::int32_t left, std::int32_t right) const;

  Vocabulary vocabulary_;
  BytePairRules rules_;
  std::unordered_map<std::uint64_t, Merge> merges_;  // by left << 32 | right
};

}  // namespace sotto::text
