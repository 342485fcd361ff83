// What a site asks of an anonymised table: anonymise.json. Every column of the table has a role in
// it, so that none is published because it was forgotten.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/parse.h"

namespace sotto::anonymisation {

struct ColumnPlan {
  std::string role;               // "quasi_identifier", "sensitive", "kept", "removed"
  std::string kind = "category";  // or "number"
  std::filesystem::path
      hierarchy;  // quasi-identifier, category: values and groups, coarser rightwards
  std::vector<std::uint32_t> widths;  // quasi-identifier, number: of the levels' intervals
  double distinct_l = 1;              // sensitive: see judge.h
  double entropy_l = 1;
  double t = 1;
  std::string distance = "equal";  // or "ordered"
  std::vector<std::string> order;  // sensitive, category, ordered: the values from least to most
};

struct Plan {
  std::uint32_t k = 5;
  std::string method = "mondrian";  // or "full_domain"
  double max_suppressed = 0;        // part of the rows; full_domain alone leaves rows out
  std::map<std::string, ColumnPlan> columns;
};

/// All mistakes at once, as for the other configuration files. `overrides` as given by --set.
config::Parsed<Plan> parse_plan(std::string_view json, std::string_view file_name,
                                std::span<const std::string> overrides = {});
/// The same from a file; hierarchies are beside it. Throws StartupError.
Plan load_plan(const std::filesystem::path& file, std::span<const std::string> overrides = {});

}  // namespace sotto::anonymisation
