#include "common/secagg/server/server.h"
#include "tests/common/secagg/round_fixture.h"
#include "tests/constant_time/secrets.h"

namespace sotto::constant_time {
namespace {

using secagg::IndexSet;

constexpr std::uint32_t kMembers = 4;
constexpr std::uint32_t kDropout = 2;

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

Bytes masked_upload(secagg::TestRound& round, std::uint32_t i) {
  encoding::RingUpdate update = round.input(100 + i);
  for (auto& lane : update.lanes)
    std::visit([](auto& words) { make_secret(words); }, lane.words());
  secagg::MaskedUpdate masked = round.clients[i].mask_job().run(std::move(update), 1);
  expect_public("y", masked.packed());
  round.m5[i] = round.clients[i].upload_header(masked.hash_y());
  return masked.packed();
}

}  // namespace

void whole_round(SecretRandom& random) {
  secagg::TestRound round(kMembers);
  // Members 0 and 1 have a key of their own.
  const crypto::Secret32 key = crypto::Secret32::random(random);
  const auto preshared_of = [&](std::uint32_t i) {
    secagg::PresharedKeys keys;
    if (i < 2) keys.emplace(round.id(1 - i), key.clone());
    return keys;
  };
  round.clients.clear();
  for (std::uint32_t i = 0; i < kMembers; ++i) {
    round.clients.emplace_back(round.header, secagg::Cohort(round.roster), round.id(i),
                               round.keys[i], preshared_of(i), round.coordinator.verify_key(),
                               random);
    round.m1[i] = round.clients[i].advertise();
  }
  const IndexSet all = secagg::all_of(kMembers);
  for (std::uint32_t i : all) {
    auto m3 = round.clients[i].deal(round.key_list(i, all), random);
    must(m3.ok(), "M2 is accepted");
    round.m3[i] = std::move(m3).value();
  }
  // One share is bad: that, too, may be seen from outside only as the complaint.
  auto forwarded = round.forward(0, all);
  forwarded.entries[kDropout - 1].entry.ciphertext[0] ^= 1;
  secagg::sign_share_entry(round.keys[kDropout], round.h, round.id(kDropout),
                           forwarded.entries[kDropout - 1].entry);
  secagg::sign_share_forward(round.coordinator, round.h, forwarded);
  const auto m4a = round.clients[0].check_shares(forwarded);
  must(m4a.ok(), "M4 is accepted");
  for (std::uint32_t i : {1U, 3U})
    must(round.clients[i].check_shares(round.forward(i, all)).ok(), "M4 is accepted");
  // Its dealer opens it, and drops out after that.
  must(round.clients[kDropout].check_shares(round.forward(kDropout, all)).ok(), "M4 is accepted");
  const auto m4c = round.clients[kDropout].open_shares({.checks = {m4a.value()}});
  must(m4c.ok(), "M4B is accepted");
  wire::OpenedShare opened_share = m4c->shares[0];
  expect_public("an opened share of b", opened_share.b);
  expect_public("an opened share of r", opened_share.r);
  opened_share.member = round.id(kDropout);
  const IndexSet s = secagg::without(all, kDropout);
  for (std::uint32_t i : s) {
    wire::Fix m4u = round.fix(all);
    if (i == 0) m4u.opened = {opened_share};
    must(round.clients[i].accept_u2(m4u).ok(), "M4U is accepted");
    round.y[i] = masked_upload(round, i);
  }
  for (std::uint32_t i : s) {
    auto m7 = round.clients[i].endorse(round.survivors(all, s));
    must(m7.ok(), "M6 is accepted");
    round.m7[i] = m7->message;
  }
  std::vector<wire::UnmaskResponse> answers;
  for (std::uint32_t i : {0U, 3U}) {
    auto m9 = round.clients[i].unmask(round.request(all, s, s));
    must(m9.ok(), "M8 is accepted");
    for (const auto& share : m9->shares)
      expect_public("a revealed share", share.share);
    answers.push_back(std::move(m9).value());
  }
  const auto opened = round.open(all, s, answers);
  const auto plain = round.plain_sum(s);
  for (std::size_t lane = 0; lane < plain.size(); ++lane)
    must(opened[lane].words() == plain[lane].words(), "the sum is exact");
}

}  // namespace sotto::constant_time
