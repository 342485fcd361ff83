// The byte strings that are hashed or signed, all in one place (docs/secure-aggregation.md,
// "Bytes"). Client and server call the same functions, so they cannot differ.
#pragma once

#include <tuple>

#include "common/base/bytes.h"
#include "common/crypto/sign.h"
#include "common/secagg/shared/cohort.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

/// Returns h = H("SA1 hdr", header bytes).
Bytes32 header_hash(const wire::RoundHeader& header);

Bytes32 digest_u1(const Bytes32& h, const wire::Bitmap& u1);
Bytes32 digest_v(const Bytes32& h, const wire::Bitmap& v);
Bytes32 digest_u2(const Bytes32& h, const wire::Bitmap& u2);
Bytes32 digest_s(const Bytes32& h, const Bytes32& d_u2, const wire::Bitmap& s);
Bytes32 commit_self_seed(const Bytes32& h, MemberId id, const crypto::Secret32& b);
Bytes32 commit_share(wire::ShareKind kind, const Bytes32& h, MemberId dealer, MemberId holder,
                     std::span<const std::uint8_t, 32> share);

/// The bytes dst16 || h || fields that the signature of a message covers, a function for each kind.
namespace transcript {

Bytes offer(const wire::Offer& m);
Bytes advertise(const Bytes32& h, const wire::Advertise& m);
Bytes key_list(const Bytes32& h, const wire::KeyList& m);
Bytes share_entry(const Bytes32& h, MemberId from, const wire::ShareEntry& m);
Bytes share_forward(const Bytes32& h, const wire::ShareForward& m);
Bytes share_check(const Bytes32& h, const wire::ShareCheck& m);
Bytes opening(const Bytes32& h, const wire::Opening& m);
Bytes fix(const Bytes32& h, const wire::Fix& m);
Bytes upload(const Bytes32& h, const wire::UploadHeader& m);
Bytes survivors(const Bytes32& h, const wire::Survivors& m);
Bytes endorse(const Bytes32& h, const Bytes32& d_u2, const Bytes32& d_s, const wire::Endorse& m);
Bytes unmask_response(const Bytes32& h, const wire::UnmaskResponse& m);
Bytes result(const Bytes32& h, const wire::RoundResult& m);
// The abort of a round: h is recomputed from the header in the request (section 2.7).
Bytes abort_request(const wire::AbortRequest& m);
Bytes abort_vote(const Bytes32& h, const wire::AbortVote& m);
// The shared randomness: the run id replaces h. A list is signed through its digest
// (shared_randomness.h).
Bytes randomness_entry(const RunId& run, const wire::RandomnessEntry& m);
Bytes randomness_list(const Bytes32& digest, const wire::RandomnessList& m);
Bytes randomness_reveal(const wire::RandomnessReveal& m);
// Messages outside of rounds; their labels are "SOTTO sig ...".
Bytes job_offer(const wire::JobOffer& m);
Bytes job_reply(const wire::JobReply& m);
Bytes run_finished(const wire::RunFinished& m);

}  // namespace transcript

/// Signer sets the signature of a message, which is the last of the arguments that `kBytes` takes.
template <auto kBytes>
struct Signer {
  template <class... Covered>
  void operator()(const crypto::SigningKey& key, Covered&&... covered) const {
    std::get<sizeof...(covered) - 1>(std::tie(covered...)).signature = key.sign(kBytes(covered...));
  }
};

/// Verifier returns false for any flaw of the signature of a message, the last of the arguments.
template <auto kBytes>
struct Verifier {
  template <class... Covered>
  bool operator()(const crypto::VerifyKey& key, const Covered&... covered) const {
    return crypto::verify(key, kBytes(covered...),
                          std::get<sizeof...(covered) - 1>(std::tie(covered...)).signature);
  }
};

inline constexpr Signer<transcript::offer> sign_offer;
inline constexpr Verifier<transcript::offer> verify_offer;
inline constexpr Signer<transcript::advertise> sign_advertise;
inline constexpr Verifier<transcript::advertise> verify_advertise;
inline constexpr Signer<transcript::key_list> sign_key_list;
inline constexpr Verifier<transcript::key_list> verify_key_list;
inline constexpr Signer<transcript::share_entry> sign_share_entry;
inline constexpr Verifier<transcript::share_entry> verify_share_entry;
inline constexpr Signer<transcript::share_forward> sign_share_forward;
inline constexpr Verifier<transcript::share_forward> verify_share_forward;
inline constexpr Signer<transcript::share_check> sign_share_check;
/// Returns false as well when the two bitmaps differ in length, because one signature would then be
/// valid for two messages.
bool verify_share_check(const crypto::VerifyKey& key, const Bytes32& h, const wire::ShareCheck& m);
inline constexpr Signer<transcript::opening> sign_opening;
inline constexpr Verifier<transcript::opening> verify_opening;
inline constexpr Signer<transcript::fix> sign_fix;
inline constexpr Verifier<transcript::fix> verify_fix;
inline constexpr Signer<transcript::upload> sign_upload;
inline constexpr Verifier<transcript::upload> verify_upload;
inline constexpr Signer<transcript::survivors> sign_survivors;
inline constexpr Verifier<transcript::survivors> verify_survivors;
inline constexpr Signer<transcript::endorse> sign_endorse;
inline constexpr Verifier<transcript::endorse> verify_endorse;
inline constexpr Signer<transcript::unmask_response> sign_unmask_response;
inline constexpr Verifier<transcript::unmask_response> verify_unmask_response;
inline constexpr Signer<transcript::result> sign_result;
inline constexpr Verifier<transcript::result> verify_result;
inline constexpr Signer<transcript::abort_request> sign_abort_request;
inline constexpr Verifier<transcript::abort_request> verify_abort_request;
inline constexpr Signer<transcript::abort_vote> sign_abort_vote;
inline constexpr Verifier<transcript::abort_vote> verify_abort_vote;
inline constexpr Signer<transcript::randomness_entry> sign_randomness_entry;
inline constexpr Verifier<transcript::randomness_entry> verify_randomness_entry;
inline constexpr Signer<transcript::randomness_list> sign_randomness_list;
inline constexpr Verifier<transcript::randomness_list> verify_randomness_list;
inline constexpr Signer<transcript::randomness_reveal> sign_randomness_reveal;
inline constexpr Verifier<transcript::randomness_reveal> verify_randomness_reveal;
inline constexpr Signer<transcript::job_offer> sign_job_offer;
inline constexpr Verifier<transcript::job_offer> verify_job_offer;
inline constexpr Signer<transcript::job_reply> sign_job_reply;
inline constexpr Verifier<transcript::job_reply> verify_job_reply;
inline constexpr Signer<transcript::run_finished> sign_run_finished;
inline constexpr Verifier<transcript::run_finished> verify_run_finished;

}  // namespace sotto::secagg
