#include "participant/deidentify/anonymisation/full_domain.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

namespace sotto::anonymisation {

namespace {

std::vector<std::uint32_t> up_to(std::size_t count) {
  std::vector<std::uint32_t> all(count);
  std::iota(all.begin(), all.end(), 0U);
  return all;
}

}  // namespace

FullDomain::FullDomain(const Microdata& data, double max_suppressed)
    : data_(data),
      class_rules_(data),
      // 1e-9 compensates for binary rounding: a hundredth of a hundred rows is one row.
      may_leave_out_(static_cast<std::size_t>(
          std::floor(max_suppressed * static_cast<double>(data.rows) + 1e-9))) {}

Result<FullDomain> FullDomain::start(const Microdata& data, double max_suppressed) {
  std::size_t combinations = 1;
  for (const QuasiIdentifier& q : data.quasi) {
    combinations *= q.scale.levels();
    if (combinations > kMaxCombinations)
      return Error{"the hierarchies have more than " + std::to_string(kMaxCombinations) +
                   " combinations of levels; give fewer levels, or use mondrian"};
  }
  FullDomain out(data, max_suppressed);
  out.list_combinations();
  return out;
}

double FullDomain::level_loss(std::size_t column, std::size_t level,
                              const std::vector<std::uint32_t>& tuples) const {
  double loss = 0;
  for (const std::uint32_t tuple : tuples)
    loss += data_.quasi[column].scale.label(level, data_.rank(tuple, column)).loss *
            static_cast<double>(data_.rows_of[tuple].size());
  return loss / static_cast<double>(data_.rows * data_.quasi.size());
}

void FullDomain::list_combinations() {
  const std::vector<std::uint32_t> all = up_to(data_.tuples());
  combinations_ = {{}};
  for (std::size_t column = 0; column < data_.quasi.size(); ++column) {
    std::vector<Combination> longer;
    for (std::size_t level = 0; level < data_.quasi[column].scale.levels(); ++level) {
      const double loss = level_loss(column, level, all);
      for (const Combination& c : combinations_) {
        longer.push_back({c.loss + loss, c.levels});
        longer.back().levels.push_back(static_cast<std::uint32_t>(level));
      }
    }
    combinations_ = std::move(longer);
  }
  std::ranges::sort(combinations_, [](const Combination& a, const Combination& b) {
    return a.loss != b.loss ? a.loss < b.loss : a.levels < b.levels;
  });
}

bool FullDomain::advance() {
  // 1e-12 allows for sums in a different order.
  if (next_ == combinations_.size() || (best_ && combinations_[next_].loss >= best_->loss - 1e-12))
    return false;
  auto candidate = candidate_of(combinations_[next_++].levels);
  if (candidate && (!best_ || candidate->loss < best_->loss)) best_ = std::move(candidate);
  return true;
}

double FullDomain::progress() const {
  return static_cast<double>(next_) / static_cast<double>(combinations_.size());
}

std::vector<std::vector<std::uint32_t>> FullDomain::classes_of(const Levels& levels) const {
  // The class of a tuple after some columns, together with its group in the next column, determines
  // its class after that column.
  std::vector<std::uint32_t> class_of(data_.tuples(), 0);
  std::uint32_t count = 1;
  for (std::size_t column = 0; column < levels.size(); ++column) {
    std::unordered_map<std::uint64_t, std::uint32_t> refined;
    for (std::uint32_t tuple = 0; tuple < class_of.size(); ++tuple) {
      const std::uint64_t group =
          data_.quasi[column].scale.group(levels[column], data_.rank(tuple, column));
      class_of[tuple] = refined
                            .try_emplace(std::uint64_t{class_of[tuple]} << 32 | group,
                                         static_cast<std::uint32_t>(refined.size()))
                            .first->second;
    }
    count = static_cast<std::uint32_t>(refined.size());
  }
  std::vector<std::vector<std::uint32_t>> classes(count);
  for (std::uint32_t tuple = 0; tuple < class_of.size(); ++tuple)
    classes[class_of[tuple]].push_back(tuple);
  return classes;
}

std::optional<FullDomain::Candidate> FullDomain::candidate_of(const Levels& levels) const {
  Candidate out{.levels = levels, .kept = classes_of(levels)};
  std::size_t rows_left_out = 0;
  // Rows that are left out change the table that t is measured against, so the remaining classes
  // are evaluated again until all of them fit.
  for (bool again = true; again;) {
    std::vector<std::uint32_t> all;
    for (const auto& c : out.kept)
      all.insert(all.end(), c.begin(), c.end());
    const ClassRules::Counts whole = class_rules_.counts(all);
    std::vector<std::vector<std::uint32_t>> fitting;
    for (auto& c : out.kept) {
      if (class_rules_.fits(c, whole)) {
        fitting.push_back(std::move(c));
        continue;
      }
      rows_left_out += class_rules_.rows(c);
      if (rows_left_out > may_leave_out_) return std::nullopt;
      out.left_out.insert(out.left_out.end(), c.begin(), c.end());
    }
    again = fitting.size() != out.kept.size() && !fitting.empty();
    out.kept = std::move(fitting);
  }
  if (out.kept.empty()) return std::nullopt;
  for (std::size_t column = 0; column < levels.size(); ++column)
    for (const auto& c : out.kept)
      out.loss += level_loss(column, levels[column], c);
  out.loss += static_cast<double>(rows_left_out) / static_cast<double>(data_.rows);
  return out;
}

Result<Release> FullDomain::take() {
  if (!best_)
    return Error{"no combination of levels meets the plan with at most " +
                 std::to_string(may_leave_out_) +
                 " suppressed rows; increase max_suppressed, or make k, l and t less strict"};
  Release out;
  for (const auto& tuples : best_->kept) {
    ReleasedClass c;
    for (std::size_t column = 0; column < data_.quasi.size(); ++column)
      c.labels.push_back(data_.quasi[column].scale.label(best_->levels[column],
                                                         data_.rank(tuples.front(), column)));
    for (const std::uint32_t tuple : tuples)
      c.rows.insert(c.rows.end(), data_.rows_of[tuple].begin(), data_.rows_of[tuple].end());
    out.classes.push_back(std::move(c));
  }
  for (const std::uint32_t tuple : best_->left_out)
    out.suppressed.insert(out.suppressed.end(), data_.rows_of[tuple].begin(),
                          data_.rows_of[tuple].end());
  return out;
}

}  // namespace sotto::anonymisation
