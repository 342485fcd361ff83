// The requirements on an anonymised table: anonymise.json. The plan assigns a role to every column
// of the table, so that no column is published by omission.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/parse.h"
#include "common/config/words.h"
#include "participant/deidentify/anonymisation/class_rules.h"

namespace sotto {

namespace anonymisation {

enum class Role : std::uint8_t { kQuasiIdentifier, kSensitive, kKept, kRemoved };
enum class ColumnKind : std::uint8_t { kCategory, kNumber };
enum class Method : std::uint8_t { kMondrian, kFullDomain };

}  // namespace anonymisation

template <>
struct config::Words<anonymisation::Role> {
  static constexpr std::array<std::string_view, 4> all{"quasi_identifier", "sensitive", "kept",
                                                       "removed"};
};

template <>
struct config::Words<anonymisation::ColumnKind> {
  static constexpr std::array<std::string_view, 2> all{"category", "number"};
};

template <>
struct config::Words<anonymisation::Method> {
  static constexpr std::array<std::string_view, 2> all{"mondrian", "full_domain"};
};

template <>
struct config::Words<anonymisation::Distance> {
  static constexpr std::array<std::string_view, 2> all{"equal", "ordered"};
};

}  // namespace sotto

namespace sotto::anonymisation {

struct ColumnPlan {
  Role role = Role::kKept;  // the file states it for every column
  ColumnKind kind = ColumnKind::kCategory;
  std::filesystem::path hierarchy;    // quasi-identifier, category: values, then coarser groups
  std::vector<std::uint32_t> widths;  // quasi-identifier, number: of the levels' intervals
  double distinct_l = 1;              // sensitive: see judge.h
  double entropy_l = 1;
  double t = 1;
  Distance distance = Distance::kEqual;
  std::vector<std::string> order;  // sensitive, category, ordered: the values from least to most
};

struct AnonymisationPlan {
  std::uint32_t k = 5;
  Method method = Method::kMondrian;
  double max_suppressed = 0;  // fraction of the rows; only full_domain leaves rows out
  std::map<std::string, ColumnPlan> columns;
};

/// Parses a plan and reports all mistakes at once, as for the other configuration files.
/// `overrides` are as given by --set.
config::Parsed<AnonymisationPlan> parse_plan(std::string_view json, std::string_view file_name,
                                             std::span<const std::string> overrides = {});
/// Reads the same from a file; paths of hierarchies are relative to it. Throws StartupError.
AnonymisationPlan load_plan(const std::filesystem::path& file,
                            std::span<const std::string> overrides = {});

}  // namespace sotto::anonymisation
