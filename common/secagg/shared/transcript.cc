#include "common/secagg/shared/transcript.h"

#include <algorithm>

#include "common/crypto/declassify.h"
#include "common/crypto/hash.h"
#include "common/wire/codec.h"
#include "common/wire/sent_text.h"

namespace sotto::secagg {
namespace {

/// The bytes that a signature covers: dst16 || h || fields (section 2.12). A label is padded with
/// zeros to 16 bytes, so that no message of one kind is a prefix of one of another kind.
class Signed {
 public:
  explicit Signed(std::string_view label) {
    SOTTO_CHECK(label.size() <= 16, "a label of a signature is at most 16 bytes");
    out_.bytes(view_of(label));
    for (std::size_t i = label.size(); i < 16; ++i)
      out_.u8(0);
  }

  Signed(std::string_view label, const Bytes32& h) : Signed(label) { out_.bytes(h); }

  Signed& u8(std::uint8_t v) {
    out_.u8(v);
    return *this;
  }

  Signed& id(MemberId v) {
    out_.u32(raw(v));
    return *this;
  }

  Signed& u32(std::uint32_t v) {
    out_.u32(v);
    return *this;
  }

  Signed& u64(std::uint64_t v) {
    out_.u64(v);
    return *this;
  }

  Signed& bytes(BytesView v) {
    out_.bytes(v);
    return *this;
  }

  [[nodiscard]] const Bytes& view() const { return out_.view(); }

 private:
  ByteWriter out_;
};

Bytes id_bytes(MemberId id) {
  ByteWriter out;
  out.u32(raw(id));
  return out.take();
}

// One function for each message returns its signed bytes. The sign_*() and verify_*() functions
// below only call these.

Signed offer_bytes(const wire::Offer& m) {
  Signed out("SA1 sig offer");
  out.bytes(wire::header_bytes(m.header));
  for (std::uint64_t deadline : m.deadline_ms)
    out.u64(deadline);
  out.bytes(m.cohort);
  return out;
}

Signed advertise_bytes(const Bytes32& h, const wire::Advertise& m) {
  Signed out("SA1 sig adv", h);
  out.id(m.id).bytes(m.pk_enc).bytes(m.pk_mask).bytes(m.cm_b);
  return out;
}

Signed key_list_bytes(const Bytes32& h, const wire::KeyList& m) {
  Signed out("SA1 sig u1", h);
  out.bytes(digest_u1(h, m.u1));
  return out;
}

Signed share_entry_bytes(const Bytes32& h, MemberId from, const wire::ShareEntry& m) {
  Signed out("SA1 sig share", h);
  out.id(from).id(m.to).bytes(m.nonce).bytes(m.ciphertext).bytes(m.cb).bytes(m.cr);
  // An optional last field is unambiguous because all fields before it have a fixed length.
  if (m.escrow) out.bytes(m.escrow->commitment).bytes(m.escrow->sealed);
  return out;
}

Signed share_forward_bytes(const Bytes32& h, const wire::ShareForward& m) {
  Signed out("SA1 sig v", h);
  out.bytes(digest_v(h, m.v));
  return out;
}

Signed share_check_bytes(const Bytes32& h, const wire::ShareCheck& m) {
  Signed out("SA1 sig check", h);
  out.id(m.id).bytes(m.d_v).bytes(m.bad_dealers).bytes(m.other_keys);
  return out;
}

Signed opening_bytes(const Bytes32& h, const wire::Opening& m) {
  Signed out("SA1 sig opening", h);
  out.id(m.id).bytes(m.d_v);
  for (const wire::OpenedShare& share : m.shares)
    out.id(share.member).bytes(share.b).bytes(share.r);
  return out;
}

Signed fix_bytes(const Bytes32& h, const wire::Fix& m) {
  Signed out("SA1 sig u2", h);
  out.bytes(digest_u2(h, m.u2));
  return out;
}

Signed upload_bytes_of(const Bytes32& h, const wire::UploadHeader& m) {
  Signed out("SA1 sig upload", h);
  out.id(m.id).bytes(m.d_u2).bytes(m.hash_y);
  return out;
}

Signed survivors_bytes(const Bytes32& h, const wire::Survivors& m) {
  Signed out("SA1 sig surv", h);
  out.bytes(m.d_u2).bytes(digest_s(h, m.d_u2, m.s));
  return out;
}

Signed endorse_bytes(const Bytes32& h, const Bytes32& d_u2, const Bytes32& d_s,
                     const wire::Endorse& m) {
  Signed out("SA1 sig endorse", h);
  out.id(m.id).bytes(d_u2).bytes(d_s);
  return out;
}

Signed unmask_response_bytes(const Bytes32& h, const wire::UnmaskResponse& m) {
  Signed out("SA1 sig unmask", h);
  out.id(m.id).bytes(m.d_u2).bytes(m.d_s);
  for (const wire::RevealedShare& revealed : m.shares)
    out.id(revealed.dealer).u8(static_cast<std::uint8_t>(revealed.kind)).bytes(revealed.share);
  return out;
}

Signed result_bytes(const Bytes32& h, const wire::RoundResult& m) {
  Signed out("SA1 sig result", h);
  out.u8(static_cast<std::uint8_t>(m.status))
      .bytes(m.d_s)
      .bytes(m.aggregate_hash)
      .bytes(m.model_hash);
  return out;
}

Signed abort_request_bytes(const wire::AbortRequest& m) {
  return {"SA1 sig burnreq", header_hash(m.header)};
}

Signed abort_vote_bytes(const Bytes32& h, const wire::AbortVote& m) {
  Signed out("SA1 sig burn", h);
  out.id(m.id);
  return out;
}

Signed randomness_entry_bytes(const RunId& run, const wire::RandomnessEntry& m) {
  Signed out("SA1 sig gen1", run);
  out.id(m.id).bytes(m.commitment);
  return out;
}

Signed randomness_list_bytes(const RunId& run, const Bytes32& digest) {
  Signed out("SA1 sig gen2", run);
  out.bytes(digest);
  return out;
}

Signed randomness_reveal_bytes(const wire::RandomnessReveal& m) {
  Signed out("SA1 sig gen3", m.run);
  out.id(m.id).bytes(m.digest).bytes(m.r);
  return out;
}

// The signature covers the part that is sent of a text that is too long to be sent whole.
BytesView job_of(const wire::JobOffer& m) {
  return view_of(wire::as_sent(m.job, wire::Limits{}.job_bytes));
}

BytesView sent_reason(const std::string& reason) {
  return view_of(wire::as_sent(reason, wire::Limits{}.reason_bytes));
}

Signed job_offer_bytes(const wire::JobOffer& m) {
  Signed out("SOTTO sig job");
  out.bytes(m.run).bytes(crypto::hash("SOTTO job", {job_of(m)}));
  return out;
}

Signed job_reply_bytes(const wire::JobReply& m) {
  Signed out("SOTTO sig reply");
  out.bytes(m.run)
      .bytes(m.job_hash)
      .id(m.id)
      .u8(static_cast<std::uint8_t>(m.answer))
      .u64(m.training_examples)
      .u64(m.evaluation_examples)
      .u32(m.least_sum)
      .bytes(sent_reason(m.reason));
  return out;
}

Signed run_finished_bytes(const wire::RunFinished& m) {
  Signed out("SOTTO sig finish");
  out.bytes(m.run).u8(m.completed ? 1 : 0).bytes(m.model_hash).bytes(sent_reason(m.reason));
  return out;
}

}  // namespace

Bytes32 header_hash(const wire::RoundHeader& header) {
  return crypto::hash("SA1 hdr", {wire::header_bytes(header)});
}

Bytes32 digest_u1(const Bytes32& h, const wire::Bitmap& u1) {
  return crypto::hash("SA1 u1", {h, u1});
}

Bytes32 digest_v(const Bytes32& h, const wire::Bitmap& v) {
  return crypto::hash("SA1 v", {h, v});
}

Bytes32 digest_u2(const Bytes32& h, const wire::Bitmap& u2) {
  return crypto::hash("SA1 u2", {h, u2});
}

Bytes32 digest_s(const Bytes32& h, const Bytes32& d_u2, const wire::Bitmap& s) {
  return crypto::hash("SA1 s", {h, d_u2, s});
}

Bytes32 commit_self_seed(const Bytes32& h, MemberId id, const crypto::Secret32& b) {
  const Bytes32 commitment = crypto::hash("SA1 cmb", {h, id_bytes(id), b.expose()});
  crypto::declassify(commitment);  // it is published in M1 and hides b
  return commitment;
}

Bytes32 commit_share(wire::ShareKind kind, const Bytes32& h, MemberId dealer, MemberId holder,
                     std::span<const std::uint8_t, 32> share) {
  const std::string_view label = kind == wire::ShareKind::kSelfMask ? "SA1 shb" : "SA1 shr";
  const Bytes32 commitment = crypto::hash(label, {h, id_bytes(dealer), id_bytes(holder), share});
  crypto::declassify(commitment);  // it is published in M3 and hides the share
  return commitment;
}

void sign_offer(const crypto::SigningKey& key, wire::Offer& offer) {
  offer.signature = key.sign(offer_bytes(offer).view());
}

bool verify_offer(const crypto::VerifyKey& key, const wire::Offer& offer) {
  return crypto::verify(key, offer_bytes(offer).view(), offer.signature);
}

void sign_advertise(const crypto::SigningKey& key, const Bytes32& h, wire::Advertise& m) {
  m.signature = key.sign(advertise_bytes(h, m).view());
}

bool verify_advertise(const crypto::VerifyKey& key, const Bytes32& h, const wire::Advertise& m) {
  return crypto::verify(key, advertise_bytes(h, m).view(), m.signature);
}

void sign_key_list(const crypto::SigningKey& key, const Bytes32& h, wire::KeyList& m) {
  m.signature = key.sign(key_list_bytes(h, m).view());
}

bool verify_key_list(const crypto::VerifyKey& key, const Bytes32& h, const wire::KeyList& m) {
  return crypto::verify(key, key_list_bytes(h, m).view(), m.signature);
}

void sign_share_entry(const crypto::SigningKey& key, const Bytes32& h, MemberId from,
                      wire::ShareEntry& m) {
  m.signature = key.sign(share_entry_bytes(h, from, m).view());
}

bool verify_share_entry(const crypto::VerifyKey& key, const Bytes32& h, MemberId from,
                        const wire::ShareEntry& m) {
  return crypto::verify(key, share_entry_bytes(h, from, m).view(), m.signature);
}

void sign_share_forward(const crypto::SigningKey& key, const Bytes32& h, wire::ShareForward& m) {
  m.signature = key.sign(share_forward_bytes(h, m).view());
}

bool verify_share_forward(const crypto::VerifyKey& key, const Bytes32& h,
                          const wire::ShareForward& m) {
  return crypto::verify(key, share_forward_bytes(h, m).view(), m.signature);
}

void sign_share_check(const crypto::SigningKey& key, const Bytes32& h, wire::ShareCheck& m) {
  m.signature = key.sign(share_check_bytes(h, m).view());
}

bool verify_share_check(const crypto::VerifyKey& key, const Bytes32& h, const wire::ShareCheck& m) {
  return m.bad_dealers.size() == m.other_keys.size() &&
         crypto::verify(key, share_check_bytes(h, m).view(), m.signature);
}

void sign_opening(const crypto::SigningKey& key, const Bytes32& h, wire::Opening& m) {
  m.signature = key.sign(opening_bytes(h, m).view());
}

bool verify_opening(const crypto::VerifyKey& key, const Bytes32& h, const wire::Opening& m) {
  return crypto::verify(key, opening_bytes(h, m).view(), m.signature);
}

void sign_fix(const crypto::SigningKey& key, const Bytes32& h, wire::Fix& m) {
  m.signature = key.sign(fix_bytes(h, m).view());
}

bool verify_fix(const crypto::VerifyKey& key, const Bytes32& h, const wire::Fix& m) {
  return crypto::verify(key, fix_bytes(h, m).view(), m.signature);
}

void sign_upload(const crypto::SigningKey& key, const Bytes32& h, wire::UploadHeader& m) {
  m.signature = key.sign(upload_bytes_of(h, m).view());
}

bool verify_upload(const crypto::VerifyKey& key, const Bytes32& h, const wire::UploadHeader& m) {
  return crypto::verify(key, upload_bytes_of(h, m).view(), m.signature);
}

void sign_survivors(const crypto::SigningKey& key, const Bytes32& h, wire::Survivors& m) {
  m.signature = key.sign(survivors_bytes(h, m).view());
}

bool verify_survivors(const crypto::VerifyKey& key, const Bytes32& h, const wire::Survivors& m) {
  return crypto::verify(key, survivors_bytes(h, m).view(), m.signature);
}

void sign_endorse(const crypto::SigningKey& key, const Bytes32& h, const Bytes32& d_u2,
                  const Bytes32& d_s, wire::Endorse& m) {
  m.signature = key.sign(endorse_bytes(h, d_u2, d_s, m).view());
}

bool verify_endorse(const crypto::VerifyKey& key, const Bytes32& h, const Bytes32& d_u2,
                    const Bytes32& d_s, const wire::Endorse& m) {
  return crypto::verify(key, endorse_bytes(h, d_u2, d_s, m).view(), m.signature);
}

void sign_unmask_response(const crypto::SigningKey& key, const Bytes32& h,
                          wire::UnmaskResponse& m) {
  m.signature = key.sign(unmask_response_bytes(h, m).view());
}

bool verify_unmask_response(const crypto::VerifyKey& key, const Bytes32& h,
                            const wire::UnmaskResponse& m) {
  return crypto::verify(key, unmask_response_bytes(h, m).view(), m.signature);
}

void sign_result(const crypto::SigningKey& key, const Bytes32& h, wire::RoundResult& m) {
  m.signature = key.sign(result_bytes(h, m).view());
}

bool verify_result(const crypto::VerifyKey& key, const Bytes32& h, const wire::RoundResult& m) {
  return crypto::verify(key, result_bytes(h, m).view(), m.signature);
}

void sign_abort_request(const crypto::SigningKey& key, wire::AbortRequest& m) {
  m.signature = key.sign(abort_request_bytes(m).view());
}

bool verify_abort_request(const crypto::VerifyKey& key, const wire::AbortRequest& m) {
  return crypto::verify(key, abort_request_bytes(m).view(), m.signature);
}

void sign_abort_vote(const crypto::SigningKey& key, const Bytes32& h, wire::AbortVote& m) {
  m.signature = key.sign(abort_vote_bytes(h, m).view());
}

bool verify_abort_vote(const crypto::VerifyKey& key, const Bytes32& h, const wire::AbortVote& m) {
  return crypto::verify(key, abort_vote_bytes(h, m).view(), m.signature);
}

void sign_randomness_entry(const crypto::SigningKey& key, const RunId& run,
                           wire::RandomnessEntry& m) {
  m.signature = key.sign(randomness_entry_bytes(run, m).view());
}

bool verify_randomness_entry(const crypto::VerifyKey& key, const RunId& run,
                             const wire::RandomnessEntry& m) {
  return crypto::verify(key, randomness_entry_bytes(run, m).view(), m.signature);
}

void sign_randomness_list(const crypto::SigningKey& key, const Bytes32& digest,
                          wire::RandomnessList& m) {
  m.signature = key.sign(randomness_list_bytes(m.run, digest).view());
}

bool verify_randomness_list(const crypto::VerifyKey& key, const Bytes32& digest,
                            const wire::RandomnessList& m) {
  return crypto::verify(key, randomness_list_bytes(m.run, digest).view(), m.signature);
}

void sign_randomness_reveal(const crypto::SigningKey& key, wire::RandomnessReveal& m) {
  m.signature = key.sign(randomness_reveal_bytes(m).view());
}

bool verify_randomness_reveal(const crypto::VerifyKey& key, const wire::RandomnessReveal& m) {
  return crypto::verify(key, randomness_reveal_bytes(m).view(), m.signature);
}

void sign_job_offer(const crypto::SigningKey& key, wire::JobOffer& m) {
  m.signature = key.sign(job_offer_bytes(m).view());
}

bool verify_job_offer(const crypto::VerifyKey& key, const wire::JobOffer& m) {
  return crypto::verify(key, job_offer_bytes(m).view(), m.signature);
}

void sign_job_reply(const crypto::SigningKey& key, wire::JobReply& m) {
  m.signature = key.sign(job_reply_bytes(m).view());
}

bool verify_job_reply(const crypto::VerifyKey& key, const wire::JobReply& m) {
  return crypto::verify(key, job_reply_bytes(m).view(), m.signature);
}

void sign_run_finished(const crypto::SigningKey& key, wire::RunFinished& m) {
  m.signature = key.sign(run_finished_bytes(m).view());
}

bool verify_run_finished(const crypto::VerifyKey& key, const wire::RunFinished& m) {
  return crypto::verify(key, run_finished_bytes(m).view(), m.signature);
}

}  // namespace sotto::secagg
