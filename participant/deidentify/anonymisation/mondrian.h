// Mondrian multidimensional k-anonymity (LeFevre, DeWitt, Ramakrishnan, ICDE 2006), strict: the
// tuples are cut in two, again and again, along the quasi-identifier that would lose most, between
// two of its values and as near to the middle as they allow, as long as both halves may be classes
// of their own. With numbers or categories alike, because a Scale puts both in an order.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "participant/deidentify/anonymisation/release.h"

namespace sotto::anonymisation {

class Mondrian {
 public:
  /// `data` outlives this. An Error when not even the whole table may be one class.
  static Result<Mondrian> start(const Microdata& data);

  /// Cuts one part or finds that it is a class. False when nothing is left to do.
  bool advance();

  /// Part of the rows that are in finished classes.
  [[nodiscard]] double progress() const;

  /// Once, when advance() was false.
  [[nodiscard]] Release take() { return std::move(release_); }

 private:
  explicit Mondrian(const Microdata& data);

  struct Part {
    std::size_t begin = 0, end = 0;  // in tuples_
  };

  /// Where the part, sorted along a column, is best cut; nothing when all its values are equal.
  std::optional<std::size_t> sort_and_cut(const Part& part, std::size_t column);
  [[nodiscard]] std::vector<Label> labels(const Part& part) const;
  void finish(const Part& part, std::vector<Label> labels);

  [[nodiscard]] std::span<std::uint32_t> tuples(const Part& part) {
    return std::span(tuples_).subspan(part.begin, part.end - part.begin);
  }

  const Microdata& data_;
  Judge judge_;
  Judge::Counts whole_;
  std::vector<std::uint32_t> tuples_;
  std::vector<Part> open_;
  std::size_t finished_rows_ = 0;
  Release release_;
};

}  // namespace sotto::anonymisation
