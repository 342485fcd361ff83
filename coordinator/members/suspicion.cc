#include "coordinator/members/suspicion.h"

#include <algorithm>
#include <utility>

namespace sotto::coordinator {

namespace {

std::set<MemberId> common(const std::set<MemberId>& a, const std::set<MemberId>& b) {
  std::set<MemberId> out;
  std::ranges::set_intersection(a, b, std::inserter(out, out.end()));
  return out;
}

void remove(std::set<MemberId>& from, const std::set<MemberId>& members) {
  std::erase_if(from, [&](MemberId id) { return members.contains(id); });
}

}  // namespace

void Suspicion::lost(const std::set<MemberId>& sum) {
  State& s = state_;
  s.searching = true;
  std::set<MemberId> suspects = common(s.suspects, sum);
  s.set_aside.merge(s.suspects);
  if (suspects.empty()) {
    s.set_aside.merge(s.suspended);
    s.suspended.clear();
    suspects = sum;
  }
  remove(s.set_aside, suspects);
  s.suspects = std::move(suspects);
  if (s.suspects.size() == 1) s.suspended.merge(std::exchange(s.suspects, {}));
}

void Suspicion::good(const std::set<MemberId>& sum) {
  State& s = state_;
  s.searching = false;
  for (std::set<MemberId>* group : {&s.suspects, &s.set_aside, &s.suspended})
    remove(*group, sum);
  if (s.suspects.empty()) s.suspects = std::exchange(s.set_aside, {});
}

void Suspicion::forget(MemberId member) {
  for (std::set<MemberId>* group : {&state_.suspects, &state_.set_aside, &state_.suspended})
    group->erase(member);
}

std::vector<MemberId> Suspicion::left_out(const std::vector<MemberId>& ready, std::size_t room,
                                          crypto::SecureRandom& random) const {
  std::vector<MemberId> order(state_.suspended.begin(), state_.suspended.end());
  std::vector<MemberId> suspects(state_.suspects.begin(), state_.suspects.end());
  crypto::StreamRandom draw(random);
  for (std::size_t i = 0; i < suspects.size(); ++i)
    std::swap(suspects[i], suspects[i + draw.below(suspects.size() - i)]);
  suspects.resize((suspects.size() + (state_.searching ? 1 : 0)) / 2);
  order.insert(order.end(), suspects.begin(), suspects.end());
  if (state_.searching) order.insert(order.end(), state_.set_aside.begin(), state_.set_aside.end());
  std::erase_if(order, [&](MemberId id) { return std::ranges::find(ready, id) == ready.end(); });
  order.resize(std::min(order.size(), room));
  return order;
}

}  // namespace sotto::coordinator
