#include "participant/data/guarded_slots.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/base/check.h"
#include "common/crypto/secret.h"

namespace sotto::data {
namespace {

constexpr std::size_t kGranule = 64;

std::size_t rounded(std::size_t size) {
  return (size + kGranule - 1) / kGranule * kGranule;
}

}  // namespace

GuardedSlots::GuardedSlots(crypto::GuardedMemory memory) : memory_(std::move(memory)) {
  free_[0] = memory_.bytes().size();
}

std::optional<std::span<std::uint8_t>> GuardedSlots::take(std::size_t size) {
  SOTTO_CHECK(size > 0, "a slot has a size");
  const std::size_t needed = rounded(size);
  const auto found =
      std::ranges::find_if(free_, [needed](const auto& run) { return run.second >= needed; });
  if (found == free_.end()) return std::nullopt;
  const auto [offset, room] = *found;
  free_.erase(found);
  if (room > needed) free_[offset + needed] = room - needed;
  return memory_.bytes().subspan(offset, size);
}

void GuardedSlots::give_back(std::span<std::uint8_t> slot) {
  crypto::wipe(slot);
  const auto offset = static_cast<std::size_t>(slot.data() - memory_.bytes().data());
  auto run = free_.emplace(offset, rounded(slot.size())).first;
  if (const auto next = std::next(run);
      next != free_.end() && run->first + run->second == next->first) {
    run->second += next->second;
    free_.erase(next);
  }
  if (run == free_.begin()) return;
  if (const auto before = std::prev(run); before->first + before->second == run->first) {
    before->second += run->second;
    free_.erase(run);
  }
}

}  // namespace sotto::data
