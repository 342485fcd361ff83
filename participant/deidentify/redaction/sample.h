// Measurement of the detectors on texts whose personal data was marked by hand.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "participant/deidentify/redaction/redactor.h"

namespace sotto::redaction {

struct Score {
  std::size_t marked = 0;   // in the sample
  std::size_t found = 0;    // by the detectors
  std::size_t right = 0;    // marked and found, with the same kind and the same ends
  std::size_t covered = 0;  // marked ones of which every byte was found, as any kind

  [[nodiscard]] double precision() const { return ratio(right, found); }

  [[nodiscard]] double recall() const { return ratio(right, marked); }

 private:
  [[nodiscard]] static double ratio(std::size_t part, std::size_t whole) {
    return whole == 0 ? 1 : static_cast<double>(part) / static_cast<double>(whole);
  }
};

struct Scores {
  std::map<std::string, Score> by_kind;
  Score all;
  std::size_t lines = 0;
};

/// Scores a masker on a sample. A sample has one text in each line, marked as in
/// "<email>anna@example.org</email>"; lines that begin with "#" are comments. A kind is one of
/// kKinds or a pattern of the plan. An Error names line and column of a mark that is never closed
/// or has an unknown kind; errors of Masker::find() are returned.
Result<Scores> score(const Redactor& masker, std::string_view sample, const std::string& name);

}  // namespace sotto::redaction
