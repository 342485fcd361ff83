#include "participant/text/vocabulary.h"

#include <sstream>

namespace sotto::text {
namespace {

// More tokens than any model has. The limit keeps a large id in a file from allocating memory.
constexpr std::int64_t kMostTokens = std::int64_t{1} << 24;

}  // namespace

Result<Vocabulary> Vocabulary::from_tokens(std::vector<std::string> tokens) {
  Vocabulary out;
  out.tokens_ = std::move(tokens);
  for (std::size_t id = 0; id < out.tokens_.size(); ++id)
    if (!out.ids_.emplace(out.tokens_[id], static_cast<std::int32_t>(id)).second)
      return Error{"token " + std::to_string(id) + " (" + out.tokens_[id] + ") is there twice"};
  return out;
}

Result<Vocabulary> Vocabulary::from_ids(
    const std::vector<std::pair<std::string, std::int64_t>>& ids) {
  Vocabulary out;
  for (const auto& [token, id] : ids) {
    if (id < 0 || id >= kMostTokens)
      return Error{"token " + token + " has the id " + std::to_string(id)};
    const auto place = static_cast<std::size_t>(id);
    if (place >= out.tokens_.size()) out.tokens_.resize(place + 1);
    const auto added = out.ids_.emplace(token, static_cast<std::int32_t>(id));
    if (!added.second && added.first->second == id) continue;  // repeated with the same id
    if (!added.second || !out.tokens_[place].empty())
      return Error{"token " + token + " or its id " + std::to_string(id) + " is there twice"};
    out.tokens_[place] = token;
  }
  return out;
}

Result<Vocabulary> Vocabulary::from_lines(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> tokens;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    tokens.push_back(std::move(line));
  }
  return from_tokens(std::move(tokens));
}

std::optional<std::int32_t> Vocabulary::find(std::string_view token) const {
  const auto at = ids_.find(token);
  if (at == ids_.end()) return std::nullopt;
  return at->second;
}

std::string_view Vocabulary::token(std::int32_t id) const {
  if (id < 0 || static_cast<std::size_t>(id) >= tokens_.size()) return {};
  return tokens_[static_cast<std::size_t>(id)];
}

}  // namespace sotto::text
