// tokenizer.json: converts the steps and the model in the format of the tokenizers library. Unknown
// parts are refused by their key and never ignored, because without a step the ids differ from
// those that the model was trained with.
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "participant/text/tokenizer.h"

namespace sotto::text {
namespace {

using Json = nlohmann::json;

/// Thrown and caught only in this file.
struct Unusable {
  std::string where, why;
};

[[noreturn]] void refuse(const std::string& where, const std::string& why) {
  throw Unusable{where, why};
}

std::string type_of(const Json& step, const std::string& where) {
  if (!step.is_object() || !step.contains("type") || !step["type"].is_string())
    refuse(where, "has no type");
  return step["type"];
}

template <class T>
T value_of(const Json& step, const char* key, const T& otherwise, const std::string& where) {
  const auto at = step.find(key);
  if (at == step.end() || at->is_null()) return otherwise;
  try {
    return at->get<T>();
  } catch (const Json::exception&) {
    refuse(where + "." + key, "is of another type");
  }
}

/// {"String": ...} or {"Regex": ...}
Pattern pattern_of(const Json& step, const std::string& where) {
  const auto at = step.find("pattern");
  if (at == step.end() || !at->is_object()) refuse(where + ".pattern", "is missing");
  if (at->contains("String"))
    return Pattern::literal(value_of<std::string>(*at, "String", "", where + ".pattern"));
  auto compiled = Pattern::compile(value_of<std::string>(*at, "Regex", "", where + ".pattern"));
  if (!compiled.ok()) refuse(where + ".pattern", compiled.error().message);
  return std::move(compiled).value();
}

/// Calls `add` for the members of a Sequence, or for the step itself; not at all for null.
template <class Add>
void each_step(const Json& step, const char* members, const std::string& where, const Add& add,
               int depth = 0) {
  constexpr int kDeepest = 8;
  if (step.is_null()) return;
  if (depth > kDeepest) refuse(where, "is nested too deeply for a tokenizer");
  if (type_of(step, where) != "Sequence") return add(step, type_of(step, where), where);
  const auto at = step.find(members);
  if (at == step.end() || !at->is_array()) refuse(where + "." + members, "is missing");
  for (std::size_t i = 0; i < at->size(); ++i)
    each_step((*at)[i], members, where + "[" + std::to_string(i) + "]", add, depth + 1);
}

// ---- normalizers

BertCleaning cleaning_of(const Json& step, const std::string& where) {
  BertCleaning out{.clean_text = value_of(step, "clean_text", true, where),
                   .handle_chinese_chars = value_of(step, "handle_chinese_chars", true, where),
                   .lowercase = value_of(step, "lowercase", true, where)};
  out.strip_accents = value_of(step, "strip_accents", out.lowercase, where);
  return out;
}

Normalizer normalizer_of(const Json& step, const std::string& type, const std::string& where) {
  const auto in_form = [](NormalForm form) -> Normalizer {
    return [form](const std::string& text) { return normalized(text, form); };
  };
  if (type == "NFC") return in_form(NormalForm::kNfc);
  if (type == "NFD") return in_form(NormalForm::kNfd);
  if (type == "NFKC") return in_form(NormalForm::kNfkc);
  if (type == "NFKD") return in_form(NormalForm::kNfkd);
  if (type == "Lowercase") return [](const std::string& text) { return lower_case(text); };
  if (type == "StripAccents") return [](const std::string& text) { return without_accents(text); };
  if (type == "BertNormalizer") return bert_normalizer(cleaning_of(step, where));
  if (type == "Prepend")
    return [before = value_of<std::string>(step, "prepend", "", where)](const std::string& text) {
      return before + text;
    };
  if (type == "Replace")
    return [pattern = pattern_of(step, where),
            by = value_of<std::string>(step, "content", "", where)](const std::string& text) {
      return pattern.replaced(text, by);
    };
  refuse(where, "the normalizer " + type + " is not supported");
}

// ---- pre-tokenizers

Matches matches_of(const Json& step, const std::string& where) {
  const auto behavior = value_of<std::string>(step, "behavior", "", where);
  if (value_of(step, "invert", false, where)) refuse(where + ".invert", "is not supported");
  if (behavior == "Isolated") return Matches::kIsolated;
  if (behavior == "Removed") return Matches::kRemoved;
  refuse(where + ".behavior", "\"" + behavior + "\" is not supported");
}

Splitter metaspace(const Json& step, const std::string& where) {
  const auto mark = value_of<std::string>(step, "replacement", "\xE2\x96\x81", where);
  const auto scheme = value_of<std::string>(
      step, "prepend_scheme", value_of(step, "add_prefix_space", true, where) ? "always" : "never",
      where);
  if (mark.empty()) refuse(where + ".replacement", "is empty");
  // "first" is not equivalent to "always": after an added token such as </s> it adds no mark.
  if (scheme != "always" && scheme != "never")
    refuse(where + ".prepend_scheme", "\"" + scheme + "\" is not supported");
  const bool prepend = scheme == "always";
  const bool split = value_of(step, "split", true, where);
  return [=, blank = Pattern::literal(" ")](const std::string& text) {
    std::string marked = blank.replaced(text, mark);
    if (prepend && !marked.starts_with(mark)) marked.insert(0, mark);
    return split ? cut_before(marked, mark) : std::vector<std::string>{marked};
  };
}

Splitter splitter_of(const Json& step, const std::string& type, const std::string& where) {
  if (type == "ByteLevel")
    return byte_level(value_of(step, "add_prefix_space", true, where),
                      value_of(step, "use_regex", true, where));
  if (type == "Split") return split_at(pattern_of(step, where), matches_of(step, where));
  if (type == "Digits")
    return value_of(step, "individual_digits", false, where) ? Splitter(digits_apart)
                                                             : Splitter(runs_of_digits_apart);
  if (type == "BertPreTokenizer") return bert_words;
  if (type == "Metaspace") return metaspace(step, where);
  if (type == "WhitespaceSplit")
    return split_at(Pattern::compile(R"(\s+)").value(), Matches::kRemoved);
  refuse(where, "the pre-tokenizer " + type + " is not supported");
}

// ---- decoders

Decoder strip_of(const Json& step, const std::string& where) {
  const auto content = value_of<std::string>(step, "content", " ", where);
  const auto start = value_of<std::size_t>(step, "start", 0, where);
  const auto stop = value_of<std::size_t>(step, "stop", 0, where);
  if (content.empty()) refuse(where + ".content", "is empty");
  return [=](std::vector<std::string> tokens) {
    for (std::string& token : tokens) {
      for (std::size_t i = 0; i < start && token.starts_with(content); ++i)
        token.erase(0, content.size());
      for (std::size_t i = 0; i < stop && token.ends_with(content); ++i)
        token.resize(token.size() - content.size());
    }
    return tokens;
  };
}

std::vector<std::string> fused(std::vector<std::string> tokens) {
  std::string all;
  for (const std::string& token : tokens)
    all += token;
  return {all};
}

std::vector<std::string> without_byte_level(std::vector<std::string> tokens) {
  return {characters_as_bytes(fused(std::move(tokens)).front())};
}

Decoder without_metaspace(const Json& step, const std::string& where) {
  const auto mark = value_of<std::string>(step, "replacement", "\xE2\x96\x81", where);
  const bool prepended =
      value_of<std::string>(step, "prepend_scheme",
                            value_of(step, "add_prefix_space", true, where) ? "always" : "never",
                            where) != "never";
  return [=, pattern = Pattern::literal(mark)](std::vector<std::string> tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i == 0 && prepended && tokens[i].starts_with(mark)) tokens[i].erase(0, mark.size());
      tokens[i] = pattern.replaced(tokens[i], " ");
    }
    return tokens;
  };
}

Decoder decoder_of(const Json& step, const std::string& type, const std::string& where) {
  if (type == "ByteLevel") return without_byte_level;
  if (type == "ByteFallback") return bytes_joined;
  if (type == "Fuse") return fused;
  if (type == "Strip") return strip_of(step, where);
  if (type == "Metaspace") return without_metaspace(step, where);
  if (type == "WordPiece")
    return word_piece_decoder(value_of<std::string>(step, "prefix", "##", where),
                              value_of(step, "cleanup", true, where));
  if (type == "Replace")
    return
        [pattern = pattern_of(step, where),
         by = value_of<std::string>(step, "content", "", where)](std::vector<std::string> tokens) {
          for (std::string& token : tokens)
            token = pattern.replaced(token, by);
          return tokens;
        };
  refuse(where, "the decoder " + type + " is not supported");
}

// ---- the model

std::int32_t id_of(const Json& id, const std::string& where) {
  const std::int64_t value = id.is_number_integer() ? id.get<std::int64_t>() : -1;
  if (value < 0 || value >= std::numeric_limits<std::int32_t>::max()) refuse(where, "is no id");
  return static_cast<std::int32_t>(value);
}

Vocabulary vocabulary_of(const Json& model) {
  const auto at = model.find("vocab");
  if (at == model.end() || !at->is_object()) refuse("model.vocab", "is missing");
  std::vector<std::pair<std::string, std::int64_t>> ids;
  for (const auto& [token, id] : at->items()) {
    if (!id.is_number_integer()) refuse("model.vocab." + token, "is no id");
    ids.emplace_back(token, id.get<std::int64_t>());
  }
  auto vocabulary = Vocabulary::from_ids(ids);
  if (!vocabulary.ok()) refuse("model.vocab", vocabulary.error().message);
  return std::move(vocabulary).value();
}

std::optional<std::int32_t> unknown_of(const Json& model, const Vocabulary& vocabulary) {
  const auto token = value_of<std::string>(model, "unk_token", "", "model");
  if (token.empty()) return std::nullopt;
  const auto id = vocabulary.find(token);
  if (!id) refuse("model.unk_token", "is not in the vocabulary");
  return id;
}

std::pair<std::string, std::string> merge_of(const Json& merge, const std::string& where) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
    return {merge[0], merge[1]};
  const std::string text = merge.is_string() ? merge.get<std::string>() : "";
  const std::size_t blank = text.find(' ');
  if (blank == std::string::npos) refuse(where, "is not two tokens");
  return {text.substr(0, blank), text.substr(blank + 1)};
}

BytePairs byte_pairs_of(const Json& model) {
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!value_of<std::string>(model, key, "", "model").empty())
      refuse(std::string("model.") + key, "is not supported");
  Vocabulary vocabulary = vocabulary_of(model);
  const BytePairRules rules{.unknown = unknown_of(model, vocabulary),
                            .fuse_unknown = value_of(model, "fuse_unk", false, "model"),
                            .byte_fallback = value_of(model, "byte_fallback", false, "model"),
                            .ignore_merges = value_of(model, "ignore_merges", false, "model")};
  std::vector<std::pair<std::string, std::string>> merges;
  const auto list = model.find("merges");
  if (list == model.end() || !list->is_array()) refuse("model.merges", "is missing");
  for (std::size_t i = 0; i < list->size(); ++i)
    merges.push_back(merge_of((*list)[i], "model.merges[" + std::to_string(i) + "]"));
  auto made = BytePairs::create(std::move(vocabulary), merges, rules);
  if (!made.ok()) refuse("model.merges", made.error().message);
  return std::move(made).value();
}

WordPieces word_pieces_of(const Json& model) {
  Vocabulary vocabulary = vocabulary_of(model);
  const auto unknown = unknown_of(model, vocabulary);
  if (!unknown) refuse("model.unk_token", "is missing");
  WordPieceRules rules{
      .unknown = *unknown,
      .prefix = value_of<std::string>(model, "continuing_subword_prefix", "##", "model"),
      .longest_word = value_of<std::size_t>(model, "max_input_chars_per_word", 100, "model")};
  return {std::move(vocabulary), std::move(rules)};
}

std::variant<WordPieces, BytePairs> model_of(const Json& root) {
  const auto model = root.find("model");
  if (model == root.end() || !model->is_object()) refuse("model", "is missing");
  // Old files omit the type for byte pairs.
  const std::string type =
      value_of<std::string>(*model, "type", model->contains("merges") ? "BPE" : "", "model");
  if (type == "BPE") return byte_pairs_of(*model);
  if (type == "WordPiece") return word_pieces_of(*model);
  refuse("model.type", "\"" + type + "\" is not supported; BPE and WordPiece are");
}

std::vector<AddedToken> added_of(const Json& root) {
  std::vector<AddedToken> out;
  const auto list = root.find("added_tokens");
  if (list == root.end() || list->is_null()) return out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& token = (*list)[i];
    const std::string where = "added_tokens[" + std::to_string(i) + "]";
    const std::int32_t id = id_of(value_of(token, "id", Json(), where), where + ".id");
    if (value_of(token, "single_word", false, where))
      refuse(where + ".single_word", "is not supported");
    out.push_back({.content = value_of<std::string>(token, "content", "", where),
                   .id = id,
                   .special = value_of(token, "special", false, where),
                   .strips_left = value_of(token, "lstrip", false, where),
                   .strips_right = value_of(token, "rstrip", false, where),
                   .normalized = value_of(token, "normalized", false, where)});
  }
  return out;
}

// ---- the frame of a text

void frame_by_template(const Json& step, const std::string& where, TokenizerParts& parts) {
  const auto single = step.find("single");
  if (single == step.end() || !single->is_array()) refuse(where + ".single", "is missing");
  bool behind = false;
  for (const Json& piece : *single) {
    if (piece.contains("Sequence")) {
      behind = true;
      continue;
    }
    const std::string token =
        piece.contains("SpecialToken")
            ? value_of<std::string>(piece["SpecialToken"], "id", "", where + ".single")
            : "";
    const Json ids = step.value("special_tokens", Json::object()).value(token, Json::object());
    if (!ids.contains("ids")) refuse(where + ".special_tokens", "has no \"" + token + "\"");
    for (const Json& id : ids["ids"])
      (behind ? parts.after : parts.before).push_back(id_of(id, where + ".special_tokens"));
  }
}

void frame_by(const Json& step, const std::string& type, const std::string& where,
              TokenizerParts& parts) {
  if (type == "TemplateProcessing") return frame_by_template(step, where, parts);
  if (type == "ByteLevel") return;  // it changes offsets only
  if (type != "BertProcessing" && type != "RobertaProcessing")
    refuse(where, "the post-processor " + type + " is not supported");
  for (const char* key : {"cls", "sep"}) {
    const auto at = step.find(key);
    if (at == step.end() || !at->is_array() || at->size() != 2 || !(*at)[1].is_number_integer())
      refuse(where + "." + key, "is not a token and its id");
    (key == std::string_view("cls") ? parts.before : parts.after)
        .push_back(id_of((*at)[1], where + "." + key));
  }
}

std::optional<std::int32_t> pad_of(const Json& root, const Tokenizer& tokenizer) {
  const auto padding = root.find("padding");
  if (padding != root.end() && padding->is_object() && padding->contains("pad_id"))
    return id_of((*padding)["pad_id"], "padding.pad_id");
  for (const char* usual : {"[PAD]", "<pad>", "<|endoftext|>", "</s>", "<|end_of_text|>"})
    if (const auto id = tokenizer.find(usual)) return id;
  return std::nullopt;
}

/// The frame and the padding are given to the model, so they must be tokens.
void check_ids(const TokenizerParts& parts, std::int32_t size) {
  const auto check = [size](std::int32_t id, const char* where) {
    if (id >= size) refuse(where, "the id " + std::to_string(id) + " is no token's");
  };
  for (const auto* frame : {&parts.before, &parts.after})
    for (const std::int32_t id : *frame)
      check(id, "post_processor");
  if (parts.pad) check(*parts.pad, "padding.pad_id");
}

TokenizerParts parts_of(const Json& root) {
  if (!root.is_object()) refuse("the file", "is not an object");
  TokenizerParts parts{.model = model_of(root), .added = added_of(root)};
  const auto part = [&](const char* key) { return root.value(key, Json()); };
  each_step(part("normalizer"), "normalizers", "normalizer",
            [&](const Json& step, const std::string& type, const std::string& where) {
              parts.normalizers.push_back(normalizer_of(step, type, where));
            });
  each_step(part("pre_tokenizer"), "pretokenizers", "pre_tokenizer",
            [&](const Json& step, const std::string& type, const std::string& where) {
              parts.splitters.push_back(splitter_of(step, type, where));
            });
  each_step(part("decoder"), "decoders", "decoder",
            [&](const Json& step, const std::string& type, const std::string& where) {
              parts.decoders.push_back(decoder_of(step, type, where));
            });
  each_step(part("post_processor"), "processors", "post_processor",
            [&](const Json& step, const std::string& type, const std::string& where) {
              frame_by(step, type, where, parts);
            });
  return parts;
}

}  // namespace

Result<Tokenizer> parse_tokenizer_json(std::string_view json, const std::string& what) {
  try {
    const Json root = Json::parse(json);
    TokenizerParts parts = parts_of(root);
    const Tokenizer without_pad(parts);
    parts.pad = pad_of(root, without_pad);
    check_ids(parts, without_pad.size());
    return Tokenizer(std::move(parts));
  } catch (const Unusable& reason) {
    return Error{what + ": " + reason.where + ": " + reason.why};
  } catch (const Json::exception& error) {
    return Error{what + ": " + error.what()};
  }
}

}  // namespace sotto::text
