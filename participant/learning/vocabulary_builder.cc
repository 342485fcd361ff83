// Byte-pair merges over word counts, as the WordPiece vocabularies of today are made.
#include <algorithm>
#include <map>
#include <set>

#include "participant/learning/tokenizer.h"

namespace sotto::learning {
namespace {

constexpr const char* kSpecialPieces[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

struct Word {
  std::vector<std::string> pieces;
  std::int64_t count = 0;
};

using Pair = std::pair<std::string, std::string>;

struct PairUse {
  std::int64_t count = 0;
  std::set<std::size_t> words;
};

std::vector<std::string> characters_of(const std::string& word) {
  std::vector<std::string> out;
  for (const char c : word) {
    const bool inside = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
    if (inside && !out.empty())
      out.back() += c;
    else
      out.push_back(out.empty() ? std::string(1, c) : std::string("##") + c);
  }
  return out;
}

std::string merged(const Pair& pair) {
  return pair.first + pair.second.substr(2);  // the right piece always begins with "##"
}

/// The counts of neighbouring pieces, kept up to date while words are rewritten.
class PairCounts {
 public:
  explicit PairCounts(std::vector<Word> words) : words_(std::move(words)) {
    for (std::size_t i = 0; i < words_.size(); ++i)
      add(i, 1);
  }

  /// The pair seen most often; among equals the first in byte order. Null when none is seen twice.
  [[nodiscard]] const Pair* best() const {
    const Pair* best = nullptr;
    std::int64_t count = 1;
    for (const auto& [pair, use] : pairs_)
      if (use.count > count) {
        best = &pair;
        count = use.count;
      }
    return best;
  }

  void merge(const Pair& pair) {
    const std::string piece = merged(pair);
    const std::set<std::size_t> touched = pairs_.at(pair).words;
    for (const std::size_t i : touched) {
      add(i, -1);
      auto& pieces = words_[i].pieces;
      for (std::size_t at = 0; at + 1 < pieces.size(); ++at)
        if (pieces[at] == pair.first && pieces[at + 1] == pair.second) {
          pieces[at] = piece;
          pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(at) + 1);
        }
      add(i, 1);
    }
  }

 private:
  void add(std::size_t word, std::int64_t sign) {
    const auto& pieces = words_[word].pieces;
    for (std::size_t at = 0; at + 1 < pieces.size(); ++at) {
      const auto it = pairs_.try_emplace(Pair{pieces[at], pieces[at + 1]}).first;
      it->second.count += sign * words_[word].count;
      if (sign > 0)
        it->second.words.insert(word);
      else
        it->second.words.erase(word);
      if (it->second.count == 0) pairs_.erase(it);
    }
  }

  std::vector<Word> words_;
  std::map<Pair, PairUse> pairs_;
};

}  // namespace

Result<Vocabulary> build_vocabulary(std::span<const std::string> texts, std::size_t size) {
  std::vector<std::string> pieces(std::begin(kSpecialPieces), std::end(kSpecialPieces));
  if (size < pieces.size())
    return Error{"a vocabulary needs at least " + std::to_string(pieces.size()) + " pieces"};
  std::map<std::string, std::int64_t> word_counts;
  for (const std::string& text : texts)
    for (std::string& word : basic_words(text))
      ++word_counts[std::move(word)];

  std::vector<Word> words;
  std::map<std::string, std::int64_t> alphabet;
  for (const auto& [word, count] : word_counts) {
    words.push_back({characters_of(word), count});
    for (const std::string& c : words.back().pieces)
      alphabet[c] += count;
  }
  std::vector<std::pair<std::string, std::int64_t>> letters(alphabet.begin(), alphabet.end());
  std::stable_sort(letters.begin(), letters.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [letter, count] : letters)
    if (pieces.size() < size) pieces.push_back(letter);

  PairCounts pairs(std::move(words));
  std::set<std::string> known(pieces.begin(), pieces.end());
  while (pieces.size() < size) {
    const Pair* best = pairs.best();
    if (best == nullptr) break;
    const Pair pair = *best;
    if (known.insert(merged(pair)).second) pieces.push_back(merged(pair));
    pairs.merge(pair);
  }
  return Vocabulary::from_pieces(std::move(pieces));
}

}  // namespace sotto::learning
