// Functions that state the allowed values in the tables of fields: fields.cc for job.json and
// federation.json, site_fields.cc for site.json, card_fields.cc for cards, plan.cc of
// participant/deidentify/anonymisation for its plan. Other files do not include this header.
#pragma once

#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config/fields.h"
#include "common/secagg/shared/cohort.h"

namespace sotto::config {

using secagg::kMaxColluders;
using secagg::kMaxMembers;

inline constexpr Presence kRequired = Presence::kRequired;
inline constexpr Presence kOptional = Presence::kOptional;
inline constexpr double kMaxExactInteger =
    9007199254740991;  // 2^53 - 1: the same in every JSON reader

/// For a field whose type alone determines the allowed values.
inline constexpr Limits kNoLimits{};

/// Returns the limits for a number whose range is declared by the code that uses it.
inline Limits within(const Range& range) {
  return {.range = range};
}

inline Limits from_to(double min, double max) {
  return within({.min = min, .max = max});
}

inline Limits above_to(double min, double max) {
  return within({.min = min, .max = max, .above_min = true});
}

inline Limits from_below(double min, double max) {
  return within({.min = min, .max = max, .below_max = true});
}

inline Limits between(double min, double max) {
  return within({.min = min, .max = max, .above_min = true, .below_max = true});
}

inline Limits one_of(std::vector<std::string_view> allowed) {
  return {.allowed = std::move(allowed)};
}

inline Limits items(std::size_t min, std::size_t max, std::vector<std::string_view> allowed = {}) {
  return {.allowed = std::move(allowed), .min_items = min, .max_items = max};
}

inline Limits name_text() {
  return {.text = TextRule::kName};
}

inline Limits endpoint_text() {
  return {.text = TextRule::kEndpoint};
}

inline void append(std::vector<Field>& all, std::vector<Field> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace sotto::config
