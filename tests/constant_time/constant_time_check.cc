// No branch and no address may depend on a secret (docs/secure-aggregation.md, 2.5). Run under
// valgrind by constant_time_test.sh: secrets are marked as undefined, so that memcheck reports any
// use of them in a condition or an address. What is public by design is declared in the code
// (common/crypto/declassify.h). After each step the test asks memcheck whether the result is
// undefined too: a check in which the secret got lost would show nothing.
//
// Usage: constant_time_check all | branch | index
//   branch, index   the negative controls: must be reported
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "common/crypto/aead.h"
#include "common/crypto/declassify.h"
#include "common/crypto/hash.h"
#include "common/crypto/key_agreement.h"
#include "common/crypto/shamir.h"
#include "common/crypto/sign.h"
#include "common/encoding/quantizer.h"
#include "common/secagg/shared/masking.h"
#include "common/secagg/shared/transcript.h"
#include "tests/constant_time/secrets.h"

namespace sotto {
namespace {

using constant_time::expect_public;
using constant_time::expect_secret;
using constant_time::make_secret;
using constant_time::SecretRandom;
using crypto::Secret32;
using crypto::Secret64;

const Bytes32 kHeaderHash{1, 2, 3};
constexpr MemberId kMember{7};

void scalars_and_shamir(SecretRandom& random) {
  const Secret32 secret = crypto::random_scalar(random);
  const auto shares = crypto::share_secret(secret, 3, 5, random);
  std::vector<Bytes32> answers;
  for (const std::size_t i : {0U, 2U, 4U}) {
    Bytes32 share{};
    std::copy_n(shares[i].expose().begin(), share.size(), share.begin());
    answers.push_back(share);
  }
  const std::array<std::uint32_t, 3> points{1, 3, 5};
  const Secret32 opened = crypto::Reconstructor::create(points).value().reconstruct(answers);
  for (const auto& share : shares)
    expect_secret("a share", share.expose());
  expect_secret("a reconstructed secret", opened.expose());
  VALGRIND_MAKE_MEM_DEFINED(secret.expose().data(), secret.expose().size());
  if (!opened.equals(secret)) std::exit(1);
}

void canonical_check(SecretRandom& random) {
  const Secret32 scalar = crypto::random_scalar(random);
  const bool canonical = crypto::is_canonical_scalar(scalar.expose());
  expect_secret("is_canonical_scalar", std::span(&canonical, 1));
  const bool equal = scalar.equals(Secret32());
  expect_secret("equals", std::span(&equal, 1));
}

void hashes_and_keys(SecretRandom& random) {
  const Secret32 key = Secret32::random(random);
  expect_secret("kdf", crypto::kdf("SA1 lane", key, {kHeaderHash}).expose());
  expect_public("commit_self_seed", secagg::commit_self_seed(kHeaderHash, kMember, key));
  expect_public("commit_share", secagg::commit_share(wire::ShareKind::kSelfMask, kHeaderHash,
                                                     kMember, MemberId{9}, key.expose()));
}

void key_agreement(SecretRandom& random) {
  const crypto::AgreementKey own(Secret32::random(random));
  const crypto::AgreementKey peer(Secret32::random(random));
  expect_public("a public key", own.public_key());
  const auto shared = own.agree(peer.public_key());
  if (!shared.ok()) std::exit(1);
  expect_secret("X25519", shared->expose());
  if (own.agree(crypto::PublicKey{}).ok()) std::exit(1);  // refused, whatever the secret is

  const auto masks =
      secagg::mask_agreement_key(crypto::random_scalar(random), kHeaderHash, kMember);
  const auto pair = secagg::pair_secret(masks, peer.public_key(), {}, kHeaderHash);
  if (!pair.ok()) std::exit(1);
  expect_secret("pair_secret", pair->expose());
}

void sealing(SecretRandom& random) {
  const Secret32 key = Secret32::random(random);
  const Secret64 shares = Secret64::random(random);
  const crypto::Nonce nonce{1};
  const Bytes sealed = crypto::seal(key, nonce, shares.expose(), kHeaderHash);
  expect_public("a ciphertext", sealed);
  Secret64 opened;
  if (!crypto::open(key, nonce, sealed, kHeaderHash, opened.writable())) std::exit(1);
  expect_secret("an opened share", opened.expose());
}

void masks_and_packing(SecretRandom& random) {
  using encoding::LaneKind;
  const std::vector<encoding::LaneSpec> lanes{
      {.word_bits = 16, .bits = 13, .kind = LaneKind::kUpdate, .length = 1000, .chunk_words = 256},
      {.word_bits = 32, .bits = 20, .kind = LaneKind::kUpdate, .length = 5001, .chunk_words = 256},
      {.word_bits = 64, .bits = 64, .kind = LaneKind::kCounters, .length = 9, .chunk_words = 256}};
  encoding::RingUpdate update;
  for (const auto& lane : lanes) {
    update.lanes.emplace_back(lane);
    std::visit([](auto& words) { make_secret(words); }, update.lanes.back().words());
  }
  const encoding::LaneSpec check{
      .word_bits = 32, .bits = 20, .kind = LaneKind::kCheck, .length = 20, .chunk_words = 256};
  const auto checks = encoding::check_lane(update.lanes[1], check, kHeaderHash);
  std::visit([](const auto& words) { expect_secret("check words", words); }, checks.words());

  std::vector<secagg::MaskSeed> seeds;
  for (const auto kind : {secagg::MaskSeed::Kind::kSelf, secagg::MaskSeed::Kind::kPair})
    seeds.push_back({.kind = kind,
                     .secret = Secret32::random(random),
                     .self_id = kMember,
                     .sign = crypto::MaskSign::kSubtract});
  secagg::apply_masks(update.lanes, kHeaderHash, seeds, 1);
  for (const auto& lane : update.lanes)
    expect_secret("a packed lane", lane.pack());
}

/// Both back ends, whichever is the default here.
void mask_streams(SecretRandom& random) {
  for (const auto backend : {crypto::MaskBackend::kOpenssl, crypto::MaskBackend::kIpsecMb}) {
    if (!crypto::mask_backend_available(backend)) continue;
    std::vector<crypto::MaskTerm> terms;
    terms.push_back({Secret32::random(random), crypto::MaskSign::kAdd});
    std::vector<std::uint32_t> words(5000);
    crypto::add_masks(std::span(words), 0, 0, terms, backend);
    expect_secret("a mask", words);
  }
}

void signing(SecretRandom& random) {
  const auto key = crypto::SigningKey::generate(random);
  const crypto::Signature signature = key.sign(kHeaderHash);
  expect_secret("a signature", signature);
}

int negative_control(const std::string& which) {
  std::vector<std::uint8_t> secret(32, 1);
  make_secret(secret);
  volatile std::uint8_t seen = 0;
  static const std::array<std::uint8_t, 256> kTable{1};
  if (which == "branch" && secret[3] > 7) seen = 1;
  if (which == "index") seen = kTable.at(secret[3]);
  return seen > 1 ? 2 : 0;
}

}  // namespace
}  // namespace sotto

int main(int argc, char** argv) {
  const std::string which = argc == 2 ? argv[1] : "";
  if (RUNNING_ON_VALGRIND == 0) {
    std::fputs("constant_time_check shows something under valgrind only\n", stderr);
    return 2;
  }
  if (which == "branch" || which == "index") return sotto::negative_control(which);
  if (which != "all") return 2;
  sotto::SecretRandom random;
  sotto::scalars_and_shamir(random);
  sotto::canonical_check(random);
  sotto::hashes_and_keys(random);
  sotto::key_agreement(random);
  sotto::sealing(random);
  sotto::masks_and_packing(random);
  sotto::mask_streams(random);
  sotto::signing(random);
  sotto::constant_time::whole_round(random);
  std::puts("nothing depends on a secret but what is declared");
  return 0;
}
