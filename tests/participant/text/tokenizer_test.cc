// Tokenizers against golden files of others, and against what the JavaScript implementation of the
// tokenizers library answers (tests/vectors/tokenizer/make_vectors.mjs).
#include "participant/text/tokenizer.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/temporary_directory.h"

namespace sotto::text {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Ids = std::vector<std::int32_t>;

const fs::path kSource = SOTTO_SOURCE_DIR;
const fs::path kVectors = kSource / "tests/vectors/tokenizer";

std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> golden_texts() {
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::vector<std::string> texts;
  std::string rest = contents(kVectors / "texts.inp");
  for (std::size_t at = 0; (at = rest.find(separator)) != std::string::npos;) {
    texts.push_back(rest.substr(0, at));
    rest.erase(0, at + separator.size());
  }
  texts.push_back(rest);  // the last text is empty, and so is its line of ids
  return texts;
}

Vocabulary vocabulary() {
  return Vocabulary::from_lines(contents(kVectors / "bert_uncased_vocab.txt")).value();
}

Tokenizer bert() {
  return bert_tokenizer(vocabulary(), {}).value();
}

void expect_golden(const Tokenizer& tokenizer, const char* file) {
  const auto texts = golden_texts();
  std::istringstream expected(contents(kVectors / file));
  ASSERT_EQ(texts.size(), 47U);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::string line;
    std::getline(expected, line);
    std::istringstream numbers(line);
    const Ids ids{std::istream_iterator<std::int32_t>(numbers), {}};
    EXPECT_EQ(tokenizer.encode(texts[i]), ids) << "text " << i + 1;
  }
}

TEST(Tokenizer, ReproducesAllGoldenTextsOfBert) {
  expect_golden(bert(), "bert_uncased.out");
}

TEST(Tokenizer, ReproducesAllGoldenTextsOfGpt2) {
  expect_golden(load_tokenizer(kVectors / "gpt2").value(), "gpt2.out");
}

TEST(Tokenizer, BytePairsOfGpt2GiveEveryTextBack) {
  const Tokenizer tokenizer = load_tokenizer(kVectors / "gpt2").value();
  for (const std::string& text : golden_texts())
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
}

TEST(Tokenizer, ReadsTheGoldenStoryOfTheLlama) {
  const Tokenizer tokenizer = load_tokenizer(kSource / "configs/tinyshakespeare/model").value();
  const json golden = json::parse(contents(kSource / "tests/vectors/stories260K/greedy.json"));
  const Ids ids = golden["greedy_ids"];
  const std::string text = tokenizer.decode(ids);
  EXPECT_EQ(text.substr(0, 16), "Once upon a time");
  EXPECT_EQ(tokenizer.encode_framed(text, ids.size()), ids);
}

// ---- the shapes of today's models

json base_of(const std::string& name) {
  const auto special = [](std::int32_t id, const std::string& content) {
    return json{{"id", id}, {"content", content}, {"special", true}};
  };
  if (name == "llama")
    return json::parse(contents(kSource / "configs/tinyshakespeare/model/tokenizer.json"));
  json out{{"added_tokens", json::array()}};
  if (name == "gpt2") {
    out["added_tokens"].push_back(special(50256, "<|endoftext|>"));
    out["decoder"] = {{"type", "ByteLevel"}};
    out["model"] = {{"type", "BPE"},
                    {"vocab", json::parse(contents(kVectors / "gpt2/vocab.json"))}};
    std::istringstream lines(contents(kVectors / "gpt2/merges.txt"));
    std::string line;
    for (std::getline(lines, line); std::getline(lines, line);)
      if (!line.empty()) out["model"]["merges"].push_back(line);
    return out;
  }
  const Vocabulary vocabulary = text::vocabulary();
  out["model"] = {{"type", "WordPiece"}, {"unk_token", "[UNK]"}};
  for (std::size_t id = 0; id < vocabulary.tokens().size(); ++id)
    out["model"]["vocab"][vocabulary.tokens()[id]] = id;
  for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
    out["added_tokens"].push_back(special(*vocabulary.find(token), token));
  out["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  out["post_processor"] = {
      {"type", "BertProcessing"}, {"sep", {"[SEP]", 102}}, {"cls", {"[CLS]", 101}}};
  out["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  return out;
}

TEST(Tokenizer, AgreesWithTheLibrarysOwnInEveryShape) {
  const char* other = std::getenv("SOTTO_TOKENIZER_VECTORS");  // a whole corpus, by hand
  const json vectors =
      json::parse(contents(other ? fs::path(other) : kVectors / "differential.json"));
  const std::vector<std::string> texts = vectors["texts"];
  ASSERT_GE(texts.size(), 60U);
  for (const json& shape : vectors["shapes"]) {
    SCOPED_TRACE(shape["name"].get<std::string>());
    json whole = base_of(shape["base"]);
    for (const auto& [key, value] : shape["differ"].items()) {
      if (key == "model")
        whole[key].update(value);
      else
        whole[key] = value;
    }
    const auto tokenizer = parse_tokenizer_json(whole.dump(), "tokenizer.json");
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
    EXPECT_EQ(tokenizer->encode_framed(texts[0], 4096), shape["framed"].get<Ids>());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const json& answer = shape["answers"][i];
      ASSERT_EQ(tokenizer->encode(texts[i]), answer["ids"].get<Ids>()) << texts[i];
      EXPECT_EQ(tokenizer->decode(answer["ids"].get<Ids>()), answer["decoded"]) << texts[i];
    }
  }
}

TEST(Tokenizer, DigitsAreEveryNumber) {
  const std::string text = "room 12\u00bd, \u216b";
  EXPECT_EQ(digits_apart(text),
            (std::vector<std::string>{"room ", "1", "2", "\u00bd", ", ", "\u216b"}));
  EXPECT_EQ(runs_of_digits_apart(text),
            (std::vector<std::string>{"room ", "12\u00bd", ", ", "\u216b"}));
}

// ---- frames and odd texts

TEST(Tokenizer, FramesAndCutsToTheLongestLength) {
  const Tokenizer tokenizer = bert();
  const auto ids = tokenizer.encode_framed("one two three four", 4);
  ASSERT_EQ(ids.size(), 4U);
  EXPECT_EQ(ids.front(), tokenizer.find("[CLS]"));
  EXPECT_EQ(ids.back(), tokenizer.find("[SEP]"));
  EXPECT_EQ(tokenizer.encode_framed("", 4).size(), 2U);
  EXPECT_EQ(tokenizer.pad(), tokenizer.find("[PAD]"));
  EXPECT_EQ(tokenizer.size(), 30522);
}

TEST(Tokenizer, DropsControlCharactersAndBadBytesAndStripsAccents) {
  const Tokenizer tokenizer = bert();
  EXPECT_EQ(tokenizer.encode("he\x01llo \xC3\x89T\xC3\xA9\xFF"), tokenizer.encode("hello ete"));
}

TEST(Tokenizer, MakesOneUnknownOfAWordThatIsTooLong) {
  const Tokenizer tokenizer = bert();
  EXPECT_EQ(tokenizer.encode(std::string(101, 'a')), Ids{tokenizer.find("[UNK]").value()});
  EXPECT_GT(tokenizer.encode(std::string(100, 'a')).size(), 1U);
}

TEST(Tokenizer, AnAddedTokenTakesTheSpaceBesideItAlongWhereItSaysSo) {
  json file = base_of("gpt2");
  file["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  file["added_tokens"].push_back(
      {{"id", 50257}, {"content", "<mask>"}, {"lstrip", true}, {"rstrip", true}});
  const Tokenizer tokenizer = parse_tokenizer_json(file.dump(), "").value();
  EXPECT_EQ(tokenizer.encode("a \t<mask>\n b"), tokenizer.encode("a<mask>b"));
  EXPECT_EQ(tokenizer.encode(" \n<mask> "), Ids{50257});
}

TEST(Tokenizer, ALongWordTakesNoQuadraticTime) {
  const Tokenizer tokenizer = load_tokenizer(kVectors / "gpt2").value();
  const std::string word(200'000, 'a');
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(word)), word);
}

TEST(Tokenizer, AnExpressionThatBacktracksWithoutEndIsGivenUp) {
  json file = base_of("llama");
  file["normalizer"] = nullptr;
  file["pre_tokenizer"] = {
      {"type", "Split"}, {"pattern", {{"Regex", "(?:a+)+$"}}}, {"behavior", "Removed"}};
  const Tokenizer tokenizer = parse_tokenizer_json(file.dump(), "").value();
  EXPECT_EQ(tokenizer.encode("baaa"), tokenizer.encode("b"));
  EXPECT_FALSE(tokenizer.encode(std::string(60, 'a') + "b").empty());  // else this runs for years
}

TEST(Tokenizer, WhatEndsInsideACharacterDecodesToReplacements) {
  const Tokenizer tokenizer = load_tokenizer(kVectors / "gpt2").value();
  Ids ids = tokenizer.encode("\xF0\x9F\x8C\x8D");
  ASSERT_GT(ids.size(), 1U);
  ids.pop_back();
  EXPECT_EQ(tokenizer.decode(ids), "\xEF\xBF\xBD");
  EXPECT_EQ(tokenizer.decode(Ids{-1, 999999}), "");
}

// ---- files that cannot be used

void refused(const json& file, const std::string& why) {
  const auto made = parse_tokenizer_json(file.dump(), "tokenizer.json");
  ASSERT_FALSE(made.ok()) << why;
  EXPECT_NE(made.error().message.find(why), std::string::npos) << made.error().message;
}

TEST(TokenizerFiles, WhatIsNotKnownIsRefusedByItsKey) {
  const json good = base_of("llama");
  ASSERT_TRUE(parse_tokenizer_json(good.dump(), "").ok());
  const auto with = [&](const char* key, const json& value) {
    json out = good;
    out[json::json_pointer(key)] = value;
    return out;
  };
  refused(with("/model/type", "Unigram"),
          "tokenizer.json: model.type: \"Unigram\" is not supported");
  refused(with("/normalizer", {{"type", "Precompiled"}}), "normalizer: the normalizer Precompiled");
  refused(with("/normalizer/normalizers/1", {{"type", "Nmt"}}),
          "normalizer[1]: the normalizer Nmt");
  refused(with("/pre_tokenizer", {{"type", "UnicodeScripts"}}), "the pre-tokenizer UnicodeScripts");
  refused(with("/pre_tokenizer", {{"type", "Whitespace"}}), "the pre-tokenizer Whitespace");
  refused(with("/pre_tokenizer", {{"type", "Metaspace"}, {"prepend_scheme", "first"}}),
          "pre_tokenizer.prepend_scheme: \"first\" is not supported");
  refused(with("/decoder", {{"type", "CTC"}}), "the decoder CTC");
  json nested = {{"type", "NFC"}};
  for (int i = 0; i < 100; ++i)
    nested = {{"type", "Sequence"}, {"normalizers", json::array({nested})}};
  refused(with("/normalizer", nested), "is nested too deeply for a tokenizer");
  refused(with("/post_processor", {{"type", "Odd"}}), "the post-processor Odd");
  refused(with("/pre_tokenizer",
               {{"type", "Split"}, {"pattern", {{"Regex", "(a"}}}, {"behavior", "Isolated"}}),
          "pre_tokenizer.pattern: (a is not a regular expression");
  refused(with("/pre_tokenizer",
               {{"type", "Split"}, {"pattern", {{"String", "a"}}}, {"behavior", "Contiguous"}}),
          "pre_tokenizer.behavior");
  refused(with("/model/unk_token", "<nothing>"), "model.unk_token: is not in the vocabulary");
  refused(with("/model/merges/3", "oneword"), "model.merges[3]: is not two tokens");
  refused(with("/model/merges/3", "no such"), "merge 4 (no such)");
  refused(with("/model/vocab/again", 5), "is there twice");
  refused(with("/model/vocab/far", 1 << 30), "token far has the id 1073741824");
  refused(with("/model/end_of_word_suffix", "</w>"), "model.end_of_word_suffix");
  refused(with("/added_tokens/0/id", -1), "added_tokens[0].id");
  refused(with("/added_tokens/0/single_word", true), "added_tokens[0].single_word");
  refused(with("/padding", {{"pad_id", -1}}), "padding.pad_id: is no id");
  refused(with("/padding", {{"pad_id", 512}}), "padding.pad_id: the id 512 is no token's");
  const auto framed_by = [&](const json& id) {
    return with("/post_processor",
                {{"type", "BertProcessing"}, {"cls", {"<s>", id}}, {"sep", {"</s>", 2}}});
  };
  EXPECT_TRUE(parse_tokenizer_json(framed_by(1).dump(), "").ok());
  refused(framed_by(std::int64_t{1} << 32), "post_processor.cls: is no id");
  refused(framed_by(512), "post_processor: the id 512 is no token's");
  EXPECT_FALSE(parse_tokenizer_json("{", "tokenizer.json").ok());
  EXPECT_FALSE(parse_tokenizer_json("[1]", "tokenizer.json").ok());
}

/// A small tokenizer.json of BERT that lower-cases, with a word that was added.
std::string shape_of_bert() {
  const auto token = [](int id, const char* content, bool special) {
    return json{{"id", id},        {"content", content}, {"single_word", false},  {"lstrip", false},
                {"rstrip", false}, {"special", special}, {"normalized", !special}};
  };
  json out = {{"normalizer", {{"type", "BertNormalizer"}, {"lowercase", true}}},
              {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
              {"model", {{"type", "WordPiece"}, {"unk_token", "[UNK]"}}}};
  const std::vector<const char*> words{"[PAD]", "[UNK]",  "[CLS]", "[SEP]",
                                       "trop",  "##onin", "-",     "t"};
  for (std::size_t i = 0; i < words.size(); ++i)
    out["model"]["vocab"][words[i]] = i;
  out["added_tokens"] = {token(0, "[PAD]", true), token(8, "Troponin-T", false)};
  return out.dump();
}

TEST(Tokenizer, WordsThatWereAddedAreFoundInTheNormalizedText) {
  const Tokenizer tokenizer = parse_tokenizer_json(shape_of_bert(), "tokenizer.json").value();
  EXPECT_EQ(tokenizer.encode("TROPONIN-T"), Ids{8});
  EXPECT_EQ(tokenizer.encode("troponin - t,Troponin-t"), (Ids{4, 5, 6, 7, 1, 8}));
  EXPECT_EQ(tokenizer.encode("[pad]"), (Ids{1, 1, 1})) << "special tokens are found as written";
  EXPECT_EQ(tokenizer.decode(Ids{8}), "Troponin-T");
}

/// Hugging Face's library was asked what it makes of these files
/// (scripts/dev/transformers_check.py).
TEST(TokenizerFiles, SettingsBesideAVocabularyAreFollowed) {
  const json vectors = json::parse(contents(kVectors / "settings.json"));
  ASSERT_GE(vectors["cases"].size(), 11U);
  for (const json& c : vectors["cases"]) {
    const TemporaryDirectory folder;
    json files = vectors["files"];
    files.merge_patch(c["files"]);
    for (const auto& [name, content] : files.items())
      std::ofstream(folder / name)
          << (content.is_string() ? content.get<std::string>() : content.dump());
    const auto tokenizer = load_tokenizer(folder / "");
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
    for (std::size_t i = 0; i < vectors["texts"].size(); ++i)
      EXPECT_EQ(json(tokenizer->encode_framed(vectors["texts"][i].get<std::string>(), 100)),
                c["ids"][i])
          << c["name"] << ": " << vectors["texts"][i];
  }
}

TEST(TokenizerFiles, SettingsThatAreNotFollowedAreRefusedByTheirKey) {
  const TemporaryDirectory folder;
  std::ofstream(folder / "vocab.txt") << "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n";
  const auto refused = [&](const char* file, const json& content, const std::string& reason) {
    std::ofstream(folder / file) << content;
    const auto made = load_tokenizer(folder / "");
    const std::string error = made.ok() ? "" : made.error().message;
    EXPECT_NE(error.find(reason), std::string::npos) << content << ": " << error;
    fs::remove(folder / file);
  };
  const char* config = "tokenizer_config.json";
  refused(config, {{"do_lower_case", "no"}}, "do_lower_case must be true or false");
  refused(config, {{"do_basic_tokenize", false}}, "do_basic_tokenize is false; supported: true");
  refused(config, {{"never_split", {"a"}}}, "never_split is [\"a\"]");
  refused(config, {{"truncation_side", "left"}}, "truncation_side is \"left\"");
  refused(config, {{"tokenizer_class", "BertJapaneseTokenizer"}},
          "tokenizer_class is \"BertJapaneseTokenizer\"");
  refused(config, {{"cls_token", "<s>"}}, "vocab.txt: the vocabulary has no <s> piece");
  refused(config, {{"cls_token", 5}}, "cls_token is no token");
  refused(config, {{"additional_special_tokens", {"<e>"}}},
          "the special token \"<e>\" has no id; the file needs added_tokens_decoder");
  const auto added = [](const char* id, const json& token) {
    return json{{"added_tokens_decoder", {{id, token}}}};
  };
  refused(config, added("4", {{"content", "x"}}), "which the vocabulary gives to another token");
  refused(config, added("7", {{"content", "a"}}), "which the vocabulary gives to none");
  refused(config, added("-1", {{"content", "x"}}), "added_tokens_decoder.-1 has no id");
  refused(config, added("5", {{"content", "x"}, {"single_word", true}}),
          "added_tokens_decoder.5.single_word is not supported");
  refused(config, "text", "tokenizer_config.json: is not an object");
  refused("added_tokens.json", {{"x", "5"}}, "added_tokens.json: x has no id");
  std::ofstream(folder / config) << R"({"sep_token": "[SEP]"})";
  refused("special_tokens_map.json", {{"sep_token", "a"}},
          "sep_token is \"a\", but tokenizer_config.json has \"[SEP]\"");
}

TEST(TokenizerFiles, ByteOrderMarksAndStandInsAreNamed) {
  const TemporaryDirectory folder;
  const auto error = [&] { return load_tokenizer(folder / "").error().message; };
  std::ofstream(folder / "vocab.txt") << "\xEF\xBB\xBF[PAD]\n[UNK]\n[CLS]\n[SEP]\n";
  EXPECT_NE(error().find("vocab.txt: begins with a byte order mark"), std::string::npos) << error();
  std::ofstream(folder / "vocab.txt") << "version https://git-lfs.github.com/spec/v1\n";
  EXPECT_NE(error().find("vocab.txt: is a Git LFS pointer"), std::string::npos) << error();
  std::ofstream(folder / "tokenizer.json") << "<!doctype html>";
  EXPECT_NE(error().find("tokenizer.json: is a web page"), std::string::npos) << error();
}

/// The same two files are read by many classes, each in its way.
TEST(TokenizerFiles, VocabularyAndMergesAreReadForGpt2Alone) {
  const TemporaryDirectory folder;
  std::ofstream(folder / "vocab.json") << R"({"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġab": 4})";
  std::ofstream(folder / "merges.txt") << "#version: 0.2\na b\nĠ ab\n";
  EXPECT_EQ(load_tokenizer(folder / "")->encode("ab"), Ids{2});
  std::ofstream(folder / "config.json") << R"({"model_type": "qwen2"})";
  EXPECT_NE(load_tokenizer(folder / "")
                .error()
                .message.find("model_type in config.json is "
                              "\"qwen2\""),
            std::string::npos);
  std::ofstream(folder / "tokenizer_config.json") << R"({"tokenizer_class": "Qwen2TokenizerFast"})";
  const std::string why = load_tokenizer(folder / "").error().message;
  EXPECT_NE(why.find("tokenizer_class is \"Qwen2Tokenizer\""), std::string::npos) << why;
  EXPECT_NE(why.find("save_pretrained"), std::string::npos) << why;
  std::ofstream(folder / "tokenizer_config.json")
      << R"({"tokenizer_class": "GPT2TokenizerFast", "add_prefix_space": true})";
  EXPECT_EQ(load_tokenizer(folder / "")->encode("ab"), Ids{4});
}

/// What Hugging Face's library takes from the one file and what from the other depends on the
/// class.
TEST(TokenizerFiles, SettingsThatContradictTokenizerJsonAreRefused) {
  const TemporaryDirectory folder;
  std::ofstream(folder / "tokenizer.json") << shape_of_bert();
  const auto error_with = [&](const json& settings) {
    std::ofstream(folder / "tokenizer_config.json") << settings;
    const auto made = load_tokenizer(folder / "");
    return made.ok() ? std::string() : made.error().message;
  };
  EXPECT_EQ(error_with({{"do_lower_case", true}, {"strip_accents", nullptr}}), "");
  EXPECT_NE(error_with({{"do_lower_case", false}}).find("do_lower_case is not what"),
            std::string::npos);
  EXPECT_NE(error_with({{"strip_accents", false}}).find("strip_accents is not what"),
            std::string::npos);
  const json added = {{"added_tokens_decoder", {{"9", {{"content", "new"}}}}}};
  EXPECT_NE(error_with(added).find("the added token \"new\" with the id 9 is not in"),
            std::string::npos);
}

TEST(TokenizerFiles, NameTheirFileAndLine) {
  const TemporaryDirectory folder;
  const auto error = [&] { return load_tokenizer(folder / "").error().message; };
  EXPECT_NE(error().find("has no tokenizer"), std::string::npos) << error();
  std::ofstream(folder / "vocab.txt") << "[PAD]\n[UNK]\n[CLS]\na\n";
  EXPECT_NE(error().find("vocab.txt: the vocabulary has no [SEP]"), std::string::npos) << error();
  std::ofstream(folder / "vocab.txt") << "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\na\n";
  EXPECT_NE(error().find("vocab.txt: token 5 (a) is there twice"), std::string::npos) << error();
  std::ofstream(folder / "vocab.txt") << "[PAD]\n[UNK]\n[CLS]\n[SEP]\nA\na\n";
  EXPECT_EQ(load_tokenizer(folder / "")->encode("A"), Ids{5});
  std::ofstream(folder / "tokenizer_config.json") << R"({"do_lower_case": false})";
  EXPECT_EQ(load_tokenizer(folder / "")->encode("A"), Ids{4});
  std::ofstream(folder / "vocab.json") << R"({"a": 0, "b": 1, "ab": 2})";
  EXPECT_NE(error().find("merges.txt"), std::string::npos) << error();
  std::ofstream(folder / "merges.txt") << "#version: 0.2\na b\nab\n";
  EXPECT_NE(error().find("merges.txt:3: the line must have two tokens"), std::string::npos)
      << error();
}

}  // namespace
}  // namespace sotto::text
