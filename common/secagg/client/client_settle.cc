// A participant's part in settling complaints (docs/secure-aggregation.md, "Bad shares"): it opens
// shares that it dealt, and takes shares that were opened to it.
#include "common/base/parallel.h"
#include "common/crypto/declassify.h"
#include "common/secagg/client/client_state.h"

namespace sotto::secagg {
// ---- M4B -> M4C

/// Checks that each complaint is signed by a holder of this member's shares, in this round, and
/// names this member.
Status Client::State::check_complaints(const wire::Complaints& m4b) const {
  // Only false complaints name an honest dealer, so a request for more shares than
  // max_false_complaints() is an attempt to obtain its secrets.
  if (m4b.checks.size() > max_false_complaints(header))
    return refused("M4B", "it asks for " + std::to_string(m4b.checks.size()) +
                              " of this member's shares, at most " +
                              std::to_string(max_false_complaints(header)) +
                              " are opened in a round");
  IndexSet complainants;
  for (const wire::ShareCheck& check : m4b.checks) {
    const auto from = cohort.index_of(check.id);
    if (!from || *from == me || !contains(holders, *from) || !contains(*v, *from))
      return refused("M4B", "a complaint of a member that has no share of this one");
    if (!complainants.empty() && complainants.back() >= *from)
      return refused("M4B", "the complaints are not of distinct members in order");
    if (check.d_v != d_v) return refused("M4B", "a complaint about another V");
    const auto complained_about = wire::from_bitmap(header.n, check.bad_dealers);
    if (!complained_about.ok() || !contains(*complained_about, me))
      return refused("M4B", "a complaint that does not name this member");
    complainants.push_back(*from);
  }
  const auto forged = first_bad(complainants.size(), threads, [&](std::size_t i) {
    return verify_share_check(key_of(complainants[i]), h, m4b.checks[i]);
  });
  if (forged)
    return refused("M4B",
                   "the complaint of " + name_of(m4b.checks[*forged].id) + " is not signed by it");
  return {};
}

Result<wire::Opening> Client::open_shares(const wire::Complaints& m4b) {
  State& state = *state_;
  SOTTO_CHECK(state.v && !state.u2, "shares are opened after M4 and before M4U");
  SOTTO_TRY(state.check_complaints(m4b));
  wire::Opening m4c{.id = state.self, .d_v = state.d_v};
  for (const wire::ShareCheck& check : m4b.checks) {
    const auto holder = state.dealt.find(*state.cohort.index_of(check.id));
    SOTTO_CHECK(holder != state.dealt.end(), "M4B is answered once");
    wire::OpenedShare opened{.member = check.id};
    const auto shares = holder->second.expose();
    std::ranges::copy(shares.first<kShareBytes>(), opened.b.begin());
    std::ranges::copy(shares.last<kShareBytes>(), opened.r.begin());
    crypto::declassify(opened.b);  // the holder that complained has or should have them
    crypto::declassify(opened.r);
    m4c.shares.push_back(opened);
  }
  state.dealt.clear();  // nothing more is opened in this round
  sign_opening(*state.signing, state.h, m4c);
  return m4c;
}

// ---- M4U

/// Returns the shares in M4U, by dealer. They must be exactly those of dealers in U2 about which
/// this member complained.
Result<std::map<std::uint32_t, SharePair>> Client::State::opened_to_me(const wire::Fix& m4u,
                                                                       const IndexSet& set) const {
  std::map<std::uint32_t, SharePair> out;
  for (const wire::OpenedShare& opened : m4u.opened) {
    const auto dealer = cohort.index_of(opened.member);
    const auto complaint = dealer ? complaints.find(*dealer) : complaints.end();
    if (complaint == complaints.end() || !contains(set, *dealer))
      return refused("M4U", "an opened share that nobody asked for");
    SharePair pair;
    std::ranges::copy(opened.b, pair.writable().begin());
    std::ranges::copy(opened.r, pair.writable().begin() + kShareBytes);
    if (!fits(*dealer, pair, complaint->second))
      return refused(
          "M4U", "the opened share of " + name_of(opened.member) + " is not what it committed to");
    out.insert_or_assign(*dealer, std::move(pair));
  }
  for (const auto& [dealer, committed] : complaints)
    if (contains(set, dealer) && !out.contains(dealer))
      return refused("M4U", name_of(id_of(dealer)) + " is in it and has not opened its bad share");
  return out;
}

Status Client::accept_u2(const wire::Fix& m4u) {
  State& state = *state_;
  SOTTO_CHECK(state.v && !state.u2, "M4U is accepted once, after M4");
  if (!verify_fix(state.coordinator, state.h, m4u))
    return refused("M4U", "the coordinator's signature does not verify");
  IndexSet good;  // masks with dealers that have a differing key would not cancel
  std::ranges::set_difference(*state.v, state.other_keys, std::back_inserter(good));
  SOTTO_ASSIGN_OR_RETURN(auto u2, state.read_set("M4U", m4u.u2, &good));
  SOTTO_ASSIGN_OR_RETURN(auto opened, state.opened_to_me(m4u, u2));
  state.held.merge(opened);
  state.dealt.clear();
  state.u2 = std::move(u2);
  state.d_u2 = digest_u2(state.h, m4u.u2);
  return {};
}

}  // namespace sotto::secagg
