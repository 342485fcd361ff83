#include "participant/deidentify/anonymisation/plan.h"

#include <algorithm>

#include "common/base/result.h"
#include "common/config/field_limits.h"
#include "common/config/field_values.h"
#include "common/storage/atomic_file.h"

namespace sotto::anonymisation {

namespace {

using config::above_to;
using config::Field;
using config::from_to;
using config::items;
using config::Json;
using config::kNoLimits;
using config::kOptional;
using config::kRequired;
using config::Mistakes;

std::vector<Field> fields_of(AnonymisationPlan& p) {
  return {
      {"k", &p.k, kRequired, from_to(2, 1000000), "Smallest number of rows of a class."},
      {"method", &p.method, kOptional, kNoLimits, ""},
      {"max_suppressed", &p.max_suppressed, kOptional, from_to(0, 1), ""},
  };
}

std::vector<Field> fields_of(ColumnPlan& c) {
  return {
      {"role", &c.role, kRequired, kNoLimits, ""},
      {"kind", &c.kind, kOptional, kNoLimits, ""},
      {"hierarchy", &c.hierarchy, kOptional, kNoLimits, ""},
      {"widths",
       &c.widths,
       kOptional,
       {.range = {.min = 1, .max = 1e9}, .min_items = 0, .max_items = 32},
       ""},
      {"distinct_l", &c.distinct_l, kOptional, from_to(1, 1e6), ""},
      {"entropy_l", &c.entropy_l, kOptional, from_to(1, 1e6), ""},
      {"t", &c.t, kOptional, above_to(0, 1), ""},
      {"distance", &c.distance, kOptional, kNoLimits, ""},
      {"order", &c.order, kOptional, items(0, 10000), ""},
  };
}

/// Applies --set of a plan's own keys, and "columns.NAME.KEY=VALUE"; a column's name may contain
/// dots.
void apply(std::span<const std::string> overrides, AnonymisationPlan& plan, Json& root,
           Mistakes& mistakes) {
  constexpr std::string_view kColumns = "columns.";
  for (const std::string& text : overrides) {
    const std::size_t dot = text.rfind('.', text.find('='));
    if (!text.starts_with(kColumns) || dot < kColumns.size()) {
      config::apply_overrides(root, {&text, 1}, fields_of(plan), mistakes);
      continue;
    }
    const std::string name = text.substr(kColumns.size(), dot - kColumns.size());
    const Json* columns = root.find("columns");
    if (columns == nullptr || columns->find(name) == nullptr) {
      mistakes.add("columns." + name, "--set names a column that the plan does not have");
      continue;
    }
    ColumnPlan scratch;
    const std::string rest = text.substr(dot + 1);
    config::apply_overrides(root["columns"][name], {&rest, 1}, fields_of(scratch), mistakes);
  }
}

void check_column(const ColumnPlan& c, const std::string& path, Mistakes& mistakes) {
  const bool quasi = c.role == Role::kQuasiIdentifier;
  const bool sensitive = c.role == Role::kSensitive;
  const bool number = c.kind == ColumnKind::kNumber;
  const auto refuse_if = [&](bool wrong, const char* key, const char* what) {
    if (wrong) mistakes.add_unless_bad({path, path + ".role", path + ".kind"}, path + key, what);
  };
  refuse_if(!c.hierarchy.empty() && (!quasi || number), ".hierarchy",
            "only a quasi_identifier of kind category has a hierarchy");
  refuse_if(!c.widths.empty() && (!quasi || !number), ".widths",
            "only a quasi_identifier of kind number has widths");
  for (std::size_t i = 1; i < c.widths.size(); ++i)
    refuse_if(c.widths[i] % c.widths[i - 1] != 0 || c.widths[i] == c.widths[i - 1], ".widths",
              "each number must be a larger multiple of the one before, so that intervals lie "
              "inside intervals");
  const bool judged = c.distinct_l != 1 || c.entropy_l != 1 || c.t != 1;
  refuse_if(!sensitive && (judged || c.distance != Distance::kEqual), ".role",
            "only a sensitive column has distinct_l, entropy_l, t and distance");
  const bool needs_order = sensitive && !number && c.distance == Distance::kOrdered;
  refuse_if(needs_order && c.order.empty(), ".order",
            "the key is missing; an ordered distance between categories needs their order");
  refuse_if(!needs_order && !c.order.empty(), ".order",
            "only a sensitive column of kind category with an ordered distance has an order");
}

}  // namespace

config::Parsed<AnonymisationPlan> parse_plan(std::string_view json, std::string_view file_name,
                                             std::span<const std::string> overrides) {
  config::JsonDocument document = config::read_json(json);
  Mistakes mistakes(file_name);
  for (const config::JsonError& error : document.errors)
    mistakes.add(error);
  AnonymisationPlan plan;
  if (document.root.object() == nullptr) {
    if (document.errors.empty()) mistakes.add("", "an object is needed");
    return config::ConfigErrors{mistakes.lines()};
  }
  apply(overrides, plan, document.root, mistakes);
  // The columns' names depend on the table, so they are removed before the fixed keys are read.
  auto& members = std::get<Json::Object>(document.root.value);
  const auto found = std::ranges::find(members, "columns", &config::JsonMember::key);
  const Json columns = found == members.end() ? Json{} : std::move(found->value);
  if (found != members.end()) members.erase(found);
  config::read_fields(document.root, fields_of(plan), {}, mistakes);
  if (columns.object() == nullptr || columns.object()->empty()) {
    mistakes.add("columns", "the key is missing; needed: an object with every column of the table");
    return config::ConfigErrors{mistakes.lines()};
  }
  bool any_quasi = false;
  for (const auto& [name, body] : *columns.object()) {
    ColumnPlan& column = plan.columns[name];
    config::read_fields(body, fields_of(column), "columns." + name + ".", mistakes);
    check_column(column, "columns." + name, mistakes);
    any_quasi = any_quasi || column.role == Role::kQuasiIdentifier;
  }
  if (!any_quasi)
    mistakes.add_unless_bad({"columns"}, "columns", "no column is a quasi_identifier");
  if (!mistakes.lines().empty()) return config::ConfigErrors{mistakes.lines()};
  return plan;
}

AnonymisationPlan load_plan(const std::filesystem::path& file,
                            std::span<const std::string> overrides) {
  constexpr std::uint64_t kMaxBytes = 16 << 20;
  const Bytes bytes = storage::read_file(file, kMaxBytes).or_stop();
  AnonymisationPlan plan = config::value_or_throw(
      parse_plan(std::string(bytes.begin(), bytes.end()), file.string(), overrides));
  for (auto& [name, column] : plan.columns)
    if (!column.hierarchy.empty() && column.hierarchy.is_relative())
      column.hierarchy = (file.parent_path() / column.hierarchy).lexically_normal();
  return plan;
}

}  // namespace sotto::anonymisation
