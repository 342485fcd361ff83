#include "participant/text/tokenizer_settings.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "common/base/stand_in.h"

namespace sotto::text {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kConfig = "tokenizer_config.json";
constexpr const char* kSpecial = "special_tokens_map.json";
constexpr const char* kAdded = "added_tokens.json";

/// SettingsReader reads one file after the other and keeps the first mistake.
class SettingsReader {
 public:
  explicit SettingsReader(fs::path folder) : folder_(std::move(folder)) {}

  Result<TokenizerSettings> read() {
    open(kConfig);
    read_config();
    read_special();
    open(kSpecial);
    read_special();
    open(kAdded);
    for (const auto& [content, id] : object_.items())
      add({.content = content, .normalized = !is_special(content)}, id, content);
    if (!mistake_.empty()) return Error{mistake_};
    return std::move(out_);
  }

 private:
  void note(const std::string& key, const std::string& what) {
    if (mistake_.empty()) mistake_ = (folder_ / file_).string() + ": " + key + " " + what;
  }

  /// Continues with another file; with an empty object when it does not exist.
  void open(const char* file) {
    file_ = file;
    object_ = Json::object();
    std::error_code ignored;
    if (!fs::exists(folder_ / file, ignored) || !mistake_.empty()) return;
    const Result<std::string> text = read_model_text(folder_ / file, ByteOrderMark::kAllowed);
    if (!text.ok()) {
      mistake_ = text.error().message;
      return;
    }
    object_ = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
    if (object_.is_object()) return;
    mistake_ = (folder_ / file).string() + ": is not an object";
    object_ = Json::object();
  }

  [[nodiscard]] const Json* find(const std::string& key) const {
    const auto at = object_.find(key);
    return at == object_.end() || at->is_null() ? nullptr : &*at;
  }

  std::optional<bool> flag(const char* key) {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_boolean()) return value->get<bool>();
    note(key, "must be true or false");
    return std::nullopt;
  }

  /// Checks a setting of which one value is supported.
  void only(const char* key, const Json& supported) {
    if (const Json* value = find(key); value != nullptr && *value != supported)
      note(key, "is " + value->dump().substr(0, 60) + "; supported: " + supported.dump());
  }

  void read_config() {
    if (const Json* name = find("tokenizer_class"); name != nullptr && name->is_string())
      out_.tokenizer_class = *name;
    else if (name != nullptr)
      note("tokenizer_class", "is not a text");
    if (out_.tokenizer_class.ends_with("Fast"))
      out_.tokenizer_class.resize(out_.tokenizer_class.size() - 4);
    out_.do_lower_case = flag("do_lower_case");
    out_.strip_accents = flag("strip_accents");
    out_.tokenize_chinese_chars = flag("tokenize_chinese_chars");
    out_.clean_text = flag("clean_text");
    out_.add_prefix_space = flag("add_prefix_space");
    if (const Json* prefix = find("wordpieces_prefix"); prefix != nullptr && prefix->is_string())
      out_.wordpieces_prefix = prefix->get<std::string>();
    only("do_basic_tokenize", true);
    only("never_split", Json::array());
    only("split_special_tokens", false);
    only("truncation_side", "right");
    if (const Json* tokens = find("added_tokens_decoder"); tokens != nullptr) {
      if (!tokens->is_object()) return note("added_tokens_decoder", "is not an object");
      for (const auto& [id, token] : tokens->items())
        add_decoded(id, token);
    }
  }

  void add_decoded(const std::string& id, const Json& token) {
    const std::string where = std::string("added_tokens_decoder.") + id;
    std::int64_t number = -1;
    std::from_chars(id.data(), id.data() + id.size(), number);
    if (auto read = token_of(token, where, token.is_object() && token.value("special", false)))
      add(std::move(*read), number, where);
  }

  void add(AddedToken token, const Json& id, const std::string& where) {
    const std::int64_t number = id.is_number_integer() ? id.get<std::int64_t>() : -1;
    if (number < 0 || number >= kMostIds) return note(where, "has no id");
    token.id = static_cast<std::int32_t>(number);
    const auto same = std::ranges::find(out_.added, token.content, &AddedToken::content);
    if (same == out_.added.end()) return out_.added.push_back(std::move(token));
    if (same->id != token.id)
      note(where, "has the id " + std::to_string(token.id) + ", but another entry has " +
                      std::to_string(same->id) + " for the same token");
  }

  /// Reads a token that is a text or an object with its content and properties.
  std::optional<AddedToken> token_of(const Json& token, const std::string& where, bool special) {
    if (token.is_string()) return AddedToken{.content = token, .special = special};
    const auto content = token.is_object() ? token.find("content") : token.end();
    if (!token.is_object() || content == token.end() || !content->is_string()) {
      note(where, "is no token");
      return std::nullopt;
    }
    const auto property = [&](const char* key, bool otherwise) {
      const auto at = token.find(key);
      return at != token.end() && at->is_boolean() ? at->get<bool>() : otherwise;
    };
    if (property("single_word", false)) note(where + ".single_word", "is not supported");
    return AddedToken{.content = *content,
                      .special = special,
                      .strips_left = property("lstrip", false),
                      .strips_right = property("rstrip", false),
                      .normalized = property("normalized", !special)};
  }

  /// Reads the special tokens by their roles, which both tokenizer_config.json and
  /// special_tokens_map.json have.
  void read_special() {
    for (const char* role : {"unk_token", "cls_token", "sep_token", "pad_token", "mask_token",
                             "bos_token", "eos_token"})
      if (const Json* value = find(role); value != nullptr)
        if (auto token = token_of(*value, role, true)) {
          token->normalized = false;
          const auto [at, added] = out_.special.emplace(role, *token);
          if (!added && at->second.content != token->content)
            note(role, "is \"" + token->content + "\", but " + kConfig + " has \"" +
                           at->second.content + "\"");
        }
    for (const char* key : {"additional_special_tokens", "extra_special_tokens"})
      if (const Json* list = find(key); list != nullptr)
        for (const Json& item : *list)
          if (const auto token = token_of(item, key, true))
            out_.more_special.push_back(token->content);
  }

  [[nodiscard]] bool is_special(const std::string& content) const {
    return std::ranges::any_of(out_.special,
                               [&](const auto& s) { return s.second.content == content; }) ||
           std::ranges::find(out_.more_special, content) != out_.more_special.end();
  }

  static constexpr std::int64_t kMostIds = std::int64_t{1} << 24;

  fs::path folder_;
  std::string file_;
  Json object_ = Json::object();
  TokenizerSettings out_;
  std::string mistake_;
};

}  // namespace

AddedToken TokenizerSettings::special_token(const std::string& role, const char* otherwise) const {
  const auto at = special.find(role);
  return at == special.end() ? AddedToken{.content = otherwise, .special = true} : at->second;
}

Result<TokenizerSettings> read_tokenizer_settings(const fs::path& folder) {
  return SettingsReader(folder).read();
}

Result<std::string> read_model_text(const fs::path& file, ByteOrderMark mark) {
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) return Error{file.string() + ": is a folder"};
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) return Error{file.string() + ": cannot be read"};
  if (const std::string other = stand_in(view_of(text)); !other.empty())
    return Error{file.string() + ": " + other};
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    return Error{file.string() + ": is UTF-16; convert it to UTF-8"};
  if (mark == ByteOrderMark::kRefused && text.starts_with("\xEF\xBB\xBF"))
    return Error{file.string() +
                 ": begins with a byte order mark, which would be a part of its first token; save "
                 "it as UTF-8 without the mark"};
  return text;
}

}  // namespace sotto::text
