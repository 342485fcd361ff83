#include "common/secagg/shared/transcript.h"

#include "common/crypto/declassify.h"
#include "common/crypto/hash.h"
#include "common/wire/codec.h"

namespace sotto::secagg {
namespace {

/// The bytes that a signature covers: dst16 || h || fields (section 2.12). A label is padded with
/// zeros to 16 bytes, so that no message of one kind is a prefix of one of another kind.
ByteWriter labelled(std::string_view label, BytesView h = {}) {
  SOTTO_CHECK(label.size() <= 16, "a label of a signature is at most 16 bytes");
  ByteWriter out;
  out.bytes(view_of(label)).bytes(Bytes(16 - label.size())).bytes(h);
  return out;
}

Bytes id_bytes(MemberId id) {
  return ByteWriter().u32(raw(id)).take();
}

// The signature covers the part that is sent of a text that is too long to be sent whole.
BytesView job_of(const wire::JobOffer& m) {
  return view_of(wire::as_sent(m.job, wire::Limits{}.job_bytes));
}

BytesView sent_reason(const std::string& reason) {
  return view_of(wire::as_sent(reason, wire::Limits{}.reason_bytes));
}

}  // namespace

namespace transcript {

Bytes offer(const wire::Offer& m) {
  ByteWriter out = labelled("SA1 sig offer");
  out.bytes(wire::header_bytes(m.header));
  for (std::uint64_t deadline : m.deadline_ms)
    out.u64(deadline);
  return out.bytes(m.cohort).take();
}

Bytes advertise(const Bytes32& h, const wire::Advertise& m) {
  return labelled("SA1 sig adv", h)
      .u32(raw(m.id))
      .bytes(m.pk_enc)
      .bytes(m.pk_mask)
      .bytes(m.cm_b)
      .take();
}

Bytes key_list(const Bytes32& h, const wire::KeyList& m) {
  return labelled("SA1 sig u1", h).bytes(digest_u1(h, m.u1)).take();
}

Bytes share_entry(const Bytes32& h, MemberId from, const wire::ShareEntry& m) {
  ByteWriter out = labelled("SA1 sig share", h);
  out.u32(raw(from)).u32(raw(m.to)).bytes(m.nonce).bytes(m.ciphertext).bytes(m.cb).bytes(m.cr);
  // An optional last field is unambiguous because all fields before it have a fixed length.
  if (m.escrow) out.bytes(m.escrow->commitment).bytes(m.escrow->sealed);
  return out.take();
}

Bytes share_forward(const Bytes32& h, const wire::ShareForward& m) {
  return labelled("SA1 sig v", h).bytes(digest_v(h, m.v)).take();
}

Bytes share_check(const Bytes32& h, const wire::ShareCheck& m) {
  return labelled("SA1 sig check", h)
      .u32(raw(m.id))
      .bytes(m.d_v)
      .bytes(m.bad_dealers)
      .bytes(m.other_keys)
      .take();
}

Bytes opening(const Bytes32& h, const wire::Opening& m) {
  ByteWriter out = labelled("SA1 sig opening", h);
  out.u32(raw(m.id)).bytes(m.d_v);
  for (const wire::OpenedShare& share : m.shares)
    out.u32(raw(share.member)).bytes(share.b).bytes(share.r);
  return out.take();
}

Bytes fix(const Bytes32& h, const wire::Fix& m) {
  return labelled("SA1 sig u2", h).bytes(digest_u2(h, m.u2)).take();
}

Bytes upload(const Bytes32& h, const wire::UploadHeader& m) {
  return labelled("SA1 sig upload", h).u32(raw(m.id)).bytes(m.d_u2).bytes(m.hash_y).take();
}

Bytes survivors(const Bytes32& h, const wire::Survivors& m) {
  return labelled("SA1 sig surv", h).bytes(m.d_u2).bytes(digest_s(h, m.d_u2, m.s)).take();
}

Bytes endorse(const Bytes32& h, const Bytes32& d_u2, const Bytes32& d_s, const wire::Endorse& m) {
  return labelled("SA1 sig endorse", h).u32(raw(m.id)).bytes(d_u2).bytes(d_s).take();
}

Bytes unmask_response(const Bytes32& h, const wire::UnmaskResponse& m) {
  ByteWriter out = labelled("SA1 sig unmask", h);
  out.u32(raw(m.id)).bytes(m.d_u2).bytes(m.d_s);
  for (const wire::RevealedShare& revealed : m.shares)
    out.u32(raw(revealed.dealer))
        .u8(static_cast<std::uint8_t>(revealed.kind))
        .bytes(revealed.share);
  return out.take();
}

Bytes result(const Bytes32& h, const wire::RoundResult& m) {
  return labelled("SA1 sig result", h)
      .u8(static_cast<std::uint8_t>(m.status))
      .bytes(m.d_s)
      .bytes(m.aggregate_hash)
      .bytes(m.model_hash)
      .take();
}

Bytes abort_request(const wire::AbortRequest& m) {
  return labelled("SA1 sig burnreq", header_hash(m.header)).take();
}

Bytes abort_vote(const Bytes32& h, const wire::AbortVote& m) {
  return labelled("SA1 sig burn", h).u32(raw(m.id)).take();
}

Bytes randomness_entry(const RunId& run, const wire::RandomnessEntry& m) {
  return labelled("SA1 sig gen1", run).u32(raw(m.id)).bytes(m.commitment).take();
}

Bytes randomness_list(const Bytes32& digest, const wire::RandomnessList& m) {
  return labelled("SA1 sig gen2", m.run).bytes(digest).take();
}

Bytes randomness_reveal(const wire::RandomnessReveal& m) {
  return labelled("SA1 sig gen3", m.run).u32(raw(m.id)).bytes(m.digest).bytes(m.r).take();
}

Bytes job_offer(const wire::JobOffer& m) {
  return labelled("SOTTO sig job")
      .bytes(m.run)
      .bytes(crypto::hash("SOTTO job", {job_of(m)}))
      .take();
}

Bytes job_reply(const wire::JobReply& m) {
  return labelled("SOTTO sig reply")
      .bytes(m.run)
      .bytes(m.job_hash)
      .u32(raw(m.id))
      .u8(static_cast<std::uint8_t>(m.answer))
      .u64(m.training_examples)
      .u64(m.evaluation_examples)
      .u32(m.least_sum)
      .bytes(sent_reason(m.reason))
      .take();
}

Bytes run_finished(const wire::RunFinished& m) {
  return labelled("SOTTO sig finish")
      .bytes(m.run)
      .u8(m.completed ? 1 : 0)
      .bytes(m.model_hash)
      .bytes(sent_reason(m.reason))
      .take();
}

}  // namespace transcript

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

bool verify_share_check(const crypto::VerifyKey& key, const Bytes32& h, const wire::ShareCheck& m) {
  return m.bad_dealers.size() == m.other_keys.size() &&
         Verifier<transcript::share_check>{}(key, h, m);
}

}  // namespace sotto::secagg
