// The allowed values of a field in words, and its value as JSON.
#include <algorithm>
#include <limits>
#include <span>

#include "common/config/fields.h"

namespace sotto::config {

namespace {

std::string number_text(double v) {
  return canonical_text(Json{v});
}

std::string count_text(double v) {
  return canonical_text(Json{static_cast<std::uint64_t>(v)});
}

std::string join_quoted(std::span<const std::string_view> words) {
  std::string out;
  for (const std::string_view word : words)
    out += (out.empty() ? "\"" : ", \"") + std::string(word) + "\"";
  return out;
}

std::string describe_number(const Range& l) {
  const std::string min = number_text(l.min), max = number_text(l.max);
  if (l.above_min && l.below_max) return "a number above " + min + " and below " + max;
  if (l.above_min) return "a number above " + min + " and at most " + max;
  if (l.below_max) return "a number from " + min + " to below " + max;
  return "a number from " + min + " to " + max;
}

std::string describe_words(std::span<const std::string_view> words) {
  return (words.size() == 1 ? "only " : "one of ") + join_quoted(words);
}

std::string describe_text(const Limits& l) {
  if (!l.allowed.empty()) return describe_words(l.allowed);
  switch (l.text) {
    case TextRule::kName:
      return "1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit";
    case TextRule::kEndpoint:
      return "\"tcp://HOST:PORT\"";
    case TextRule::kFree:
      break;
  }
  return "text";
}

struct Describe {
  const Limits& l;

  std::string operator()(const bool*) const { return "true or false"; }

  std::string operator()(const double*) const { return describe_number(l.range); }

  std::string operator()(const std::string*) const { return describe_text(l); }

  std::string operator()(const ChoiceSlot& v) const { return describe_words(v.words()); }

  std::string operator()(const std::filesystem::path*) const { return "a path"; }

  std::string operator()(const Bytes32*) const { return "64 hexadecimal digits"; }

  std::string operator()(const Bytes64*) const { return "128 hexadecimal digits"; }

  std::string operator()(const std::vector<RosterMember>*) const {
    return "a list of at most " + std::to_string(l.max_items) + " members";
  }

  std::string operator()(const std::vector<Card>*) const {
    return "a list of at most " + std::to_string(l.max_items) + " cards";
  }

  std::string operator()(const std::vector<std::string>*) const {
    std::string out = "a list of " + std::to_string(l.min_items) + " to " +
                      std::to_string(l.max_items) + " texts";
    return l.allowed.empty() ? out : out + " out of " + join_quoted(l.allowed);
  }

  std::string operator()(const std::vector<std::uint32_t>*) const {
    return "a list of at most " + std::to_string(l.max_items) + " integers from " +
           count_text(l.range.min) + " to " + count_text(l.range.max);
  }

  template <class Integer>
  std::string operator()(const Integer*) const {
    if (l.range.min >= l.range.max) return "only " + count_text(l.range.min);
    return "an integer from " + count_text(l.range.min) + " to " + count_text(l.range.max);
  }
};

struct ToJson {
  Json operator()(const bool* v) const { return {*v}; }

  Json operator()(const double* v) const { return {*v}; }

  Json operator()(const std::string* v) const { return {*v}; }

  Json operator()(const ChoiceSlot& v) const { return {std::string(v.word())}; }

  Json operator()(const std::filesystem::path* v) const { return {v->string()}; }

  template <std::size_t N>
  Json operator()(const std::array<std::uint8_t, N>* v) const {
    return {to_hex(*v)};
  }

  Json operator()(const MemberId* v) const { return {std::uint64_t{raw(*v)}}; }

  Json operator()(const std::vector<std::string>* v) const {
    Json::Array out;
    for (const std::string& item : *v)
      out.push_back({item});
    return {std::move(out)};
  }

  Json operator()(const std::vector<std::uint32_t>* v) const {
    Json::Array out;
    for (const std::uint32_t item : *v)
      out.push_back({std::uint64_t{item}});
    return {std::move(out)};
  }

  template <class Item>
  Json operator()(const std::vector<Item>* v) const {
    Json::Array out;
    for (Item item : *v)
      out.push_back(tree_of(fields_of(item), Scope::kLocal));
    return {std::move(out)};
  }

  template <class Integer>
  Json operator()(const Integer* v) const {
    return {std::uint64_t{*v}};
  }
};

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

std::string describe(const Field& field) {
  return std::visit(Describe{field.limits}, field.slot);
}

Json value_of(const Field& field) {
  return std::visit(ToJson{}, field.slot);
}

Json tree_of(const std::vector<Field>& fields, Scope scope) {
  Json root{Json::Object{}};
  for (const Field& field : fields) {
    if (field.scope == Scope::kLocal && scope == Scope::kShared) continue;
    Json* at = &root;
    std::string_view rest = field.path;
    for (std::size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
      at = &(*at)[rest.substr(0, dot)];
      rest.remove_prefix(dot + 1);
    }
    (*at)[rest] = value_of(field);
  }
  return root;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameLength && is_alnum(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_endpoint(std::string_view text) {
  constexpr std::string_view kScheme = "tcp://";
  if (!text.starts_with(kScheme) || text.size() > 300) return false;
  const std::size_t colon = text.rfind(':');
  const std::string_view host =
      text.substr(kScheme.size(), colon - std::min(colon, kScheme.size()));
  const std::string_view port = text.substr(colon + 1);
  if (colon < kScheme.size() || host.empty() || port.empty() || port.size() > 5) return false;
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; }))
    return false;
  unsigned number = 0;
  for (const char c : port) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  return number >= 1 && number <= std::numeric_limits<std::uint16_t>::max();
}

}  // namespace sotto::config
