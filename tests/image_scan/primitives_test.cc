// What each primitive leaves behind by itself, before the next one covers it up.
#include "common/crypto/aead.h"
#include "common/crypto/shamir.h"
#include "tests/image_scan/round_secrets.h"

namespace sotto::image_scan {
namespace {

using crypto::Secret32;

constexpr std::array<std::uint8_t, 3> kContext{1, 2, 3};

crypto::PublicKey peer_key() {
  return crypto::AgreementKey(Secret32::copy_of(Bytes32{9, 9, 9})).public_key();
}

/// Draws: a scalar, two coefficients, a key. Needles: these, and all that follows from them.
Plan make_secrets() {
  crypto::OsRandom random;
  Plan plan;
  const auto needle = [&](const std::string& name, std::span<const std::uint8_t, 32> raw) {
    plan.needles.push_back({name, masked(raw)});
  };
  std::vector<Secret32> drawn;
  for (const char* name : {"scalar", "first coefficient", "second coefficient", "key"}) {
    drawn.push_back(crypto::random_scalar(random));
    plan.draws[0].scalars.push_back(masked(drawn.back().expose()));
    needle(name, drawn.back().expose());
  }
  needle("derived key", crypto::kdf("SA1 lane", drawn[3], {kContext}).expose());
  needle("agreed secret",
         crypto::AgreementKey(drawn[3].clone()).agree(peer_key()).value().expose());
  const std::span<const Secret32> coefficients(drawn.data() + 1, 2);
  for (const auto& share : crypto::share_with_coefficients(drawn[0], coefficients, 3))
    needle("share", share.expose());
  return plan;
}

struct Primitives : ::testing::Test {
  Plan plan = plan_in_a_child(make_secrets);
  MaskedRandom random{plan.draws[0].scalars};
  Secret32 scalar = Secret32::random(random);
  std::vector<Secret32> coefficients;
  Search search{plan.needles};

  void SetUp() override {
    coefficients.push_back(Secret32::random(random));
    coefficients.push_back(Secret32::random(random));
    key = Secret32::random(random);
    nothing_left("drawing");
  }

  void nothing_left(const char* after) {
    search.outside_of_the_arena();
    for (const std::string& what : search.found())
      ADD_FAILURE() << after << " left behind: " << what;
  }

  Secret32 key;
};

TEST_F(Primitives, DrawingAScalarLeavesNothing) {
  MaskedRandom again{plan.draws[0].scalars};
  const Secret32 drawn = crypto::random_scalar(again);
  nothing_left("random_scalar");
}

TEST_F(Primitives, SharingLeavesNothing) {
  const auto shares = crypto::share_with_coefficients(scalar, coefficients, 3);
  nothing_left("share_with_coefficients");
}

TEST_F(Primitives, AKeyDerivationLeavesNothing) {
  const Secret32 derived = crypto::kdf("SA1 lane", key, {kContext});
  nothing_left("kdf");
}

TEST_F(Primitives, AHashOfASecretLeavesNothing) {
  const Bytes32 commitment = crypto::hash("SA1 shb", {kContext, key.expose()});
  nothing_left("hash");
  EXPECT_NE(commitment, Bytes32{});
}

TEST_F(Primitives, KeyAgreementLeavesNothing) {
  const crypto::PublicKey peer = peer_key();
  const crypto::AgreementKey own(std::move(key));
  nothing_left("the public key");
  const auto shared = own.agree(peer);
  nothing_left("agree");
}

TEST_F(Primitives, SealingAndOpeningLeaveNothing) {
  crypto::Secret64 plain;
  std::ranges::copy(scalar.expose(), plain.writable().begin());
  const Bytes sealed = crypto::seal(key, {1}, plain.expose(), kContext);
  nothing_left("seal");
  crypto::Secret64 opened;
  EXPECT_TRUE(crypto::open(key, {1}, sealed, kContext, opened.writable()));
  nothing_left("open");
}

TEST_F(Primitives, MasksLeaveNothing) {
  for (const auto backend : {crypto::MaskBackend::kOpenssl, crypto::MaskBackend::kIpsecMb}) {
    if (!crypto::mask_backend_available(backend)) continue;
    std::vector<crypto::MaskTerm> terms;
    terms.push_back({key.clone(), crypto::MaskSign::kAdd});
    std::vector<std::uint32_t> words(5000);
    crypto::add_masks(std::span(words), 0, 0, terms, backend);
    nothing_left(crypto::name(backend).data());
  }
}

TEST_F(Primitives, ReconstructionLeavesNothing) {
  const auto shares = crypto::share_with_coefficients(scalar, coefficients, 3);
  std::vector<Bytes32> answers(3);  // as M9 brings them: public, so not searched for
  for (std::size_t i = 0; i < answers.size(); ++i)
    std::ranges::copy(shares[i].expose(), answers[i].begin());
  const auto reconstructor =
      crypto::Reconstructor::create(std::vector<std::uint32_t>{1, 2, 3}).value();
  const Secret32 opened = reconstructor.reconstruct(answers);
  for (Bytes32& answer : answers)
    crypto::wipe(answer);
  nothing_left("reconstruct");
  EXPECT_TRUE(opened.equals(scalar));
}

}  // namespace
}  // namespace sotto::image_scan
