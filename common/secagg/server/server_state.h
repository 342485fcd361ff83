// The state of secagg::Server. It is private to server.cc (until S is fixed and endorsed),
// server_settle.cc (complaints), server_open.cc (unmasking) and server_evidence.cc (evidence).
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/secagg/server/server.h"
#include "common/secagg/shared/graph.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"

namespace sotto::secagg {

inline void insert(IndexSet& set, std::uint32_t index) {
  auto at = std::lower_bound(set.begin(), set.end(), index);
  if (at == set.end() || *at != index) set.insert(at, index);
}

/// Returns the verdict on a message of a kind that this member has already sent: the same bytes are
/// a retransmission, others are refused (section 2.7, "same bytes or none"). Returns nothing where
/// `held` is empty.
template <class M>
std::optional<MessageResult> repeated(const std::optional<M>& held, const M& message) {
  if (!held) return std::nullopt;
  if (*held == message) return MessageResult::ignored("repeated");
  return MessageResult::rejected("differs from the one already accepted");
}

struct HeldShare {
  std::uint32_t holder = 0;
  Bytes32 share{};
};

/// The messages that one member has sent so far.
struct Sent {
  std::optional<wire::Advertise> m1;
  std::optional<wire::Shares> m3;
  std::optional<wire::ShareCheck> m4a;
  std::optional<wire::Opening> m4c;
  std::optional<wire::UploadHeader> m5;
  std::optional<wire::Endorse> m7;
  std::optional<wire::UnmaskResponse> m9;
};

struct Server::State {
  State(const wire::RoundHeader& round_header, Cohort round_cohort,
        const crypto::SigningKey& coordinator)
      : header(round_header),
        cohort(std::move(round_cohort)),
        signing(&coordinator),
        h(header_hash(round_header)),
        graph(round_header),
        sent(cohort.size()),
        complaints(cohort.size()),
        other_keys(cohort.size()),
        shares(cohort.size()) {
    SOTTO_CHECK(cohort.size() == header.n, "the header's n is the size of the cohort");
  }

  wire::RoundHeader header;
  Cohort cohort;
  const crypto::SigningKey* signing;
  Bytes32 h;
  unsigned threads = 1;
  MaskGraph graph;

  std::vector<Sent> sent;  // by cohort index, like everything below
  IndexSet advertised, dealt, checked, uploaded, endorsed, responded;
  std::optional<IndexSet> u1, v, u2, s;  // each fixed once in a round
  Bytes32 d_v{}, d_u2{}, d_s{};
  std::set<crypto::PublicKey> keys_seen;
  std::vector<IndexSet> holders;     // by dealer, in U1: the holders that it dealt to
  std::vector<IndexSet> complaints;  // by complaining member: dealers of bad shares
  std::vector<IndexSet> other_keys;  // by complaining member: dealers with a differing key
  std::optional<IndexSet> asked;     // dealers asked to open shares; fixed when Check ends
  IndexSet answered;
  WhoLeft<std::uint32_t> earlier_keys;
  std::vector<Conflict> conflicts;
  std::map<std::uint32_t, std::string> left_out;
  std::vector<wire::Endorse> certificate;      // the first Q endorsements; M8 does not change
  std::vector<std::vector<HeldShare>> shares;  // by dealer: shares that fit, in order of arrival

  [[nodiscard]] std::uint32_t bound() const { return std::max(header.Q, header.s_min); }

  /// Returns how many of an ascending set are witnesses. Witnesses have the lowest indexes.
  [[nodiscard]] std::size_t witnesses_in(const IndexSet& set) const {
    return static_cast<std::size_t>(std::ranges::lower_bound(set, header.witnesses) - set.begin());
  }

  [[nodiscard]] wire::Bitmap bitmap(const IndexSet& set) const {
    return wire::to_bitmap(header.n, set);
  }

  [[nodiscard]] const crypto::VerifyKey& key_of(std::uint32_t index) const {
    return cohort.at(index).verify_key;
  }

  [[nodiscard]] Status enough(const IndexSet& set, const char* what) const {
    if (set.size() >= bound()) return {};
    return Error{"only " + std::to_string(set.size()) + " of " + std::to_string(header.n) +
                 " members " + what + "; at least " + std::to_string(bound()) + " are needed"};
  }

  [[nodiscard]] const wire::ShareEntry& entry(std::uint32_t dealer, std::uint32_t holder) const {
    const auto& entries = sent[dealer].m3->entries;
    const IndexSet& to = holders[dealer];
    return entries[static_cast<std::size_t>(std::ranges::lower_bound(to, holder) - to.begin())];
  }

  /// The evaluation points of the first t good shares of a dealer's secret, and the shares.
  [[nodiscard]] std::vector<std::uint32_t> first_points(std::uint32_t dealer) const;
  [[nodiscard]] std::vector<Bytes32> first_shares(std::uint32_t dealer) const;
  [[nodiscard]] EvidenceRoster evidence_roster() const;
  [[nodiscard]] Evidence evidence_of_shares(EvidenceKind kind, std::uint32_t dealer,
                                            std::vector<wire::Message> first) const;
  [[nodiscard]] std::optional<std::uint32_t> closed_escrow(std::uint32_t dealer) const;
  [[nodiscard]] wire::UnmaskRequest as_certificate(const wire::Endorse& m7) const;
  /// Returns the members that checked their shares and complained about this dealer's.
  [[nodiscard]] IndexSet complainants(std::uint32_t dealer) const;
  /// Returns those of accusers() whose shares, as the dealer opened them, are not what it committed
  /// to.
  [[nodiscard]] IndexSet wrongly_opened(std::uint32_t dealer, const wire::Opening& m4c) const;
  [[nodiscard]] const char* flaw(const wire::Opening& m4c, std::uint32_t from) const;
  void settle_shares(IndexSet& members);
  [[nodiscard]] std::optional<std::uint32_t> sealed_by_one_key(std::uint32_t holder,
                                                               std::uint32_t dealer) const;
  void settle_pairs(IndexSet& members);
  void leave(IndexSet& members, std::uint32_t index, std::string why);
  void record(std::uint32_t holder, std::uint32_t dealer, ConflictEnd end);
  MessageResult check_advertise(const wire::Advertise& m1, std::uint32_t from) const;
  MessageResult check_shares(const wire::Shares& m3, std::uint32_t from) const;
  /// Returns whether a share is the one that its dealer committed to when it dealt to `holder`.
  [[nodiscard]] bool fits(const wire::RevealedShare& revealed, std::uint32_t holder) const;
  MessageResult take_shares(const wire::UnmaskResponse& m9, std::uint32_t from);
  [[nodiscard]] const char* flaw(const wire::UnmaskResponse& m9, std::uint32_t from) const;
  [[nodiscard]] Result<std::vector<MaskSeed>> seeds_of(
      std::span<const std::uint32_t> dealers) const;
  [[nodiscard]] Status add_self_mask(std::uint32_t dealer, const crypto::Secret32& b,
                                     std::vector<MaskSeed>& seeds) const;
  [[nodiscard]] Status add_pairwise_masks(std::uint32_t dealer, const crypto::Secret32& r,
                                          std::vector<MaskSeed>& seeds) const;
};

}  // namespace sotto::secagg
