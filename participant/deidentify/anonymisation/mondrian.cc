#include "participant/deidentify/anonymisation/mondrian.h"

#include <algorithm>
#include <numeric>

namespace sotto::anonymisation {

Mondrian::Mondrian(const Microdata& data)
    : data_(data), class_rules_(data), tuples_(data.tuples()) {
  std::iota(tuples_.begin(), tuples_.end(), 0U);
  whole_ = class_rules_.counts(tuples_);
  open_.push_back({0, tuples_.size()});
}

Result<Mondrian> Mondrian::start(const Microdata& data) {
  Mondrian out(data);
  if (!out.class_rules_.fits(out.tuples_, out.whole_))
    return Error{
        "the whole table as one class does not meet the plan: it has fewer rows than k, or too few "
        "or too uneven sensitive values for l"};
  return out;
}

bool Mondrian::advance() {
  if (open_.empty()) return false;
  const Part part = open_.back();
  open_.pop_back();
  std::vector<Label> names = labels(part);
  std::vector<std::size_t> columns(data_.quasi.size());
  std::iota(columns.begin(), columns.end(), std::size_t{0});
  std::ranges::stable_sort(
      columns, [&](std::size_t a, std::size_t b) { return names[a].loss > names[b].loss; });
  for (const std::size_t column : columns) {
    const auto cut = sort_and_cut(part, column);
    if (!cut) continue;
    const Part low{part.begin, *cut}, high{*cut, part.end};
    if (!class_rules_.fits(tuples(low), whole_) || !class_rules_.fits(tuples(high), whole_))
      continue;
    open_.push_back(high);
    open_.push_back(low);
    return true;
  }
  finish(part, std::move(names));
  return true;
}

double Mondrian::progress() const {
  return static_cast<double>(finished_rows_) / static_cast<double>(data_.rows);
}

std::optional<std::size_t> Mondrian::sort_and_cut(const Part& part, std::size_t column) {
  const auto all = tuples(part);
  const auto rank = [&](std::uint32_t tuple) { return data_.rank(tuple, column); };
  std::ranges::sort(all, [&](std::uint32_t a, std::uint32_t b) {
    return rank(a) != rank(b) ? rank(a) < rank(b) : a < b;
  });
  const std::size_t rows = class_rules_.rows(all);
  std::size_t below = 0, best_smaller = 0;
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    below += data_.rows_of[all[i]].size();
    if (rank(all[i]) == rank(all[i + 1])) continue;
    const std::size_t smaller = std::min(below, rows - below);
    if (smaller <= best_smaller) continue;
    best_smaller = smaller;
    best = part.begin + i + 1;
  }
  return best;
}

std::vector<Label> Mondrian::labels(const Part& part) const {
  std::vector<Label> out;
  for (std::size_t column = 0; column < data_.quasi.size(); ++column) {
    Rank least = UINT32_MAX, most = 0;
    for (std::size_t i = part.begin; i < part.end; ++i) {
      least = std::min(least, data_.rank(tuples_[i], column));
      most = std::max(most, data_.rank(tuples_[i], column));
    }
    out.push_back(data_.quasi[column].scale.cover(least, most));
  }
  return out;
}

void Mondrian::finish(const Part& part, std::vector<Label> labels) {
  ReleasedClass out{.labels = std::move(labels)};
  for (const std::uint32_t tuple : tuples(part))
    out.rows.insert(out.rows.end(), data_.rows_of[tuple].begin(), data_.rows_of[tuple].end());
  finished_rows_ += out.rows.size();
  release_.classes.push_back(std::move(out));
}

}  // namespace sotto::anonymisation
