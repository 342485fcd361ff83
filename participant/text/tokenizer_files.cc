// Selection of the tokenizer by the files in a model's folder.
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "participant/text/tokenizer.h"

namespace sotto::text {
namespace {

namespace fs = std::filesystem;

Result<std::string> read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) return Error{file.string() + ": cannot be read"};
  return text;
}

/// {"token": id, ...}
Result<Vocabulary> read_vocab_json(const fs::path& file) {
  SOTTO_ASSIGN_OR_RETURN(const auto text, read_text(file));
  const auto root = nlohmann::json::parse(text, nullptr, false);
  if (!root.is_object()) return Error{file.string() + ": is not an object of tokens and their ids"};
  std::vector<std::pair<std::string, std::int64_t>> ids;
  for (const auto& [token, id] : root.items()) {
    if (!id.is_number_integer()) return Error{file.string() + ": " + token + " has no id"};
    ids.emplace_back(token, id.get<std::int64_t>());
  }
  auto vocabulary = Vocabulary::from_ids(ids);
  if (!vocabulary.ok()) return Error{file.string() + ": " + vocabulary.error().message};
  return vocabulary;
}

/// Reads one merge from each line; the first line may contain a version.
Result<std::vector<std::pair<std::string, std::string>>> read_merges(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return Error{file.string() + ": cannot be read"};
  std::vector<std::pair<std::string, std::string>> merges;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    const std::size_t blank = line.find(' ');
    if (blank == std::string::npos || blank == 0 || blank + 1 == line.size())
      return Error{file.string() + ":" + std::to_string(number) +
                   ": the line must have two tokens"};
    merges.emplace_back(line.substr(0, blank), line.substr(blank + 1));
  }
  return merges;
}

Result<Tokenizer> gpt2_tokenizer(const fs::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(auto vocabulary, read_vocab_json(folder / "vocab.json"));
  SOTTO_ASSIGN_OR_RETURN(const auto merges, read_merges(folder / "merges.txt"));
  const auto end = vocabulary.find("<|endoftext|>");
  auto model = BytePairs::create(std::move(vocabulary), merges, {});
  if (!model.ok()) return Error{(folder / "merges.txt").string() + ": " + model.error().message};
  TokenizerParts parts{.model = std::move(model).value()};
  if (end) parts.added.push_back({.content = "<|endoftext|>", .id = *end, .special = true});
  parts.pad = end;
  parts.splitters.emplace_back([](const std::string& text) {
    std::vector<std::string> out;
    for (const auto& word : gpt2_words().cut(text))
      out.push_back(bytes_as_characters(word.text));
    return out;
  });
  parts.decoders.emplace_back([](const std::vector<std::string>& tokens) {
    std::string all;
    for (const std::string& token : tokens)
      all += token;
    return std::vector<std::string>{characters_as_bytes(all)};
  });
  return Tokenizer(std::move(parts));
}

Result<Tokenizer> bert_tokenizer_of(const fs::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(auto vocabulary, Vocabulary::from_lines(folder / "vocab.txt"));
  BertCleaning cleaning;
  if (const fs::path file = folder / "tokenizer_config.json"; fs::exists(file)) {
    SOTTO_ASSIGN_OR_RETURN(const auto text, read_text(file));
    const auto root = nlohmann::json::parse(text, nullptr, false);
    if (!root.is_object()) return Error{file.string() + ": is not an object"};
    const auto lower = root.find("do_lower_case");
    cleaning.lowercase = lower == root.end() || *lower != false;
    cleaning.strip_accents = cleaning.lowercase;
  }
  auto made = bert_tokenizer(std::move(vocabulary), cleaning);
  if (!made.ok()) return Error{(folder / "vocab.txt").string() + ": " + made.error().message};
  return made;
}

}  // namespace

Result<Tokenizer> bert_tokenizer(Vocabulary vocabulary, const BertCleaning& cleaning) {
  std::vector<AddedToken> special;
  for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]"}) {
    const auto id = vocabulary.find(token);
    if (!id) return Error{"the vocabulary has no " + std::string(token) + " piece"};
    special.push_back({.content = token, .id = *id, .special = true});
  }
  if (const auto mask = vocabulary.find("[MASK]"))
    special.push_back({.content = "[MASK]", .id = *mask, .special = true});
  TokenizerParts parts{.model = WordPieces(std::move(vocabulary), {.unknown = special[1].id}),
                       .normalizers = {bert_normalizer(cleaning)},
                       .splitters = {bert_words},
                       .decoders = {word_piece_decoder("##", true)},
                       .before = {special[2].id},
                       .after = {special[3].id},
                       .pad = special[0].id};
  parts.added = std::move(special);
  return Tokenizer(std::move(parts));
}

Result<Tokenizer> load_tokenizer(const fs::path& folder) {
  if (const fs::path file = folder / "tokenizer.json"; fs::exists(file)) {
    SOTTO_ASSIGN_OR_RETURN(const auto text, read_text(file));
    return parse_tokenizer_json(text, file.string());
  }
  if (fs::exists(folder / "vocab.json")) return gpt2_tokenizer(folder);
  if (fs::exists(folder / "vocab.txt")) return bert_tokenizer_of(folder);
  return Error{folder.string() +
               " has no tokenizer: tokenizer.json, or vocab.json with merges.txt, or vocab.txt"};
}

}  // namespace sotto::text
