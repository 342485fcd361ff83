#include "common/secagg/shared/transcript.h"

#include <functional>

#include <gtest/gtest.h>

#include "common/crypto/hash.h"
#include "common/wire/codec.h"

namespace sotto::secagg {
namespace {

struct Transcript : ::testing::Test {
  crypto::StreamRandom random{1};
  crypto::SigningKey key = crypto::SigningKey::generate(random);
  crypto::VerifyKey public_key = key.verify_key();
  Bytes32 h{1};
  Bytes32 other_h{2};
};

wire::RoundHeader header() {
  wire::RoundHeader out;
  out.n = 3;
  out.lanes = {{.word_bits = 32, .bits = 20, .length = 9, .chunk_words = 16}};
  return out;
}

/// A changed field, whichever, is another signature.
template <class M, class Verify>
void every_change_is_noticed(const M& signed_message, const Verify& verify,
                             std::vector<std::function<void(M&)>> changes) {
  ASSERT_TRUE(verify(signed_message));
  for (std::size_t i = 0; i < changes.size(); ++i) {
    M changed = signed_message;
    changes[i](changed);
    EXPECT_FALSE(verify(changed)) << "change " << i;
  }
}

TEST_F(Transcript, OfferCoversHeaderDeadlinesAndCohort) {
  wire::Offer m{.header = header(), .deadline_ms = {}, .cohort = {7}, .signature = {}};
  sign_offer(key, m);
  every_change_is_noticed<wire::Offer>(
      m, [&](const auto& x) { return verify_offer(public_key, x); },
      {[](auto& x) { x.header.C += 1; }, [](auto& x) { x.header.lanes[0].bits += 1; },
       [](auto& x) { x.deadline_ms[5] += 1; }, [](auto& x) { x.cohort[0] = 3; },
       [](auto& x) { x.signature[0] ^= 1; }});
}

TEST_F(Transcript, AdvertiseCoversEveryField) {
  wire::Advertise m{.id = MemberId{4}, .pk_enc = {1}, .pk_mask = {2}, .cm_b = {3}, .signature = {}};
  sign_advertise(key, h, m);
  EXPECT_FALSE(verify_advertise(public_key, other_h, m));
  every_change_is_noticed<wire::Advertise>(
      m, [&](const auto& x) { return verify_advertise(public_key, h, x); },
      {[](auto& x) { x.id = MemberId{5}; }, [](auto& x) { x.pk_enc[9] ^= 1; },
       [](auto& x) { x.pk_mask[9] ^= 1; }, [](auto& x) { x.cm_b[9] ^= 1; }});
}

TEST_F(Transcript, ShareEntryCoversItsDealerAndEveryField) {
  wire::ShareEntry m;
  m.to = MemberId{4};
  sign_share_entry(key, h, MemberId{7}, m);
  EXPECT_FALSE(verify_share_entry(public_key, h, MemberId{8}, m));
  EXPECT_FALSE(verify_share_entry(public_key, other_h, MemberId{7}, m));
  every_change_is_noticed<wire::ShareEntry>(
      m, [&](const auto& x) { return verify_share_entry(public_key, h, MemberId{7}, x); },
      {[](auto& x) { x.to = MemberId{5}; }, [](auto& x) { x.nonce[23] ^= 1; },
       [](auto& x) { x.ciphertext[79] ^= 1; }, [](auto& x) { x.cb[0] ^= 1; },
       [](auto& x) { x.cr[0] ^= 1; }});
}

TEST_F(Transcript, AnnouncementsOfSetsAreNotExchangeable) {
  wire::KeyList u1{.u1 = {7}, .signature = {}, .advertisements = {}};
  sign_key_list(key, h, u1);
  EXPECT_TRUE(verify_key_list(public_key, h, u1));
  EXPECT_FALSE(verify_key_list(public_key, other_h, u1));
  const wire::ShareForward v{.v = {7}, .signature = u1.signature, .entries = {}};
  EXPECT_FALSE(verify_share_forward(public_key, h, v));
  const wire::Fix u2{.u2 = {7}, .signature = u1.signature};
  EXPECT_FALSE(verify_fix(public_key, h, u2));
  u1.u1 = {3};
  EXPECT_FALSE(verify_key_list(public_key, h, u1));
}

TEST_F(Transcript, ShareCheckUploadAndSurvivorsCoverEveryField) {
  wire::ShareCheck m4a{
      .id = MemberId{4}, .d_v = {1}, .bad_dealers = {0}, .other_keys = {0}, .signature = {}};
  sign_share_check(key, h, m4a);
  every_change_is_noticed<wire::ShareCheck>(
      m4a, [&](const auto& x) { return verify_share_check(public_key, h, x); },
      {[](auto& x) { x.id = MemberId{5}; }, [](auto& x) { x.d_v[0] ^= 1; },
       [](auto& x) { x.bad_dealers[0] = 1; }, [](auto& x) { x.other_keys[0] = 1; },
       [](auto& x) {
         x.bad_dealers = {0, 0}, x.other_keys = {};
       }});
  wire::Opening m4c{
      .id = MemberId{4}, .d_v = {1}, .shares = {{MemberId{5}, {2}, {3}}}, .signature = {}};
  sign_opening(key, h, m4c);
  EXPECT_FALSE(verify_opening(public_key, other_h, m4c));
  every_change_is_noticed<wire::Opening>(
      m4c, [&](const auto& x) { return verify_opening(public_key, h, x); },
      {[](auto& x) { x.id = MemberId{5}; }, [](auto& x) { x.d_v[0] ^= 1; },
       [](auto& x) { x.shares[0].member = MemberId{6}; }, [](auto& x) { x.shares[0].b[0] ^= 1; },
       [](auto& x) { x.shares[0].r[0] ^= 1; }, [](auto& x) { x.shares.clear(); }});
  wire::UploadHeader m5{.id = MemberId{4}, .d_u2 = {1}, .hash_y = {2}, .signature = {}};
  sign_upload(key, h, m5);
  every_change_is_noticed<wire::UploadHeader>(
      m5, [&](const auto& x) { return verify_upload(public_key, h, x); },
      {[](auto& x) { x.id = MemberId{5}; }, [](auto& x) { x.d_u2[0] ^= 1; },
       [](auto& x) { x.hash_y[0] ^= 1; }});
  wire::Survivors m6{.d_u2 = {1}, .s = {7}, .signature = {}};
  sign_survivors(key, h, m6);
  every_change_is_noticed<wire::Survivors>(
      m6, [&](const auto& x) { return verify_survivors(public_key, h, x); },
      {[](auto& x) { x.d_u2[0] ^= 1; }, [](auto& x) { x.s[0] = 3; }});
}

TEST_F(Transcript, EndorsementIsOfOneU2AndOneS) {
  wire::Endorse m{.id = MemberId{4}, .signature = {}};
  sign_endorse(key, h, Bytes32{1}, Bytes32{2}, m);
  EXPECT_TRUE(verify_endorse(public_key, h, Bytes32{1}, Bytes32{2}, m));
  EXPECT_FALSE(verify_endorse(public_key, h, Bytes32{2}, Bytes32{1}, m));
  EXPECT_FALSE(verify_endorse(public_key, h, Bytes32{1}, Bytes32{3}, m));
  EXPECT_FALSE(verify_endorse(public_key, other_h, Bytes32{1}, Bytes32{2}, m));
  m.id = MemberId{5};
  EXPECT_FALSE(verify_endorse(public_key, h, Bytes32{1}, Bytes32{2}, m));
}

TEST_F(Transcript, AnUploadSignatureIsNoEndorsement) {
  // signature_other_dst: the same fields in the same order under another label.
  wire::UploadHeader m5{.id = MemberId{4}, .d_u2 = {1}, .hash_y = {2}, .signature = {}};
  sign_upload(key, h, m5);
  const wire::Endorse m7{.id = MemberId{4}, .signature = m5.signature};
  EXPECT_FALSE(verify_endorse(public_key, h, m5.d_u2, m5.hash_y, m7));
}

TEST_F(Transcript, UnmaskResponseAndResultCoverEveryField) {
  wire::UnmaskResponse m9{.id = MemberId{4},
                          .d_u2 = {1},
                          .d_s = {2},
                          .shares = {{MemberId{5}, wire::ShareKind::kSelfMask, Bytes32{3}}},
                          .signature = {}};
  sign_unmask_response(key, h, m9);
  every_change_is_noticed<wire::UnmaskResponse>(
      m9, [&](const auto& x) { return verify_unmask_response(public_key, h, x); },
      {[](auto& x) { x.id = MemberId{5}; }, [](auto& x) { x.d_s[0] ^= 1; },
       [](auto& x) { x.shares[0].kind = wire::ShareKind::kMaskKey; },
       [](auto& x) { x.shares[0].dealer = MemberId{6}; }, [](auto& x) { x.shares.clear(); }});
  wire::RoundResult m10;
  sign_result(key, h, m10);
  every_change_is_noticed<wire::RoundResult>(
      m10, [&](const auto& x) { return verify_result(public_key, h, x); },
      {[](auto& x) { x.status = wire::RoundStatus::kLost; }, [](auto& x) { x.d_s[0] ^= 1; },
       [](auto& x) { x.aggregate_hash[0] ^= 1; }, [](auto& x) { x.model_hash[0] ^= 1; }});
}

TEST_F(Transcript, JobMessagesCoverEveryField) {
  wire::JobOffer offer{.run = {1}, .job = "{}", .signature = {}};
  sign_job_offer(key, offer);
  every_change_is_noticed<wire::JobOffer>(
      offer, [&](const auto& x) { return verify_job_offer(public_key, x); },
      {[](auto& x) { x.run[0] ^= 1; }, [](auto& x) { x.job = "{ }"; }});
  wire::JobReply reply{.run = {1},
                       .job_hash = {2},
                       .id = MemberId{4},
                       .answer = wire::JobAnswer::kDecline,
                       .training_examples = 3500,
                       .evaluation_examples = 200,
                       .least_sum = 4,
                       .reason = "no",
                       .signature = {}};
  sign_job_reply(key, reply);
  every_change_is_noticed<wire::JobReply>(
      reply, [&](const auto& x) { return verify_job_reply(public_key, x); },
      {[](auto& x) { x.answer = wire::JobAnswer::kPostpone; },
       [](auto& x) { x.training_examples = 3501; }, [](auto& x) { x.evaluation_examples = 0; },
       [](auto& x) { x.least_sum = 3; }, [](auto& x) { x.reason = "yes"; },
       [](auto& x) { x.id = MemberId{5}; }, [](auto& x) { x.job_hash[0] ^= 1; }});
  wire::RunFinished finished{
      .run = {1}, .completed = true, .model_hash = {2}, .reason = "", .signature = {}};
  sign_run_finished(key, finished);
  every_change_is_noticed<wire::RunFinished>(
      finished, [&](const auto& x) { return verify_run_finished(public_key, x); },
      {[](auto& x) { x.completed = false; }, [](auto& x) { x.model_hash[0] ^= 1; },
       [](auto& x) { x.reason = "x"; }});
}

TEST_F(Transcript, HeaderHashIgnoresDeadlinesAndNothingElse) {
  const Bytes32 base = header_hash(header());
  wire::RoundHeader changed = header();
  changed.model_hash[0] ^= 1;
  EXPECT_NE(base, header_hash(changed));
  changed = header();
  changed.round = RoundNumber{1};
  EXPECT_NE(base, header_hash(changed));
  EXPECT_EQ(base, crypto::hash("SA1 hdr", {wire::header_bytes(header())}));
}

TEST_F(Transcript, ShareCommitmentsDifferByKindDealerAndHolder) {
  const Bytes32 share{9};
  const auto commit = [&](wire::ShareKind kind, std::uint32_t dealer, std::uint32_t holder) {
    return commit_share(kind, h, MemberId{dealer}, MemberId{holder}, share);
  };
  const Bytes32 base = commit(wire::ShareKind::kSelfMask, 1, 2);
  EXPECT_NE(base, commit(wire::ShareKind::kMaskKey, 1, 2));
  EXPECT_NE(base, commit(wire::ShareKind::kSelfMask, 2, 1));
  EXPECT_NE(base, commit(wire::ShareKind::kSelfMask, 1, 3));
}

TEST_F(Transcript, SharedRandomnessMessagesCoverEveryField) {
  const RunId run{1};
  wire::RandomnessEntry entry{.id = MemberId{4}, .commitment = {3}, .signature = {}};
  sign_randomness_entry(key, run, entry);
  EXPECT_FALSE(verify_randomness_entry(public_key, RunId{2}, entry));
  every_change_is_noticed<wire::RandomnessEntry>(
      entry, [&](const auto& x) { return verify_randomness_entry(public_key, run, x); },
      {[](auto& x) { x.id = MemberId{5}; }, [](auto& x) { x.commitment[0] ^= 1; }});
  wire::RandomnessList list{.run = run, .entries = {}, .signature = {}};
  sign_randomness_list(key, Bytes32{7}, list);
  EXPECT_TRUE(verify_randomness_list(public_key, Bytes32{7}, list));
  EXPECT_FALSE(verify_randomness_list(public_key, Bytes32{8}, list));
  wire::RandomnessReveal reveal{
      .run = run, .id = MemberId{4}, .digest = {5}, .r = {6}, .signature = {}};
  sign_randomness_reveal(key, reveal);
  every_change_is_noticed<wire::RandomnessReveal>(
      reveal, [&](const auto& x) { return verify_randomness_reveal(public_key, x); },
      {[](auto& x) { x.run[0] ^= 1; }, [](auto& x) { x.id = MemberId{5}; },
       [](auto& x) { x.digest[0] ^= 1; }, [](auto& x) { x.r[0] ^= 1; }});
}

}  // namespace
}  // namespace sotto::secagg
