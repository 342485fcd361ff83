#include "participant/text/tokenizer.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace sotto::text {
namespace {

/// The next added token in the text: the leftmost one, and of those at the same position the
/// longest.
struct Found {
  std::size_t at = std::string_view::npos;
  const AddedToken* token = nullptr;
};

Found next_added(std::string_view text, const std::vector<AddedToken>& added) {
  Found best;
  for (const AddedToken& token : added) {
    const std::size_t at = text.find(token.content);
    if (at == std::string_view::npos) continue;
    if (best.token == nullptr || at < best.at ||
        (at == best.at && token.content.size() > best.token->content.size()))
      best = {at, &token};
  }
  return best;
}

constexpr std::string_view kSpace = " \t\n\v\f\r";

std::string_view without_trailing_space(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

std::string_view without_leading_space(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(kSpace), text.size()));
}

/// Calls `on_token` for each added token in the text and `on_text` for what is between them, in
/// their order.
template <class OnText, class OnToken>
void cut_at_tokens(std::string_view text, const std::vector<AddedToken>& tokens,
                   const OnText& on_text, const OnToken& on_token) {
  while (!text.empty()) {
    const Found found = next_added(text, tokens);
    if (found.token == nullptr) return on_text(text);
    std::string_view plain = text.substr(0, found.at);
    if (found.token->strips_left) plain = without_trailing_space(plain);
    if (!plain.empty()) on_text(plain);
    on_token(*found.token);
    text.remove_prefix(found.at + found.token->content.size());
    if (found.token->strips_right) text = without_leading_space(text);
  }
}

}  // namespace

Tokenizer::Tokenizer(TokenizerParts parts) : parts_(std::move(parts)) {
  std::erase_if(parts_.added, [](const AddedToken& token) { return token.content.empty(); });
  for (const AddedToken& token : parts_.added) {
    std::vector<AddedToken>& tokens = token.normalized ? normalized_tokens_ : raw_tokens_;
    tokens.push_back(token);
    if (token.normalized) tokens.back().content = normalized(token.content);
    if (tokens.back().content.empty()) tokens.pop_back();
  }
}

const Vocabulary& Tokenizer::vocabulary() const {
  return std::visit([](const auto& model) -> const Vocabulary& { return model.vocabulary(); },
                    parts_.model);
}

std::int32_t Tokenizer::size() const {
  auto size = static_cast<std::int32_t>(vocabulary().tokens().size());
  for (const AddedToken& token : parts_.added)
    size = std::max(size, token.id + 1);
  return size;
}

std::optional<std::int32_t> Tokenizer::find(std::string_view token) const {
  const auto at = std::ranges::find(parts_.added, token, &AddedToken::content);
  return at == parts_.added.end() ? vocabulary().find(token) : at->id;
}

std::string_view Tokenizer::token(std::int32_t id) const {
  const auto at = std::ranges::find(parts_.added, id, &AddedToken::id);
  return at == parts_.added.end() ? vocabulary().token(id) : std::string_view(at->content);
}

std::string Tokenizer::normalized(std::string text) const {
  for (const Normalizer& normalize : parts_.normalizers)
    text = normalize(std::move(text));
  return text;
}

/// Encodes a normalized text without added tokens.
void Tokenizer::encode_normalized(std::string_view text, std::vector<std::int32_t>& ids) const {
  std::vector<std::string> pieces{std::string(text)};
  for (const Splitter& split : parts_.splitters) {
    std::vector<std::string> finer;
    for (const std::string& piece : pieces)
      std::ranges::move(split(piece), std::back_inserter(finer));
    pieces = std::move(finer);
  }
  for (const std::string& piece : pieces)
    std::visit([&](const auto& model) { model.encode(piece, ids); }, parts_.model);
}

/// Encodes a text without those added tokens that are found before the normalizers.
void Tokenizer::encode_plain(std::string_view text, std::vector<std::int32_t>& ids) const {
  const std::string clean = normalized(std::string(text));
  cut_at_tokens(
      clean, normalized_tokens_, [&](std::string_view part) { encode_normalized(part, ids); },
      [&](const AddedToken& token) { ids.push_back(token.id); });
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> ids;
  cut_at_tokens(
      valid_utf8(text), raw_tokens_, [&](std::string_view part) { encode_plain(part, ids); },
      [&](const AddedToken& token) { ids.push_back(token.id); });
  return ids;
}

std::vector<std::int32_t> Tokenizer::encode_framed(std::string_view text,
                                                   std::size_t max_length) const {
  SOTTO_CHECK(max_length >= frame(), "no room for the frame of a text");
  std::vector<std::int32_t> ids = encode(text);
  ids.resize(std::min(ids.size(), max_length - frame()));
  ids.insert(ids.begin(), parts_.before.begin(), parts_.before.end());
  ids.insert(ids.end(), parts_.after.begin(), parts_.after.end());
  return ids;
}

TokenizedWords Tokenizer::encode_words(std::span<const std::string_view> words,
                                       std::size_t max_length) const {
  SOTTO_CHECK(max_length >= frame(), "no room for the frame of a text");
  // Byte-level vocabularies have separate tokens for a word after a blank. Where a step adds or
  // removes the blank itself, a second blank would give another token.
  std::vector<std::int32_t> twice = encode("a");
  twice.insert(twice.end(), twice.begin(),
               twice.begin() + static_cast<std::ptrdiff_t>(twice.size()));
  const std::string blank = encode("a a") == twice ? "" : " ";
  const std::size_t room = max_length - parts_.after.size();
  TokenizedWords out{.ids = parts_.before};
  for (const std::string_view word : words) {
    const std::vector<std::int32_t> pieces =
        out.first_piece.empty() ? encode(word) : encode(blank + std::string(word));
    const bool seen = !pieces.empty() && out.ids.size() < room;
    out.first_piece.push_back(seen ? std::optional(out.ids.size()) : std::nullopt);
    const std::size_t taken = std::min(pieces.size(), room - out.ids.size());
    out.ids.insert(out.ids.end(), pieces.begin(),
                   pieces.begin() + static_cast<std::ptrdiff_t>(taken));
  }
  out.ids.insert(out.ids.end(), parts_.after.begin(), parts_.after.end());
  return out;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::vector<std::string> tokens;
  for (const std::int32_t id : ids) {
    const auto added = std::ranges::find(parts_.added, id, &AddedToken::id);
    if (added == parts_.added.end())
      tokens.emplace_back(vocabulary().token(id));
    else if (!added->special)
      tokens.push_back(added->content);
  }
  for (const Decoder& decode : parts_.decoders)
    tokens = decode(std::move(tokens));
  std::string text;
  for (const std::string& token : tokens)
    text += token;
  return valid_utf8(text);
}

}  // namespace sotto::text
