// A participant's part from the announcement of the survivors on: the set that it endorses, and the
// conditions under which it reveals shares (docs/secure-aggregation.md, 2.7).
#include "common/base/parallel.h"
#include "common/crypto/declassify.h"
#include "common/secagg/client/client_state.h"

namespace sotto::secagg {
namespace {

using wire::ShareKind;

Bytes32 to_bytes32(std::span<const std::uint8_t, 32> secret) {
  Bytes32 out{};
  std::copy(secret.begin(), secret.end(), out.begin());
  return out;
}

}  // namespace

// ---- M6 -> M7

Result<Client::Endorsement> Client::endorse(const wire::Survivors& m6) {
  State& state = *state_;
  SOTTO_CHECK(state.upload_signed, "survivors are endorsed after the upload");
  if (!verify_survivors(state.coordinator, state.h, m6))
    return refused("M6", "the coordinator's signature does not verify");
  if (m6.d_u2 != state.d_u2) return refused("M6", "it is about another U2");
  SOTTO_ASSIGN_OR_RETURN(auto s, state.read_set("M6", m6.s, &*state.u2));
  // Checks that all secrets can be opened with the survivors, and that the honest ones among them
  // stay connected (bound B of 2.4), so that no part of the sum is revealed separately.
  if (const IndexSet lost = state.graph.short_of_holders(s); !lost.empty())
    return refused("M6", name_of(state.id_of(lost.front())) + " has fewer than t holders in S");
  if (!state.graph.windows_are_full(s))
    return refused("M6", "more than q members of a window of the ring are not in S");
  const Bytes32 d_s = digest_s(state.h, m6.d_u2, m6.s);
  if (state.s && d_s != state.d_s) return refused("M6", "another S was endorsed in this round");
  state.s = std::move(s);
  state.d_s = d_s;
  Endorsement out{.d_u2 = state.d_u2, .d_s = d_s, .message = {.id = state.self}};
  sign_endorse(*state.signing, state.h, state.d_u2, d_s, out.message);
  return out;
}

// ---- M8 -> M9

/// R2: the certificate has Q distinct valid endorsements by witnesses.
Status Client::State::check_certificate(const wire::UnmaskRequest& m8) const {
  IndexSet signers;
  for (const wire::Endorse& endorsement : m8.certificate) {
    const auto signer = cohort.index_of(endorsement.id);
    if (!signer) return refused("M8", "an endorsement by somebody outside the cohort");
    if (*signer >= header.witnesses)
      return refused("M8", "an endorsement by a member that is no witness");
    if (!signers.empty() && signers.back() >= *signer)
      return refused("M8", "the endorsements are not of distinct members in order");
    signers.push_back(*signer);
  }
  const auto forged = first_bad(signers.size(), threads, [&](std::size_t i) {
    return verify_endorse(key_of(signers[i]), h, d_u2, d_s, m8.certificate[i]);
  });
  if (forged)
    return refused(
        "M8", "the endorsement of " + name_of(m8.certificate[*forged].id) + " does not verify");
  if (m8.certificate.size() < header.Q)
    return refused("M8", std::to_string(m8.certificate.size()) + " endorsements, " +
                             std::to_string(header.Q) + " are needed");
  return {};
}

/// R3: every upload header is over the same U2. An honest member of S with another U2 left other
/// masks out, and its seed must not be opened.
Status Client::State::check_upload_headers(const wire::UnmaskRequest& m8) const {
  const IndexSet dealers = intersection(holders, *s);  // whose seed has a share here
  if (m8.headers.size() != dealers.size())
    return refused("M8", "not one upload header for every member of S whose share it holds");
  for (std::size_t i = 0; i < dealers.size(); ++i) {
    const wire::UploadHeader& m5 = m8.headers[i];
    if (m5.id != id_of(dealers[i])) return refused("M8", "the upload headers are not S in order");
    if (m5.d_u2 != d_u2) return refused("M8", name_of(m5.id) + " uploaded under another U2");
  }
  const auto forged = first_bad(dealers.size(), threads, [&](std::size_t i) {
    return verify_upload(key_of(dealers[i]), h, m8.headers[i]);
  });
  if (forged)
    return refused(
        "M8", "the upload header of " + name_of(m8.headers[*forged].id) + " is not signed by it");
  return {};
}

Result<wire::UnmaskResponse> Client::unmask(const wire::UnmaskRequest& m8) {
  State& state = *state_;
  // R1
  if (!state.s || m8.d_s != state.d_s || m8.d_u2 != state.d_u2)
    return refused("M8", "this member has not endorsed that S");
  SOTTO_TRY(state.check_certificate(m8));
  SOTTO_TRY(state.check_upload_headers(m8));
  // R4: there is one answer in a round. By R1 it is about the endorsed S; a repetition returns the
  // same message.
  if (state.response) return *state.response;

  wire::UnmaskResponse m9{.id = state.self, .d_u2 = state.d_u2, .d_s = state.d_s};
  for (std::uint32_t dealer : intersection(state.holders, *state.u2)) {
    const ShareKind kind = contains(*state.s, dealer) ? ShareKind::kSelfMask : ShareKind::kMaskKey;
    SOTTO_CHECK(state.held.contains(dealer), "U2 holds only dealers of good shares");
    m9.shares.push_back(
        {state.id_of(dealer), kind, to_bytes32(share_of(state.held.at(dealer), kind))});
  }
  for (const auto& revealed : m9.shares)
    crypto::declassify(revealed.share);  // the certificate makes it public
  sign_unmask_response(*state.signing, state.h, m9);
  state.response = m9;
  state.held.clear();  // the other kind of share is not used any more
  return m9;
}

bool Client::accepts_result(const wire::RoundResult& m10) const {
  return verify_result(state_->coordinator, state_->h, m10);
}

}  // namespace sotto::secagg
