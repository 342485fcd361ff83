// Full-domain generalisation (Samarati 2001; Sweeney 2002): each quasi-identifier gets one level,
// the same for every row, and rows are left out where a class still does not meet the plan. The
// search is exact: it finds the combination of levels with the least global certainty penalty.
// Combinations are tried in the order of their loss with every row kept, which is a lower bound of
// their loss with rows left out.
#pragma once

#include <optional>
#include <vector>

#include "participant/deidentify/anonymisation/release.h"

namespace sotto::anonymisation {

class FullDomain {
 public:
  /// More combinations are refused, because they would not end in a day.
  static constexpr std::size_t kMaxCombinations = 1000000;

  /// Starts the search. `data` must outlive this object. At most the fraction `max_suppressed` of
  /// the rows may be left out.
  static Result<FullDomain> start(const Microdata& data, double max_suppressed);

  /// Tries one combination. Returns false when the best one is known.
  bool advance();

  /// Returns the fraction of the combinations that are done.
  [[nodiscard]] double progress() const;

  /// Returns the result; call it once, after advance() returned false. Returns an Error when no
  /// combination meets the plan.
  Result<Release> take();

 private:
  FullDomain(const Microdata& data, double max_suppressed);

  using Levels = std::vector<std::uint32_t>;

  struct Combination {
    double loss = 0;  // with every row kept
    Levels levels;
  };

  struct Candidate {
    double loss = 0;
    Levels levels;
    std::vector<std::vector<std::uint32_t>> kept;  // classes, as tuples
    std::vector<std::uint32_t> left_out;           // tuples
  };

  void list_combinations();
  [[nodiscard]] double level_loss(std::size_t column, std::size_t level,
                                  const std::vector<std::uint32_t>& tuples) const;
  [[nodiscard]] std::vector<std::vector<std::uint32_t>> classes_of(const Levels& levels) const;
  [[nodiscard]] std::optional<Candidate> candidate_of(const Levels& levels) const;

  const Microdata& data_;
  ClassRules class_rules_;
  std::size_t may_leave_out_;
  std::vector<Combination> combinations_;  // by loss
  std::size_t next_ = 0;
  std::optional<Candidate> best_;
};

}  // namespace sotto::anonymisation
