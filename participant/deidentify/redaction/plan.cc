#include "participant/deidentify/redaction/plan.h"

#include <algorithm>

#include <re2/re2.h>

#include "common/base/result.h"
#include "common/config/field_values.h"
#include "common/storage/atomic_file.h"

namespace sotto::redaction {

namespace {

using config::Field;
using config::Json;
using config::Mistakes;
using config::Presence;

constexpr std::size_t kMaxNameLabels = 1000;

bool is_pattern_name(std::string_view name) {
  return !name.empty() && name.size() <= config::kMaxNameLength &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
         });
}

void read_actions(const Json& json, RedactionPlan& plan, Mistakes& mistakes) {
  std::vector<Field> fields;
  for (const auto& kind : kKinds) {
    Action& action = plan.actions[static_cast<std::size_t>(kind.kind)];
    action = Action::kPlaceholder;
    fields.push_back({kind.name, &action, Presence::kOptional, {}, ""});
  }
  config::read_fields(json, fields, "actions.", mistakes);
  for (const auto& kind : kKinds) {
    if (plan.action(kind.kind) == Action::kGeneralise && !can_generalise(kind.kind))
      mistakes.add("actions." + std::string(kind.name),
                   "this cannot be generalised; only url, email, iban, ipv6, ipv4, date and phone "
                   "can");
  }
}

void read_patterns(const Json& json, RedactionPlan& plan, Mistakes& mistakes) {
  if (json.object() == nullptr)
    return mistakes.add("patterns", "this is a section, an object is needed");
  for (const auto& [name, body] : *json.object()) {
    PatternPlan pattern{.name = name, .action = Action::kPlaceholder};
    const std::string path = "patterns." + name;
    config::read_fields(body,
                        {{"regex", &pattern.regex, Presence::kRequired, {}, ""},
                         {"action", &pattern.action, Presence::kOptional, {}, ""}},
                        path + ".", mistakes);
    if (!is_pattern_name(name))
      mistakes.add(path, "the name of a pattern must consist of capital letters, digits and '_'");
    if (pattern.action == Action::kGeneralise)
      mistakes.add(path + ".action", "a pattern cannot be generalised");
    RE2::Options quiet;
    quiet.set_log_errors(false);
    const RE2 compiled(pattern.regex, quiet);
    if (!compiled.ok())
      mistakes.add(path + ".regex", "this is not a regular expression of RE2: " + compiled.error());
    else if (RE2::FullMatch("", compiled))
      mistakes.add(path + ".regex", "this expression also matches the empty text");
    plan.patterns.push_back(std::move(pattern));
  }
}

void read_names_model(const Json& json, RedactionPlan& plan, Mistakes& mistakes) {
  NamesModelPlan model;
  config::read_fields(json,
                      {{"path", &model.path, Presence::kRequired, {}, ""},
                       {"labels",
                        &model.labels,
                        Presence::kRequired,
                        {.min_items = 1, .max_items = kMaxNameLabels},
                        ""}},
                      "names_model.", mistakes);
  plan.names_model = std::move(model);
}

}  // namespace

bool RedactionPlan::needs_key() const {
  return std::ranges::find(actions, Action::kPseudonym) != actions.end() ||
         std::ranges::find(patterns, Action::kPseudonym, &PatternPlan::action) != patterns.end();
}

bool can_generalise(FindingKind kind) {
  switch (kind) {
    case FindingKind::kUrl:
    case FindingKind::kEmail:
    case FindingKind::kIban:
    case FindingKind::kIpv6:
    case FindingKind::kIpv4:
    case FindingKind::kDate:
    case FindingKind::kPhone:
      return true;
    default:
      return false;
  }
}

config::Parsed<RedactionPlan> parse_mask_plan(std::string_view json, std::string_view file_name) {
  config::JsonDocument document = config::read_json(json);
  Mistakes mistakes(file_name);
  for (const config::JsonError& error : document.errors)
    mistakes.add(error);
  RedactionPlan plan;
  if (document.root.object() == nullptr) {
    if (document.errors.empty()) mistakes.add("", "an object is needed");
    return config::ConfigErrors{mistakes.lines()};
  }
  if (const Json* actions = document.root.find("actions")) read_actions(*actions, plan, mistakes);
  if (const Json* patterns = document.root.find("patterns"))
    read_patterns(*patterns, plan, mistakes);
  if (const Json* model = document.root.find("names_model"))
    read_names_model(*model, plan, mistakes);
  auto& members = std::get<Json::Object>(document.root.value);
  std::erase_if(members, [](const auto& m) {
    return m.key == "actions" || m.key == "patterns" || m.key == "names_model";
  });
  config::read_fields(document.root, {{"names", &plan.names, Presence::kOptional, {}, ""}}, {},
                      mistakes);
  if (!mistakes.lines().empty()) return config::ConfigErrors{mistakes.lines()};
  return plan;
}

RedactionPlan load_mask_plan(const std::filesystem::path& file) {
  constexpr std::uint64_t kMaxBytes = 1 << 20;
  const Bytes bytes = storage::read_file(file, kMaxBytes).or_stop();
  RedactionPlan plan = config::value_or_throw(
      parse_mask_plan(std::string(bytes.begin(), bytes.end()), file.string()));
  const auto from_here = [&file](std::filesystem::path& path) {
    if (!path.empty() && path.is_relative()) path = (file.parent_path() / path).lexically_normal();
  };
  from_here(plan.names);
  if (plan.names_model) from_here(plan.names_model->path);
  return plan;
}

}  // namespace sotto::redaction
