// Full-domain generalisation (Samarati 2001; Sweeney 2002): one level for each quasi-identifier,
// the same for every row, and rows left out where a class still fails. Of all combinations of
// levels the one with the least global certainty penalty is found, not only approached:
// combinations are tried in the order of what they lose before any row is left out, which rows left
// out can only add to.
#pragma once

#include <optional>
#include <vector>

#include "participant/deidentify/anonymisation/release.h"

namespace sotto::anonymisation {

class FullDomain {
 public:
  /// More combinations are refused: they would not end in a day.
  static constexpr std::size_t kMaxCombinations = 1000000;

  /// `data` outlives this. At most `max_suppressed` of the rows, as a part, may be left out.
  static Result<FullDomain> start(const Microdata& data, double max_suppressed);

  /// Tries one combination. False when the best one is known.
  bool advance();

  /// Part of the combinations that are done with.
  [[nodiscard]] double progress() const;

  /// Once, when advance() was false. An Error when no combination meets the plan.
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
  Judge judge_;
  std::size_t may_leave_out_;
  std::vector<Combination> combinations_;  // by loss
  std::size_t next_ = 0;
  std::optional<Candidate> best_;
};

}  // namespace sotto::anonymisation
