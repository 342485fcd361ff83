#include "common/config/field_values.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "common/base/utf8.h"

namespace sotto::config {

namespace {

/// Empty when the value was assigned, else the reason why it was not.
using Fault = std::optional<std::string>;

/// Returns the value as text for a sentence, shortened if it is long.
std::string found_text(const Json& json) {
  if (json.object() != nullptr) return "an object";
  if (const auto* list = std::get_if<Json::Array>(&json.value))
    return "a list of " + std::to_string(list->size());
  std::string text = canonical_text(json);
  constexpr std::size_t kShown = 60;
  return text.size() <= kShown ? text : text.substr(0, kShown) + "...";
}

bool text_fits(const std::string& text, const Limits& l) {
  if (!l.allowed.empty())
    return std::find(l.allowed.begin(), l.allowed.end(), text) != l.allowed.end();
  switch (l.text) {
    case TextRule::kName:
      return is_name(text);
    case TextRule::kEndpoint:
      return is_endpoint(text);
    case TextRule::kFree:
      break;
  }
  return text.size() <= kMaxTextLength && is_utf8(text);
}

std::optional<double> number_in(const Json& json) {
  if (const auto* v = std::get_if<double>(&json.value)) return *v;
  if (const auto* v = std::get_if<std::int64_t>(&json.value)) return static_cast<double>(*v);
  if (const auto* v = std::get_if<std::uint64_t>(&json.value)) return static_cast<double>(*v);
  return std::nullopt;
}

class Assign {
 public:
  Assign(const Json& json, const Field& field, const std::string& path, Mistakes& mistakes)
      : json_(json), field_(field), path_(path), mistakes_(mistakes) {}

  void operator()(bool* slot) const {
    const auto* v = std::get_if<bool>(&json_.value);
    if (v == nullptr) return refuse();
    *slot = *v;
  }

  void operator()(double* slot) const {
    const std::optional<double> v = number_in(json_);
    if (!v || !field_.limits.range.contains(*v)) return refuse();
    *slot = *v == 0 ? 0 : *v;  // -0 would give other canonical bytes than 0
  }

  void operator()(std::string* slot) const {
    const auto* v = std::get_if<std::string>(&json_.value);
    if (v == nullptr || !text_fits(*v, field_.limits)) return refuse();
    *slot = *v;
  }

  void operator()(std::filesystem::path* slot) const {
    const auto* v = std::get_if<std::string>(&json_.value);
    if (v == nullptr || v->empty() || !text_fits(*v, field_.limits)) return refuse();
    *slot = *v;
  }

  void operator()(MemberId* slot) const {
    std::uint32_t id = raw(*slot);
    (*this)(&id);
    *slot = MemberId{id};
  }

  template <std::size_t N>
  void operator()(std::array<std::uint8_t, N>* slot) const {
    const auto* v = std::get_if<std::string>(&json_.value);
    if (v == nullptr || v->size() != 2 * N) return refuse();
    const Result<Bytes> bytes = from_hex(*v);
    if (!bytes) return refuse();
    std::copy(bytes->begin(), bytes->end(), slot->begin());
  }

  void operator()(std::vector<std::string>* slot) const {
    const auto* list = std::get_if<Json::Array>(&json_.value);
    if (list == nullptr || !count_fits(list->size())) return refuse();
    std::vector<std::string> texts;
    for (const Json& item : *list) {
      const auto* text = std::get_if<std::string>(&item.value);
      if (text == nullptr || text->empty() || !text_fits(*text, field_.limits)) {
        mistakes_.add(path_, "found " + found_text(item) + " as item " +
                                 std::to_string(texts.size()) + "; allowed: " + describe(field_) +
                                 ", and no item may be empty");
        return;
      }
      texts.push_back(*text);
    }
    *slot = std::move(texts);
  }

  void operator()(std::vector<std::uint32_t>* slot) const {
    const auto* list = std::get_if<Json::Array>(&json_.value);
    if (list == nullptr || !count_fits(list->size())) return refuse();
    std::vector<std::uint32_t> numbers;
    for (const Json& item : *list) {
      const auto* v = std::get_if<std::uint64_t>(&item.value);
      if (v == nullptr || !field_.limits.range.contains(*v)) return refuse();
      numbers.push_back(static_cast<std::uint32_t>(*v));
    }
    *slot = std::move(numbers);
  }

  void operator()(const ChoiceSlot& slot) const {
    const auto* v = std::get_if<std::string>(&json_.value);
    if (v == nullptr || !slot.set(*v)) refuse();
  }

  template <class Item>
  void operator()(std::vector<Item>* slot) const {
    const auto* list = std::get_if<Json::Array>(&json_.value);
    if (list == nullptr || !count_fits(list->size())) return refuse();
    slot->assign(list->size(), {});
    for (std::size_t i = 0; i < list->size(); ++i)
      read_fields((*list)[i], fields_of((*slot)[i]), path_ + "[" + std::to_string(i) + "].",
                  mistakes_);
  }

  template <class Integer>
  void operator()(Integer* slot) const {
    // The value is not converted from double: 5.0 is not an integer in these files, and 2^53 + 1
    // must not become 2^53.
    const auto* v = std::get_if<std::uint64_t>(&json_.value);
    if (v == nullptr || *v < static_cast<std::uint64_t>(field_.limits.range.min) ||
        *v > static_cast<std::uint64_t>(field_.limits.range.max))
      return std::holds_alternative<double>(json_.value) ? refuse(" with a point or an exponent")
                                                         : refuse();
    *slot = static_cast<Integer>(*v);
  }

 private:
  void refuse(std::string_view how = {}) const {
    mistakes_.add(
        path_, "found " + found_text(json_) + std::string(how) + "; allowed: " + describe(field_));
  }

  [[nodiscard]] bool count_fits(std::size_t count) const {
    return count >= field_.limits.min_items && count <= field_.limits.max_items;
  }

  const Json& json_;
  const Field& field_;
  const std::string& path_;
  Mistakes& mistakes_;
};

/// Returns the value at `path`; null when it is missing, or when a section on the path is not an
/// object, which refuse_unauthenticated() reports.
const Json* find_path(const Json& root, std::string_view path) {
  const Json* at = &root;
  while (at != nullptr && !path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    at = at->find(path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return at;
}

bool is_field(std::string_view path, const std::vector<Field>& fields) {
  return std::any_of(fields.begin(), fields.end(), [&](const Field& f) { return f.path == path; });
}

bool is_section(std::string_view path, const std::vector<Field>& fields) {
  const std::string start = std::string(path) + ".";
  return std::any_of(fields.begin(), fields.end(),
                     [&](const Field& f) { return f.path.starts_with(start); });
}

/// Reports every key of the tree that is not in the table as a mistake.
void refuse_unauthenticated(const Json& json, std::string_view section,
                            const std::vector<Field>& fields, std::string_view prefix,
                            Mistakes& mistakes) {
  for (const JsonMember& member : *json.object()) {
    const std::string path = section.empty() ? member.key : std::string(section) + "." + member.key;
    if (is_field(path, fields)) continue;
    if (path == "$schema" && prefix.empty()) continue;  // for editors
    if (!is_section(path, fields))
      mistakes.add(std::string(prefix) + path, "unknown key" + nearest_key(path, fields));
    else if (member.value.object() == nullptr)
      mistakes.add(std::string(prefix) + path, "found " + found_text(member.value) +
                                                   "; this key is a section and needs an object");
    else
      refuse_unauthenticated(member.value, path, fields, prefix, mistakes);
  }
}

/// Returns the Levenshtein distance.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string_view leaf_of(std::string_view path) {
  return path.substr(path.rfind('.') + 1);
}

std::string_view section_of(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot);
}

}  // namespace

void Mistakes::add(std::string_view path, std::string_view what) {
  lines_.push_back(file_ + ": $" + (path.empty() ? "" : "." + std::string(path)) + ": " +
                   std::string(what));
  bad_.emplace(path);
}

void Mistakes::add(const JsonError& error) {
  lines_.push_back(file_ + ": " + error.where + ": " + error.what);
  if (error.where.starts_with("$.")) bad_.insert(error.where.substr(2));
}

bool Mistakes::is_bad(std::string_view path) const {
  if (bad_.contains(path) || bad_.contains(std::string_view{})) return true;
  for (std::size_t dot = path.find('.'); dot != std::string_view::npos;
       dot = path.find('.', dot + 1))
    if (bad_.contains(path.substr(0, dot))) return true;
  return false;
}

void Mistakes::add_unless_bad(std::initializer_list<std::string_view> compared,
                              std::string_view path, std::string_view what) {
  if (std::none_of(compared.begin(), compared.end(), [&](std::string_view p) { return is_bad(p); }))
    lines_.push_back(file_ + ": $." + std::string(path) + ": " + std::string(what));
}

void read_fields(const Json& root, const std::vector<Field>& fields, std::string_view prefix,
                 Mistakes& mistakes) {
  if (root.object() == nullptr) {
    const std::string_view whole = prefix.empty() ? prefix : prefix.substr(0, prefix.size() - 1);
    mistakes.add(whole, "found " + found_text(root) + "; the file must hold one object");
    return;
  }
  refuse_unauthenticated(root, {}, fields, prefix, mistakes);
  for (const Field& field : fields) {
    const std::string path = std::string(prefix) + std::string(field.path);
    if (const Json* json = find_path(root, field.path))
      std::visit(Assign(*json, field, path, mistakes), field.slot);
    else if (field.presence == Presence::kRequired)
      mistakes.add(path, "the key is missing; needed: " + describe(field));
  }
}

void apply_overrides(Json& root, std::span<const std::string> overrides,
                     const std::vector<Field>& fields, Mistakes& mistakes) {
  if (root.object() == nullptr) return;
  for (const std::string& override_text : overrides) {
    const std::size_t equals = override_text.find('=');
    const std::string path = override_text.substr(0, equals);
    const auto field =
        std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.path == path; });
    if (equals == std::string::npos || field == fields.end()) {
      mistakes.add(path, equals == std::string::npos
                             ? "--set needs an argument of the form path=value"
                             : "--set names an unknown key" + nearest_key(path, fields));
      continue;
    }
    const std::string text = override_text.substr(equals + 1);
    const bool is_text = std::holds_alternative<std::string*>(field->slot) ||
                         std::holds_alternative<std::filesystem::path*>(field->slot) ||
                         std::holds_alternative<ChoiceSlot>(field->slot);
    JsonDocument value = read_json(text);
    const bool plain = !value.errors.empty() || (is_text && !text.starts_with('"'));
    Json* at = &root;
    for (std::string_view rest = path; at != nullptr && !rest.empty();) {
      const std::size_t dot = std::min(rest.find('.'), rest.size());
      const bool usable =
          at->object() != nullptr || std::holds_alternative<std::nullptr_t>(at->value);
      at = usable ? &(*at)[rest.substr(0, dot)] : nullptr;
      rest.remove_prefix(std::min(dot + 1, rest.size()));
    }
    // When the section is not an object, read_fields reports it.
    if (at != nullptr) *at = plain ? Json{text} : std::move(value.root);
  }
}

std::string nearest_key(std::string_view path, const std::vector<Field>& fields) {
  // A key of the same name in another section is the first choice.
  for (const Field& field : fields)
    if (leaf_of(field.path) == leaf_of(path))
      return ", did you mean " + std::string(field.path) + "?";
  const Field* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(2, leaf_of(path).size() / 3) + 1;
  std::string siblings;
  for (const Field& field : fields) {
    // The whole path is compared too, so that "round.x" finds "rounds.x" in spite of the misspelt
    // section.
    const std::size_t distance = std::min(edit_distance(field.path, path),
                                          edit_distance(leaf_of(field.path), leaf_of(path)));
    if (distance < best_distance) {
      best = &field;
      best_distance = distance;
    }
    if (section_of(field.path) == section_of(path))
      siblings += (siblings.empty() ? "" : ", ") + std::string(leaf_of(field.path));
  }
  if (best != nullptr) return ", did you mean " + std::string(best->path) + "?";
  return siblings.empty() ? "" : "; the keys of this section are " + siblings;
}

}  // namespace sotto::config
