// Mondrian multidimensional k-anonymity (LeFevre, DeWitt, Ramakrishnan, ICDE 2006), in its strict
// form: the set of tuples is repeatedly cut in two, along the quasi-identifier that would lose
// most, between two of its values and as near to the middle as possible, as long as both halves may
// form classes. Numbers and categories are treated alike, because a Scale orders both.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "participant/deidentify/anonymisation/release.h"

namespace sotto::anonymisation {

class Mondrian {
 public:
  /// Starts the algorithm. `data` must outlive this object. Returns an Error when not even the
  /// whole table may form one class.
  static Result<Mondrian> start(const Microdata& data);

  /// Cuts one part or finishes it as a class. Returns false when no part is left.
  bool advance();

  /// Returns the fraction of the rows that are in finished classes.
  [[nodiscard]] double progress() const;

  /// Returns the result; call it once, after advance() returned false.
  [[nodiscard]] Release take() { return std::move(release_); }

 private:
  explicit Mondrian(const Microdata& data);

  struct Part {
    std::size_t begin = 0, end = 0;  // in tuples_
  };

  /// Sorts the part along a column and returns the best cut; nothing when all its values are equal.
  std::optional<std::size_t> sort_and_cut(const Part& part, std::size_t column);
  [[nodiscard]] std::vector<Label> labels(const Part& part) const;
  void finish(const Part& part, std::vector<Label> labels);

  [[nodiscard]] std::span<std::uint32_t> tuples(const Part& part) {
    return std::span(tuples_).subspan(part.begin, part.end - part.begin);
  }

  const Microdata& data_;
  ClassRules class_rules_;
  ClassRules::Counts whole_;
  std::vector<std::uint32_t> tuples_;
  std::vector<Part> open_;
  std::size_t finished_rows_ = 0;
  Release release_;
};

}  // namespace sotto::anonymisation
