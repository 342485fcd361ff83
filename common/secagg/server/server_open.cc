// Unmasking: the members' answers to the certificate, and the seeds that their shares open.
#include <map>
#include <span>
#include <thread>

#include "common/crypto/hash.h"
#include "common/crypto/hash_pieces.h"
#include "common/crypto/shamir.h"
#include "common/secagg/server/server_state.h"
#include "common/secagg/shared/preshared.h"

namespace sotto::secagg {

encoding::RingUpdate SumJob::run(encoding::RingUpdate masked_sum, unsigned threads) && {
  apply_masks(masked_sum.lanes, h, seeds, threads);
  seeds.clear();
  return masked_sum;
}

Bytes32 hash_of_sum(const Bytes32& h, const encoding::RingUpdate& sum) {
  crypto::PiecedHasher hasher({.whole = "SOTTO aggregate", .piece = "SA1 spc"},
                              Bytes(h.begin(), h.end()));
  encoding::PackedParts parts(sum);
  for (BytesView part = parts.next(); !part.empty(); part = parts.next())
    hasher.update(part);
  return hasher.finish();
}

/// Returns what is wrong with the answer as a whole, or null. A list with a share of the wrong kind
/// is refused as a whole, because it could complete both kinds for one dealer.
const char* Server::State::flaw(const wire::UnmaskResponse& m9, std::uint32_t from) const {
  if (m9.d_u2 != d_u2 || m9.d_s != d_s) return "M9: another U2 or S";
  std::optional<std::uint32_t> previous;
  for (const auto& share : m9.shares) {
    const auto dealer = cohort.index_of(share.dealer);
    if (!dealer || !contains(*u2, *dealer)) return "M9: a share of a dealer outside U2";
    if (!graph.holds_share_of(from, *dealer)) return "M9: a share of a dealer that gave it none";
    if (previous && *previous >= *dealer) return "M9: the shares are not in order";
    const auto kind =
        contains(*s, *dealer) ? wire::ShareKind::kSelfMask : wire::ShareKind::kMaskKey;
    if (share.kind != kind) return "M9: a share of the wrong kind";
    previous = dealer;
  }
  return verify_unmask_response(key_of(from), h, m9) ? nullptr : "M9: bad signature";
}

bool Server::State::fits(const wire::RevealedShare& revealed, std::uint32_t holder) const {
  const auto& committed = entry(*cohort.index_of(revealed.dealer), holder);
  return crypto::is_canonical_scalar(revealed.share) &&
         commit_share(revealed.kind, h, revealed.dealer, cohort.at(holder).id, revealed.share) ==
             (revealed.kind == wire::ShareKind::kSelfMask ? committed.cb : committed.cr);
}

MessageResult Server::State::take_shares(const wire::UnmaskResponse& m9, std::uint32_t from) {
  std::string bad;
  for (const auto& revealed : m9.shares) {
    if (fits(revealed, from))
      shares[*cohort.index_of(revealed.dealer)].push_back({from, revealed.share});
    else
      bad += " " + std::to_string(raw(revealed.dealer));
  }
  if (bad.empty()) return MessageResult::accepted();
  return MessageResult::rejected("M9: not the committed shares of" + bad);
}

MessageResult Server::accept(const wire::UnmaskResponse& m9) {
  State& state = *state_;
  const auto from = state.cohort.index_of(m9.id);
  if (!from) return MessageResult::rejected("M9: not a member of the cohort");
  auto& held = state.sent[*from].m9;
  if (auto again = repeated(held, m9)) return *again;
  if (!has_quorum()) return MessageResult::rejected("M9: nobody was asked");
  if (!state.sent[*from].m7)
    return MessageResult::rejected("M9: from a member that has not endorsed");
  if (const char* flaw = state.flaw(m9, *from)) return MessageResult::rejected(flaw);
  held = m9;
  insert(state.responded, *from);
  return state.take_shares(m9, *from);
}

bool Server::can_open() const {
  return has_quorum() && std::ranges::all_of(u2(), [&](std::uint32_t dealer) {
           return state_->shares[dealer].size() >= state_->header.t;
         });
}

Status Server::State::add_self_mask(std::uint32_t dealer, const crypto::Secret32& b,
                                    std::vector<MaskSeed>& seeds) const {
  const MemberId id = cohort.at(dealer).id;
  if (commit_self_seed(h, id, b) != sent[dealer].m1->cm_b)
    return Error{"member " + std::to_string(raw(id)) +
                 " dealt shares that do not give the self-mask seed it committed to"};
  seeds.push_back({.kind = MaskSeed::Kind::kSelf,
                   .secret = b.clone(),
                   .self_id = id,
                   .sign = crypto::MaskSign::kSubtract});
  return {};
}

/// Adds the seeds of the masks between a dropped-out dealer and each survivor. Each mask is in the
/// sum once, with the survivor's sign: added when the survivor's index is the lower one. It is
/// removed with the opposite sign.
Status Server::State::add_pairwise_masks(std::uint32_t dealer, const crypto::Secret32& r,
                                         std::vector<MaskSeed>& seeds) const {
  const MemberId id = cohort.at(dealer).id;
  const crypto::AgreementKey key = mask_agreement_key(r, h, id);
  const wire::Advertise& own = *sent[dealer].m1;
  if (key.public_key() != own.pk_mask)
    return Error{"member " + std::to_string(raw(id)) +
                 " dealt shares that do not give the mask key it advertised"};
  for (std::uint32_t survivor : intersection(graph.neighbours(dealer), *s)) {
    const wire::Advertise& other = *sent[survivor].m1;
    const bool lower = survivor < dealer;
    const Bytes context = pair_context(h, lower ? other : own, lower ? own : other);
    crypto::Secret32 psk;  // zeros
    if (const auto& escrow = entry(dealer, survivor).escrow) {
      auto opened =
          open_escrow(*escrow, {.h = h, .dealer = id, .holder = cohort.at(survivor).id}, r);
      if (!opened)
        return Error{"member " + std::to_string(raw(id)) +
                     " dealt another pre-shared value than it committed to"};
      psk = std::move(*opened);
    }
    SOTTO_ASSIGN_OR_RETURN(auto secret, pair_secret(key, other.pk_mask, psk, context));
    seeds.push_back({.kind = MaskSeed::Kind::kPair,
                     .secret = std::move(secret),
                     .sign = lower ? crypto::MaskSign::kSubtract : crypto::MaskSign::kAdd});
  }
  return {};
}

std::vector<std::uint32_t> Server::State::first_points(std::uint32_t dealer) const {
  std::vector<std::uint32_t> points;
  for (const HeldShare& held : std::span(shares[dealer]).first(header.t))
    points.push_back(held.holder + 1);
  return points;
}

std::vector<Bytes32> Server::State::first_shares(std::uint32_t dealer) const {
  std::vector<Bytes32> values;
  for (const HeldShare& held : std::span(shares[dealer]).first(header.t))
    values.push_back(held.share);
  return values;
}

/// Returns the seeds of these dealers, in order. The Lagrange coefficients are computed once for
/// each set of responders.
Result<std::vector<MaskSeed>> Server::State::seeds_of(
    std::span<const std::uint32_t> dealers) const {
  std::map<std::vector<std::uint32_t>, crypto::Reconstructor> reconstructors;  // by points
  std::vector<MaskSeed> seeds;
  for (std::uint32_t dealer : dealers) {
    std::vector<std::uint32_t> points = first_points(dealer);
    auto at = reconstructors.find(points);
    if (at == reconstructors.end()) {
      SOTTO_ASSIGN_OR_RETURN(auto made, crypto::Reconstructor::create(points));
      // On a ring each dealer has other holders, so that stored coefficients would not be used
      // again.
      if (header.graph == wire::Graph::kCirculant) reconstructors.clear();
      at = reconstructors.emplace(points, std::move(made)).first;
    }
    const crypto::Secret32 secret = at->second.reconstruct(first_shares(dealer));
    SOTTO_TRY(contains(*s, dealer) ? add_self_mask(dealer, secret, seeds)
                                   : add_pairwise_masks(dealer, secret, seeds));
  }
  return seeds;
}

Result<SumJob> Server::open() const {
  SOTTO_CHECK(can_open(), "every secret has t shares");
  constexpr std::size_t kLeast = 8;  // fewest dealers for which a thread is used
  const std::span<const std::uint32_t> dealers = u2();
  const std::size_t parts = std::clamp<std::size_t>(dealers.size() / kLeast, 1, state_->threads);
  std::vector<std::optional<Result<std::vector<MaskSeed>>>> opened(parts);
  {
    std::vector<std::jthread> others;
    const auto open_part = [&](std::size_t part) {
      const std::size_t first = dealers.size() * part / parts;
      const std::size_t end = dealers.size() * (part + 1) / parts;
      opened[part].emplace(state_->seeds_of(dealers.subspan(first, end - first)));
    };
    for (std::size_t part = 1; part < parts; ++part)
      others.emplace_back(open_part, part);
    open_part(0);
  }
  SumJob job{.h = state_->h};
  for (auto& part : opened) {
    if (!part->ok()) return part->error();
    std::ranges::move(part->value(), std::back_inserter(job.seeds));
  }
  return job;
}

}  // namespace sotto::secagg
