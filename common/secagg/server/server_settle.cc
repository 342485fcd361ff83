// Complaints at the coordinator, from M4A to U2 (docs/secure-aggregation.md, "Bad shares").

#include "common/secagg/server/server_state.h"

namespace sotto::secagg {

// ---- Check

MessageResult Server::accept(const wire::ShareCheck& m4a) {
  State& state = *state_;
  const auto from = state.cohort.index_of(m4a.id);
  if (!from) return MessageResult::rejected("M4A: not a member of the cohort");
  auto& held = state.sent[*from].m4a;
  if (auto again = repeated(held, m4a)) return *again;
  if (!state.v) return MessageResult::rejected("M4A: before the shares were forwarded");
  if (state.asked) return MessageResult::ignored("M4A: late");
  if (!contains(*state.v, *from)) return MessageResult::rejected("M4A: not in V");
  if (m4a.d_v != state.d_v) return MessageResult::rejected("M4A: another V");
  auto bad = wire::from_bitmap(state.header.n, m4a.bad_dealers);
  if (!bad.ok()) return MessageResult::rejected("M4A: " + bad.error().message);
  auto keys = wire::from_bitmap(state.header.n, m4a.other_keys);
  if (!keys.ok()) return MessageResult::rejected("M4A: " + keys.error().message);
  const IndexSet dealers = intersection(state.graph.neighbours(*from), *state.v);
  if (!is_subset(*bad, dealers) || !is_subset(*keys, dealers))
    return MessageResult::rejected("M4A: a complaint about a member that dealt it nothing");
  if (!intersection(*bad, *keys).empty())
    return MessageResult::rejected("M4A: two complaints about one member");
  if (!verify_share_check(state.key_of(*from), state.h, m4a))
    return MessageResult::rejected("M4A: bad signature");
  held = m4a;
  state.complaints[*from] = *std::move(bad);
  state.other_keys[*from] = *std::move(keys);
  insert(state.checked, *from);
  return MessageResult::accepted();
}

const IndexSet& Server::checked() const {
  return state_->checked;
}

IndexSet Server::State::complainants(std::uint32_t dealer) const {
  IndexSet out = intersection(graph.neighbours(dealer), checked);
  std::erase_if(out, [&](std::uint32_t holder) { return !contains(complaints[holder], dealer); });
  return out;
}

Status Server::fix_complaints() {
  State& state = *state_;
  SOTTO_CHECK(state.v && !state.asked, "complaints are fixed once, after V");
  SOTTO_TRY(state.enough(state.checked, "acknowledged shares"));
  state.asked.emplace();
  for (std::uint32_t dealer : state.checked) {
    const std::size_t complainants = state.complainants(dealer).size();
    if (complainants > 0 && complainants <= max_false_complaints(state.header))
      state.asked->push_back(dealer);
  }
  return {};
}

// ---- Settle

const IndexSet& Server::asked() const {
  SOTTO_CHECK(state_->asked.has_value(), "complaints are fixed");
  return *state_->asked;
}

const IndexSet& Server::answered() const {
  return state_->answered;
}

wire::Complaints Server::complaints_about(MemberId dealer) const {
  const auto index = state_->cohort.index_of(dealer);
  SOTTO_CHECK(index && contains(asked(), *index), "M4B goes to members that are asked");
  wire::Complaints m4b;
  for (std::uint32_t holder : state_->complainants(*index))
    m4b.checks.push_back(*state_->sent[holder].m4a);
  return m4b;
}

/// Returns what is wrong with the answer as a whole, or null.
const char* Server::State::flaw(const wire::Opening& m4c, std::uint32_t from) const {
  if (m4c.d_v != d_v) return "M4C: another V";
  const IndexSet holders_asked_for = complainants(from);
  if (!std::ranges::equal(m4c.shares, holders_asked_for, {}, &wire::OpenedShare::member,
                          [&](std::uint32_t holder) { return cohort.at(holder).id; }))
    return "M4C: not the shares that it was asked for";
  return verify_opening(key_of(from), h, m4c) ? nullptr : "M4C: bad signature";
}

IndexSet Server::State::wrongly_opened(std::uint32_t dealer, const wire::Opening& m4c) const {
  IndexSet wrong;
  for (const wire::OpenedShare& opened : m4c.shares) {
    const std::uint32_t holder = *cohort.index_of(opened.member);
    const MemberId id = cohort.at(dealer).id;
    if (!fits({id, wire::ShareKind::kSelfMask, opened.b}, holder) ||
        !fits({id, wire::ShareKind::kMaskKey, opened.r}, holder))
      wrong.push_back(holder);
  }
  return wrong;
}

MessageResult Server::accept(const wire::Opening& m4c) {
  State& state = *state_;
  const auto from = state.cohort.index_of(m4c.id);
  if (!from) return MessageResult::rejected("M4C: not a member of the cohort");
  auto& held = state.sent[*from].m4c;
  if (auto again = repeated(held, m4c)) return *again;
  if (!state.asked || !contains(*state.asked, *from))
    return MessageResult::rejected("M4C: nobody asked for it");
  if (state.u2) return MessageResult::ignored("M4C: late");
  if (const char* flaw = state.flaw(m4c, *from)) return MessageResult::rejected(flaw);
  held = m4c;
  insert(state.answered, *from);
  if (state.wrongly_opened(*from, m4c).empty()) return MessageResult::accepted();
  return MessageResult::rejected("M4C: it opened another share than it committed to");
}

// ---- U2

void Server::remember_keys(const WhoLeft<MemberId>& earlier) {
  State& state = *state_;
  SOTTO_CHECK(!state.u2, "what was before is known before U2 is fixed");
  for (const auto& [pair, left] : earlier) {
    const auto one = state.cohort.index_of(pair.first);
    const auto other = state.cohort.index_of(pair.second);
    if (one && other) state.earlier_keys[pair_of(*one, *other)] = *state.cohort.index_of(left);
  }
}

void Server::State::leave(IndexSet& members, std::uint32_t index, std::string why) {
  if (std::erase(members, index) > 0) left_out.emplace(index, std::move(why));
}

void Server::State::record(std::uint32_t holder, std::uint32_t dealer, ConflictEnd end) {
  conflicts.push_back({cohort.at(holder).id, cohort.at(dealer).id, end});
}

/// Removes the dealers about which members complained and which did not open what they had
/// committed to.
void Server::State::settle_shares(IndexSet& members) {
  for (std::uint32_t dealer : *v) {
    const IndexSet complaining = complainants(dealer);
    if (complaining.empty()) continue;
    const auto& m4c = sent[dealer].m4c;
    ConflictEnd end = ConflictEnd::kOpened;
    if (complaining.size() > max_false_complaints(header)) {
      end = ConflictEnd::kTooMany;
      leave(members, dealer, "more members complained about its shares than can lie");
    } else if (!m4c) {
      end = ConflictEnd::kUnopened;
      leave(members, dealer, "it did not open a share that a member complained about");
    } else if (!wrongly_opened(dealer, *m4c).empty()) {
      end = ConflictEnd::kWrong;
      leave(members, dealer, "the share that it opened is not what it committed to");
    }
    for (std::uint32_t holder : complaining)
      record(holder, dealer, end);
  }
}

/// Returns which of the two members leaves, outside of the turns, when `holder` reports that its
/// pre-shared key with `dealer` differs. It is the only one of them that dealt to the other with a
/// key. Where neither did, the report is false and the holder leaves. Returns nothing where both
/// did.
std::optional<std::uint32_t> Server::State::sealed_by_one_key(std::uint32_t holder,
                                                              std::uint32_t dealer) const {
  const bool holder_has = entry(holder, dealer).escrow.has_value();
  const bool dealer_has = entry(dealer, holder).escrow.has_value();
  if (holder_has && dealer_has) return std::nullopt;
  return dealer_has ? dealer : holder;
}

/// Removes one member of each pair whose pre-shared keys differ.
void Server::State::settle_pairs(IndexSet& members) {
  std::vector<IndexSet> both_have = other_keys;
  for (std::uint32_t holder : checked)
    for (std::uint32_t dealer : other_keys[holder])
      if (const auto who = sealed_by_one_key(holder, dealer)) {
        std::erase(both_have[holder], dealer);
        record(holder, dealer,
               *who == holder ? ConflictEnd::kHolderAlone : ConflictEnd::kDealerAlone);
        leave(members, *who, "it has a pre-shared key with a member that has none with it");
      }
  const KeysSettled settled = settle_keys(members, both_have,
                                          {.earlier = earlier_keys,
                                           .max_false_complaints = max_false_complaints(header),
                                           .least = bound()});
  for (std::uint32_t holder : checked)
    for (std::uint32_t dealer : both_have[holder]) {
      const auto left = settled.left.find(pair_of(holder, dealer));
      if (left == settled.left.end())
        record(holder, dealer, ConflictEnd::kUndecided);
      else
        record(holder, dealer,
               left->second == holder ? ConflictEnd::kHolderLeft : ConflictEnd::kDealerLeft);
    }
  for (std::uint32_t index : IndexSet(members))
    if (!contains(settled.members, index))
      leave(members, index, "its pre-shared key and that of another member differ");
}

Status Server::fix_u2() {
  State& state = *state_;
  SOTTO_CHECK(state.v && !state.u2, "U2 is fixed once, after V");
  SOTTO_TRY(state.asked ? Status{} : fix_complaints());
  state.conflicts.clear();
  IndexSet u2 = state.checked;
  state.settle_shares(u2);
  state.settle_pairs(u2);
  // A member without enough holders leaves, which may leave others without enough.
  for (IndexSet lost; !(lost = state.graph.short_of_holders(u2)).empty();)
    for (std::uint32_t index : lost)
      state.leave(u2, index, "fewer than t holders of its secrets are left");
  SOTTO_TRY(state.enough(u2, "acknowledged good shares"));
  state.u2 = std::move(u2);
  state.d_u2 = digest_u2(state.h, state.bitmap(*state.u2));
  return {};
}

const std::vector<Conflict>& Server::conflicts() const {
  return state_->conflicts;
}

const std::map<std::uint32_t, std::string>& Server::left_out() const {
  return state_->left_out;
}

wire::Fix Server::fix_message(MemberId to) const {
  const State& state = *state_;
  const auto holder = state.cohort.index_of(to);
  SOTTO_CHECK(holder && contains(u2(), *holder), "M4U goes to members of U2");
  wire::Fix m4u{.u2 = state.bitmap(u2())};
  for (std::uint32_t dealer : intersection(state.complaints[*holder], u2())) {
    const auto& shares = state.sent[dealer].m4c->shares;
    wire::OpenedShare opened = *std::ranges::find(shares, to, &wire::OpenedShare::member);
    opened.member = state.cohort.at(dealer).id;
    m4u.opened.push_back(opened);
  }
  sign_fix(*state.signing, state.h, m4u);
  return m4u;
}

}  // namespace sotto::secagg
