// The byte strings that are hashed or signed, all in one place (docs/secure-aggregation.md,
// "Bytes"). Client and server call the same functions, so they cannot differ.
#pragma once

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

/// Signatures over dst16 || h || fields. sign_*() sets message.signature; verify_*() returns false
/// for any flaw.
void sign_offer(const crypto::SigningKey& key, wire::Offer& offer);
bool verify_offer(const crypto::VerifyKey& key, const wire::Offer& offer);
void sign_advertise(const crypto::SigningKey& key, const Bytes32& h, wire::Advertise& m);
bool verify_advertise(const crypto::VerifyKey& key, const Bytes32& h, const wire::Advertise& m);
void sign_key_list(const crypto::SigningKey& key, const Bytes32& h, wire::KeyList& m);
bool verify_key_list(const crypto::VerifyKey& key, const Bytes32& h, const wire::KeyList& m);
void sign_share_entry(const crypto::SigningKey& key, const Bytes32& h, MemberId from,
                      wire::ShareEntry& m);
bool verify_share_entry(const crypto::VerifyKey& key, const Bytes32& h, MemberId from,
                        const wire::ShareEntry& m);
void sign_share_forward(const crypto::SigningKey& key, const Bytes32& h, wire::ShareForward& m);
bool verify_share_forward(const crypto::VerifyKey& key, const Bytes32& h,
                          const wire::ShareForward& m);
void sign_share_check(const crypto::SigningKey& key, const Bytes32& h, wire::ShareCheck& m);
/// Returns false as well when the two bitmaps differ in length, because one signature would then be
/// valid for two messages.
bool verify_share_check(const crypto::VerifyKey& key, const Bytes32& h, const wire::ShareCheck& m);
void sign_opening(const crypto::SigningKey& key, const Bytes32& h, wire::Opening& m);
bool verify_opening(const crypto::VerifyKey& key, const Bytes32& h, const wire::Opening& m);
void sign_fix(const crypto::SigningKey& key, const Bytes32& h, wire::Fix& m);
bool verify_fix(const crypto::VerifyKey& key, const Bytes32& h, const wire::Fix& m);
void sign_upload(const crypto::SigningKey& key, const Bytes32& h, wire::UploadHeader& m);
bool verify_upload(const crypto::VerifyKey& key, const Bytes32& h, const wire::UploadHeader& m);
void sign_survivors(const crypto::SigningKey& key, const Bytes32& h, wire::Survivors& m);
bool verify_survivors(const crypto::VerifyKey& key, const Bytes32& h, const wire::Survivors& m);
void sign_endorse(const crypto::SigningKey& key, const Bytes32& h, const Bytes32& d_u2,
                  const Bytes32& d_s, wire::Endorse& m);
bool verify_endorse(const crypto::VerifyKey& key, const Bytes32& h, const Bytes32& d_u2,
                    const Bytes32& d_s, const wire::Endorse& m);
void sign_unmask_response(const crypto::SigningKey& key, const Bytes32& h, wire::UnmaskResponse& m);
bool verify_unmask_response(const crypto::VerifyKey& key, const Bytes32& h,
                            const wire::UnmaskResponse& m);
void sign_result(const crypto::SigningKey& key, const Bytes32& h, wire::RoundResult& m);
bool verify_result(const crypto::VerifyKey& key, const Bytes32& h, const wire::RoundResult& m);

/// The abort of a round (AbortRequest, AbortVote): h is recomputed from the header in the request
/// (section 2.7).
void sign_abort_request(const crypto::SigningKey& key, wire::AbortRequest& m);
bool verify_abort_request(const crypto::VerifyKey& key, const wire::AbortRequest& m);
void sign_abort_vote(const crypto::SigningKey& key, const Bytes32& h, wire::AbortVote& m);
bool verify_abort_vote(const crypto::VerifyKey& key, const Bytes32& h, const wire::AbortVote& m);

/// The shared randomness (Randomness*): the run id replaces h. A list is signed through its digest
/// (shared_randomness.h).
void sign_randomness_entry(const crypto::SigningKey& key, const RunId& run,
                           wire::RandomnessEntry& m);
bool verify_randomness_entry(const crypto::VerifyKey& key, const RunId& run,
                             const wire::RandomnessEntry& m);
void sign_randomness_list(const crypto::SigningKey& key, const Bytes32& digest,
                          wire::RandomnessList& m);
bool verify_randomness_list(const crypto::VerifyKey& key, const Bytes32& digest,
                            const wire::RandomnessList& m);
void sign_randomness_reveal(const crypto::SigningKey& key, wire::RandomnessReveal& m);
bool verify_randomness_reveal(const crypto::VerifyKey& key, const wire::RandomnessReveal& m);

/// Messages outside of rounds; their labels are "SOTTO sig ...".
void sign_job_offer(const crypto::SigningKey& key, wire::JobOffer& m);
bool verify_job_offer(const crypto::VerifyKey& key, const wire::JobOffer& m);
void sign_job_reply(const crypto::SigningKey& key, wire::JobReply& m);
bool verify_job_reply(const crypto::VerifyKey& key, const wire::JobReply& m);
void sign_run_finished(const crypto::SigningKey& key, wire::RunFinished& m);
bool verify_run_finished(const crypto::VerifyKey& key, const wire::RunFinished& m);

}  // namespace sotto::secagg
