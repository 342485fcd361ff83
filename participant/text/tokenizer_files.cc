// Selection of the tokenizer by the files in a model's folder.
#include <array>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "participant/text/tokenizer.h"
#include "participant/text/tokenizer_settings.h"

namespace sotto::text {
namespace {

namespace fs = std::filesystem;

/// Thrown and caught only in this file.
struct UnusableFiles {
  std::string why;
};

[[noreturn]] void refuse_file(const fs::path& file, const std::string& why) {
  throw UnusableFiles{file.string() + ": " + why};
}

constexpr std::string_view kSaveWhole =
    "; let Hugging Face's library write tokenizer.json: AutoTokenizer.from_pretrained(FOLDER)"
    ".save_pretrained(FOLDER)";

/// {"token": id, ...}
Result<Vocabulary> read_vocab_json(const fs::path& file) {
  SOTTO_ASSIGN_OR_RETURN(const auto text, read_model_text(file, ByteOrderMark::kAllowed));
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
  SOTTO_ASSIGN_OR_RETURN(std::string text, read_model_text(file, ByteOrderMark::kRefused));
  std::istringstream in(std::move(text));
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

/// Adds a token to those that are recognised before any other step; the vocabulary has its id.
void add_special(TokenizerParts& parts, AddedToken token, std::int32_t id) {
  token.id = id;
  token.special = true;
  const auto same = std::ranges::find(parts.added, token.content, &AddedToken::content);
  if (same == parts.added.end()) parts.added.push_back(std::move(token));
}

/// Adds the tokens that the files beside the vocabulary name. Their ids are those of the vocabulary
/// or beyond it.
void add_tokens(TokenizerParts& parts, const Vocabulary& vocabulary,
                const TokenizerSettings& settings, const fs::path& folder) {
  const fs::path file = folder / "tokenizer_config.json";
  for (const AddedToken& token : settings.added) {
    const auto known = vocabulary.find(token.content);
    const bool beyond = static_cast<std::size_t>(token.id) >= vocabulary.tokens().size();
    if (known ? *known != token.id : !beyond)
      refuse_file(file, "the added token \"" + token.content + "\" has the id " +
                            std::to_string(token.id) + ", which the vocabulary gives to " +
                            (known ? "none of that name" : "another token"));
    const auto same = std::ranges::find(parts.added, token.content, &AddedToken::content);
    if (same == parts.added.end()) parts.added.push_back(token);
  }
  for (const std::string& content : settings.more_special) {
    const auto same = std::ranges::find(parts.added, content, &AddedToken::content);
    if (same != parts.added.end()) {
      same->special = true;
    } else if (const auto id = vocabulary.find(content)) {
      add_special(parts, {.content = content}, *id);
    } else {
      refuse_file(file, "the special token \"" + content + "\" has no id; the file needs " +
                            "added_tokens_decoder with it" + std::string(kSaveWhole));
    }
  }
}

/// Checks that the class which the folder's tokenizer has in Hugging Face's library is one of
/// `known`, since the same files are read in another way for another class.
void check_class(const TokenizerSettings& settings, const std::set<std::string>& known,
                 const fs::path& folder, const std::string& files) {
  if (settings.tokenizer_class.empty() || known.contains(settings.tokenizer_class)) return;
  refuse_file(folder / "tokenizer_config.json", "tokenizer_class is \"" + settings.tokenizer_class +
                                                    "\", and " + files + " are read only for " +
                                                    *known.begin() + std::string(kSaveWhole));
}

/// vocab.json and merges.txt are the files of many classes; without a class in
/// tokenizer_config.json that of the model counts.
void check_is_gpt2(const TokenizerSettings& settings, const fs::path& folder) {
  check_class(settings, {"GPT2Tokenizer"}, folder, "vocab.json and merges.txt");
  const fs::path file = folder / "config.json";
  if (!settings.tokenizer_class.empty() || !fs::exists(file)) return;
  const auto text = read_model_text(file, ByteOrderMark::kAllowed);
  const auto config = text.ok() ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
  const auto type = config.is_object() ? config.find("model_type") : config.end();
  if (type == config.end() || *type == "gpt2") return;
  refuse_file(folder / "vocab.json",
              "the model_type in config.json is " + type->dump() +
                  ", whose tokenizer may read it in another way than GPT-2's; " +
                  "tokenizer_config.json must have tokenizer_class" + std::string(kSaveWhole));
}

Result<Tokenizer> gpt2_tokenizer(const fs::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(const TokenizerSettings settings, read_tokenizer_settings(folder));
  check_is_gpt2(settings, folder);
  SOTTO_ASSIGN_OR_RETURN(const Vocabulary vocabulary, read_vocab_json(folder / "vocab.json"));
  SOTTO_ASSIGN_OR_RETURN(const auto merges, read_merges(folder / "merges.txt"));
  auto model = BytePairs::create(vocabulary, merges, {});
  if (!model.ok()) return Error{(folder / "merges.txt").string() + ": " + model.error().message};
  TokenizerParts parts{.model = std::move(model).value()};
  for (const char* role : {"bos_token", "eos_token", "unk_token", "pad_token"}) {
    const AddedToken token = settings.special_token(role, "<|endoftext|>");
    if (const auto id = vocabulary.find(token.content)) add_special(parts, token, *id);
  }
  add_tokens(parts, vocabulary, settings, folder);
  for (const char* role : {"pad_token", "eos_token"}) {
    const AddedToken token = settings.special_token(role, "<|endoftext|>");
    const auto at = std::ranges::find(parts.added, token.content, &AddedToken::content);
    if (!parts.pad && at != parts.added.end()) parts.pad = at->id;
  }
  parts.splitters.emplace_back(byte_level(settings.add_prefix_space.value_or(false), true));
  parts.decoders.emplace_back([](const std::vector<std::string>& tokens) {
    std::string all;
    for (const std::string& token : tokens)
      all += token;
    return std::vector<std::string>{characters_as_bytes(all)};
  });
  return Tokenizer(std::move(parts));
}

BertCleaning cleaning_by(const TokenizerSettings& settings) {
  BertCleaning out{.clean_text = settings.clean_text.value_or(true),
                   .handle_chinese_chars = settings.tokenize_chinese_chars.value_or(true),
                   .lowercase = settings.do_lower_case.value_or(true)};
  out.strip_accents = settings.strip_accents.value_or(out.lowercase);
  return out;
}

/// Makes BERT's tokenizer; an Error when a token that it needs is missing in the vocabulary.
Result<TokenizerParts> bert_parts(Vocabulary vocabulary, const BertCleaning& cleaning,
                                  const TokenizerSettings& settings) {
  constexpr std::array<std::pair<const char*, const char*>, 4> kNeeded{{{"pad_token", "[PAD]"},
                                                                        {"unk_token", "[UNK]"},
                                                                        {"cls_token", "[CLS]"},
                                                                        {"sep_token", "[SEP]"}}};
  std::vector<AddedToken> special;
  for (const auto& [role, usual] : kNeeded) {
    AddedToken token = settings.special_token(role, usual);
    const auto id = vocabulary.find(token.content);
    if (!id) return Error{"the vocabulary has no " + token.content + " piece"};
    token.id = *id;
    special.push_back(std::move(token));
  }
  const WordPieceRules rules{.unknown = special[1].id,
                             .prefix = settings.wordpieces_prefix.value_or("##")};
  const auto usual_mask = settings.special_token("mask_token", "[MASK]");
  const auto mask = vocabulary.find(usual_mask.content);
  TokenizerParts parts{.model = WordPieces(std::move(vocabulary), rules),
                       .normalizers = {bert_normalizer(cleaning)},
                       .splitters = {bert_words},
                       .decoders = {word_piece_decoder(rules.prefix, true)},
                       .before = {special[2].id},
                       .after = {special[3].id},
                       .pad = special[0].id};
  for (const AddedToken& token : special)
    add_special(parts, token, token.id);
  if (mask) add_special(parts, usual_mask, *mask);
  return parts;
}

Result<Tokenizer> bert_tokenizer_of(const fs::path& folder) {
  SOTTO_ASSIGN_OR_RETURN(const TokenizerSettings settings, read_tokenizer_settings(folder));
  check_class(settings,
              {"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer"},
              folder, "vocab.txt and the files beside it");
  const fs::path file = folder / "vocab.txt";
  SOTTO_ASSIGN_OR_RETURN(const std::string text, read_model_text(file, ByteOrderMark::kRefused));
  const auto vocabulary = Vocabulary::from_lines(text);
  if (!vocabulary.ok()) return Error{file.string() + ": " + vocabulary.error().message};
  auto parts = bert_parts(*vocabulary, cleaning_by(settings), settings);
  if (!parts.ok()) return Error{file.string() + ": " + parts.error().message};
  add_tokens(*parts, *vocabulary, settings, folder);
  return Tokenizer(std::move(parts).value());
}

/// Checks that tokenizer_config.json does not contradict tokenizer.json, which is what is read:
/// Hugging Face's library takes some settings from the one and some from the other.
void check_agreement(const Tokenizer& tokenizer, const fs::path& folder) {
  const auto read = read_tokenizer_settings(folder);
  if (!read.ok()) throw UnusableFiles{read.error().message};
  const auto refused = [&](const std::string& why) {
    refuse_file(folder / "tokenizer_config.json", why + "; make both files agree");
  };
  const auto differ = [](const std::optional<bool>& set, bool found) {
    return set && *set != found;
  };
  if (read->tokenizer_class.empty() || read->tokenizer_class.ends_with("BertTokenizer")) {
    if (differ(read->do_lower_case, tokenizer.normalized("A") != "A"))
      refused("do_lower_case is not what tokenizer.json does");
    if (differ(read->strip_accents, tokenizer.normalized("\u00e9") == "e"))
      refused("strip_accents is not what tokenizer.json does");
  }
  for (const AddedToken& token : read->added)
    if (tokenizer.find(token.content) != token.id)
      refused("the added token \"" + token.content + "\" with the id " + std::to_string(token.id) +
              " is not in tokenizer.json");
}

Result<Tokenizer> load(const fs::path& folder) {
  if (const fs::path file = folder / "tokenizer.json"; fs::exists(file)) {
    SOTTO_ASSIGN_OR_RETURN(const auto text, read_model_text(file, ByteOrderMark::kAllowed));
    auto tokenizer = parse_tokenizer_json(text, file.string());
    if (tokenizer.ok()) check_agreement(*tokenizer, folder);
    return tokenizer;
  }
  if (fs::exists(folder / "vocab.json")) return gpt2_tokenizer(folder);
  if (fs::exists(folder / "vocab.txt")) return bert_tokenizer_of(folder);
  return Error{folder.string() +
               " has no tokenizer: tokenizer.json, or vocab.json with merges.txt, or vocab.txt"};
}

}  // namespace

Result<Tokenizer> bert_tokenizer(Vocabulary vocabulary, const BertCleaning& cleaning) {
  SOTTO_ASSIGN_OR_RETURN(TokenizerParts parts, bert_parts(std::move(vocabulary), cleaning, {}));
  return Tokenizer(std::move(parts));
}

Result<Tokenizer> load_tokenizer(const fs::path& folder) {
  try {
    return load(folder);
  } catch (const UnusableFiles& reason) {
    return Error{reason.why};
  }
}

}  // namespace sotto::text
