// Which examples of a split are about the same person, and which of them a job uses.
#pragma once

#include <cstdint>
#include <filesystem>
#include <unordered_map>
#include <vector>

#include "common/base/bytes.h"
#include "common/config/site.h"
#include "participant/data/example_source.h"

namespace sotto::data {

/// Returns a value that stands for the person in memory instead of her name.
Bytes32 person_digest(std::string_view person);

struct HashOfDigest {
  std::size_t operator()(const Bytes32& digest) const;
};

/// PersonExamples groups the examples of a split by person and chooses at most `most` examples of
/// each. An example without a person is a person of its own. The chosen examples of a person are
/// those with the smallest hashes of her name and their content. They therefore depend on no other
/// person, and stay the same in every round, run and job with the same `most`. One thread.
class PersonExamples {
 public:
  /// `most` >= 1 (SOTTO_CHECK).
  explicit PersonExamples(std::uint32_t most);

  /// Adds the next example; the first one has the index 0.
  void add(const ExampleView& example);

  /// Returns the indices of the chosen examples of each person, ascending; persons are in the order
  /// of their first example. Call once.
  std::vector<std::vector<std::uint64_t>> take();

 private:
  struct Ranked {
    Bytes32 rank;
    std::uint64_t index;
  };

  std::uint32_t most_;
  std::uint64_t count_ = 0;
  std::unordered_map<Bytes32, std::size_t, HashOfDigest> numbers_;
  std::vector<std::vector<Ranked>> persons_;  // the chosen so far, at most `most_` of each
};

/// Returns how many persons of the plain file `evaluation` also have a record in the plain file
/// `train`, whatever else is in the records; `layout` names the column of the person. Records whose
/// person cannot be read are skipped. An Error says why a file cannot be read.
Result<std::uint64_t> persons_in_both(const std::filesystem::path& train,
                                      const std::filesystem::path& evaluation,
                                      const config::DataLayout& layout);

}  // namespace sotto::data
