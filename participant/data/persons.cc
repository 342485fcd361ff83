#include "participant/data/persons.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <tuple>
#include <unordered_set>

#include "common/base/check.h"
#include "common/crypto/hash.h"
#include "common/crypto/secure_random.h"
#include "participant/data/records.h"

namespace sotto::data {
namespace {

void put(ByteWriter& out, std::string_view text) {
  out.u64(text.size());
  out.bytes(view_of(text));
}

/// Returns the hash that ranks the examples of one person. Labels are not part of it, because they
/// are numbers of a job.
Bytes32 rank_of(const ExampleView& example) {
  ByteWriter content;
  put(content, example.person);
  put(content, example.text);
  for (const std::string_view word : example.words)
    put(content, word);
  Bytes bytes = content.take();
  const Bytes32 rank = crypto::hash("SOTTO person use", {bytes});
  crypto::wipe(bytes);
  return rank;
}

using PersonSet = std::unordered_set<Bytes32, HashOfDigest>;

Result<PersonSet> persons_of(const std::filesystem::path& file, const config::DataLayout& layout) {
  // The person is read as if it were the text, so that the form of the records does not matter.
  config::DataLayout persons = layout;
  persons.text = layout.person;
  persons.label.clear();
  persons.person.clear();
  SOTTO_ASSIGN_OR_RETURN(const RecordPlan plan, plan_for(file, persons, tasks::RecordForm::kTexts));
  SOTTO_ASSIGN_OR_RETURN(RecordReader reader, RecordReader::open(file, plan));
  PersonSet out;
  while (const auto record = reader.next())
    if (record->ok()) out.insert(person_digest(record->value()->text.text));
  return out;
}

}  // namespace

Bytes32 person_digest(std::string_view person) {
  return crypto::hash("SOTTO person", {view_of(person)});
}

std::size_t HashOfDigest::operator()(const Bytes32& digest) const {
  std::size_t out = 0;
  std::memcpy(&out, digest.data(), sizeof out);
  return out;
}

PersonExamples::PersonExamples(std::uint32_t most) : most_(most) {
  SOTTO_CHECK(most >= 1, "a person has at least one example");
}

void PersonExamples::add(const ExampleView& example) {
  const std::uint64_t index = count_++;
  if (example.person.empty()) {
    persons_.push_back({{Bytes32{}, index}});
    return;
  }
  const auto [found, is_new] = numbers_.try_emplace(person_digest(example.person), persons_.size());
  if (is_new) persons_.emplace_back();
  std::vector<Ranked>& chosen = persons_[found->second];
  const auto before = [](const Ranked& a, const Ranked& b) {
    return std::tie(a.rank, a.index) < std::tie(b.rank, b.index);
  };
  const Ranked next{rank_of(example), index};
  chosen.insert(std::ranges::upper_bound(chosen, next, before), next);
  if (chosen.size() > most_) chosen.pop_back();
}

std::vector<std::vector<std::uint64_t>> PersonExamples::take() {
  std::vector<std::vector<std::uint64_t>> out;
  out.reserve(persons_.size());
  for (const std::vector<Ranked>& chosen : persons_) {
    std::vector<std::uint64_t>& indices = out.emplace_back();
    for (const Ranked& example : chosen)
      indices.push_back(example.index);
    std::ranges::sort(indices);
  }
  return out;
}

Result<std::uint64_t> persons_in_both(const std::filesystem::path& train,
                                      const std::filesystem::path& evaluation,
                                      const config::DataLayout& layout) {
  SOTTO_ASSIGN_OR_RETURN(const PersonSet trained, persons_of(train, layout));
  SOTTO_ASSIGN_OR_RETURN(const PersonSet evaluated, persons_of(evaluation, layout));
  return static_cast<std::uint64_t>(std::ranges::count_if(
      evaluated, [&](const Bytes32& person) { return trained.contains(person); }));
}

}  // namespace sotto::data
