#include "participant/deidentify/redaction/names.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <unordered_map>
#include <vector>

#include "common/base/utf8.h"
#include "common/storage/atomic_file.h"
#include "participant/text/unicode.h"

namespace sotto::redaction {

namespace {

constexpr std::uint8_t kGiven = 1, kFamily = 2, kTitle = 4, kOther = 8, kUncertain = 16;

/// Returns the form of a word in the dictionary: composed and in lower case, so that both encodings
/// of "é" are equal.
std::string folded(std::string_view word) {
  const bool ascii =
      std::ranges::all_of(word, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii) return text::lower_case(text::normalized(std::string(word), text::NormalForm::kNfc));
  std::string out(word);
  for (char& c : out)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

struct Word {
  std::size_t begin = 0, end = 0;
  std::string folded;
  std::uint8_t what = 0;     // its categories in the dictionary
  bool capital = false;      // begins with a capital letter
  bool initial = false;      // one capital letter with its dot
  bool after_space = false;  // one space before it; ". " after a title, none after an initial
  bool after_colon = false;
};

}  // namespace

struct NameFinder::Dictionary {
  std::unordered_map<std::string, std::uint8_t> words;

  [[nodiscard]] std::uint8_t of(const std::string& word) const {
    const auto found = words.find(word);
    return found == words.end() ? 0 : found->second;
  }
};

Result<NameFinder> NameFinder::parse(std::string_view text, const std::string& file_name) {
  auto dictionary = std::make_shared<Dictionary>();
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    const auto error = [&](const std::string& what) {
      return Error{file_name + ":" + std::to_string(number) + ":1: " + what};
    };
    if (!is_utf8(line)) return error("the text is not UTF-8");
    const std::size_t space = line.find(' ');
    std::string_view kind = line.substr(0, space);
    const bool uncertain = kind.ends_with('?');
    if (uncertain) kind.remove_suffix(1);
    const std::uint8_t what = kind == "given"    ? kGiven
                              : kind == "family" ? kFamily
                              : kind == "title"  ? kTitle
                              : kind == "other"  ? kOther
                                                 : 0;
    if (what == 0 || space == std::string_view::npos)
      return error(
          "a line must begin with \"given\", \"family\", \"title\" or \"other\", followed by "
          "words");
    // Several words may share a line.
    std::string_view rest = line.substr(space + 1);
    while (!rest.empty()) {
      const std::size_t cut = std::min(rest.find(' '), rest.size());
      if (cut > 0)
        dictionary->words[folded(rest.substr(0, cut))] |=
            static_cast<std::uint8_t>(what | (uncertain ? kUncertain : 0));
      rest.remove_prefix(std::min(cut + 1, rest.size()));
    }
  }
  return NameFinder(std::move(dictionary));
}

Result<NameFinder> NameFinder::read(const std::filesystem::path& file) {
  constexpr std::uint64_t kMaxBytes = 64 << 20;
  SOTTO_ASSIGN_OR_RETURN(const Bytes bytes, storage::read_file(file, kMaxBytes));
  return parse(std::string(bytes.begin(), bytes.end()), file.string());
}

/// Reading is one line, cut into words and read from left to right.
class NameFinder::Reading {
 public:
  Reading(std::string_view line, const Dictionary& dictionary)
      : line_(line), dictionary_(dictionary) {
    cut();
  }

  Findings find() {
    Findings found;
    for (std::size_t i = 0; i < words_.size();) {
      const std::size_t past = name_end(i);
      if (past == i) {
        ++i;
        continue;
      }
      found.push_back({words_[i].begin, words_[past - 1].end, FindingKind::kName});
      i = past;
    }
    return found;
  }

 private:
  void cut() {
    std::size_t at = 0;
    while (at < line_.size()) {
      const std::size_t length = letter_at(at);
      if (length == 0) {
        ++at;
        continue;
      }
      const std::size_t begin = at;
      while (at < line_.size()) {
        const std::size_t next = letter_at(at);
        if (next > 0) {
          at += next;
        } else if (is_joint(at)) {
          at += joint_length(at);
        } else {
          break;
        }
      }
      add(begin, at);
    }
  }

  /// Returns the bytes of the letter at `at`; 0 where there is none.
  [[nodiscard]] std::size_t letter_at(std::size_t at) const {
    if (at >= line_.size()) return 0;
    const auto lead = static_cast<unsigned char>(line_[at]);
    if (lead < 0x80) return std::isalpha(lead) != 0 ? 1 : 0;
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
    if (length == 0) return 0;
    const auto characters = text::characters_of(line_.substr(at, length));
    return !characters.empty() && text::is_letter_or_mark(characters.front()) ? length : 0;
  }

  /// Returns whether there is an apostrophe or hyphen between two letters at `at`.
  [[nodiscard]] bool is_joint(std::size_t at) const {
    const std::size_t length = joint_length(at);
    return length > 0 && letter_at(at + length) > 0;
  }

  [[nodiscard]] std::size_t joint_length(std::size_t at) const {
    if (line_[at] == '\'' || line_[at] == '-') return 1;
    return line_.substr(at, 3) == "\xE2\x80\x99" ? 3 : 0;  // ’
  }

  void add(std::size_t begin, std::size_t end) {
    Word word{.begin = begin, .end = end};
    std::string_view bytes = line_.substr(begin, end - begin);
    for (const std::string_view possessive : {"'s", "'S", "\xE2\x80\x99s"})
      if (bytes.ends_with(possessive) && bytes.size() > possessive.size()) {
        bytes.remove_suffix(possessive.size());
        word.end -= possessive.size();
      }
    word.capital = text::is_upper(text::characters_of(bytes.substr(0, 4)).front());
    word.folded = folded(bytes);
    word.what = dictionary_.of(word.folded);
    // "Anna-Lena" is looked up by its first part.
    if (word.what == 0)
      if (const std::size_t hyphen = word.folded.find('-'); hyphen != std::string::npos)
        word.what = dictionary_.of(word.folded.substr(0, hyphen));
    word.initial = bytes.size() == 1 && word.capital && end < line_.size() && line_[end] == '.';
    if (word.initial) ++word.end;
    const std::size_t last = words_.empty() ? 0 : words_.back().end;
    const std::string_view between = line_.substr(last, begin - last);
    word.after_space =
        !words_.empty() && (between == " " || (between.empty() && words_.back().initial) ||
                            (between == ". " && is(words_.back(), kTitle)));
    word.after_colon = between == ": " || between == ":";
    words_.push_back(std::move(word));
  }

  [[nodiscard]] static bool is(const Word& word, std::uint8_t what) {
    return (word.what & what) != 0;
  }

  [[nodiscard]] static bool is_certain(const Word& word, std::uint8_t what) {
    return is(word, what) && !is(word, kUncertain) && !is(word, kOther);
  }

  [[nodiscard]] bool is_particle(std::size_t i) const {
    constexpr std::array<std::string_view, 19> kParticles = {
        "van", "von", "de",  "der", "den", "da",  "di",  "del", "della", "la",
        "le",  "bin", "ibn", "al",  "el",  "ten", "ter", "dos", "zu"};
    return std::ranges::find(kParticles, words_[i].folded) != kParticles.end();
  }

  /// Returns whether the word at `i` may be part of a name whose other parts are known to be one.
  [[nodiscard]] bool may_continue(std::size_t i) const {
    const Word& word = words_[i];
    return word.after_space && word.capital && !is(word, kOther) && !is(word, kTitle);
  }

  /// Returns the end of a name that begins at `i`: at most four words, with particles between them.
  [[nodiscard]] std::size_t extent(std::size_t i) const {
    std::size_t past = i + 1;
    while (past < words_.size() && past < i + 4) {
      if (may_continue(past)) {
        ++past;
        continue;
      }
      std::size_t next = past;
      while (next < words_.size() && next < past + 2 && words_[next].after_space &&
             is_particle(next))
        ++next;
      if (next == past || next >= words_.size() || !may_continue(next)) break;
      past = next + 1;
    }
    return past;
  }

  /// Returns whether a phrase just before `i` announces a name: "my name is", before any word; "I
  /// am", only before a given name that is no everyday word.
  [[nodiscard]] bool introduced(std::size_t i) const {
    constexpr std::array<std::string_view, 10> kPhrases = {
        "my name is", "name is",      "ich heiße", "mein name ist", "je m'appelle",
        "me llamo",   "mi nombre es", "mi chiamo", "called me",     "she is called"};
    constexpr std::array<std::string_view, 6> kWeakPhrases = {"i am", "i'm",  "this is",
                                                              "its",  "it's", "ich bin"};
    constexpr std::array<std::string_view, 8> kLabels = {
        "name", "patient", "customer", "client", "employee", "contact", "kunde", "signed"};
    if (i == 0) return false;
    if (words_[i].after_colon)
      return std::ranges::find(kLabels, words_[i - 1].folded) != kLabels.end();
    if (!words_[i].after_space) return false;
    std::string before;
    for (std::size_t j = i - std::min<std::size_t>(i, 3); j < i; ++j)
      before += " " + words_[j].folded;
    const auto has_phrase = [&](std::string_view phrase) {
      return before.ends_with(" " + std::string(phrase));
    };
    return std::ranges::any_of(kPhrases, has_phrase) ||
           (is_certain(words_[i], kGiven) && std::ranges::any_of(kWeakPhrases, has_phrase));
  }

  /// Returns the index after the last word of a name that begins at `i`, or `i` where none begins.
  [[nodiscard]] std::size_t name_end(std::size_t i) const {
    const Word& word = words_[i];
    if (is(word, kOther) || is(word, kTitle)) return i;
    const bool after_title = i > 0 && word.after_space && is(words_[i - 1], kTitle);
    if (word.capital && (after_title || introduced(i))) return extent(i);
    if (introduced(i) && is(word, kGiven)) return small_extent(i);
    if (!word.capital) return small_extent(i) > i + 1 ? small_extent(i) : i;
    const bool next_goes_on = i + 1 < words_.size() && may_continue(i + 1);
    const Word* next = next_goes_on ? &words_[i + 1] : nullptr;
    if (word.initial) {
      std::size_t last = i;
      while (last + 1 < words_.size() && words_[last].initial && may_continue(last + 1))
        ++last;
      return !words_[last].initial && is(words_[last], kFamily) ? last + 1 : i;
    }
    if (is_certain(word, kGiven)) return extent(i);
    if (is(word, kGiven) && next != nullptr && (is(*next, kFamily) || next->initial))
      return extent(i);
    if (is(word, kGiven) && next != nullptr && !is(*next, kUncertain) && is(*next, kGiven))
      return extent(i);
    // A family name with the adjacent words: "Nguyen Van Minh", "Zoë Lambert".
    if (is_certain(word, kFamily) || (next != nullptr && is_certain(*next, kFamily)))
      return extent(i);
    return i;
  }

  /// Returns the end of a name in lower case: a given name, and also a family name after it where
  /// neither is an everyday word.
  [[nodiscard]] std::size_t small_extent(std::size_t i) const {
    if (!is(words_[i], kGiven)) return i;
    const bool full = i + 1 < words_.size() && words_[i + 1].after_space &&
                      is_certain(words_[i], kGiven) && is_certain(words_[i + 1], kFamily);
    return full ? i + 2 : i + 1;
  }

  std::string_view line_;
  const Dictionary& dictionary_;
  std::vector<Word> words_;
};

Findings NameFinder::find(std::string_view line) const {
  return Reading(line, *dictionary_).find();
}

}  // namespace sotto::redaction
