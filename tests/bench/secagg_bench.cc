// Masking at one participant, and whole rounds of the protocol at both sides. The floors are what
// the libraries give for the same work in the same run: AES-256-CTR for masks, one Ed25519 check,
// one X25519.
#include <array>
#include <cstdint>
#include <vector>

#include <openssl/evp.h>
#if defined(SOTTO_HAVE_IPSEC_MB)
#include <intel-ipsec-mb.h>
#endif

#include "common/crypto/key_agreement.h"
#include "common/crypto/mask_stream.h"
#include "common/crypto/shamir.h"
#include "common/crypto/sign.h"
#include "tests/bench/bench.h"
#include "tests/bench/secagg_round.h"

namespace sotto::bench {
namespace {

using crypto::MaskBackend;

constexpr int kRuns = 15;
constexpr std::size_t kBufferBytes = 64 << 10;
constexpr int kBuffers = 1000;
constexpr double kAesBytes = static_cast<double>(kBufferBytes) * kBuffers;

/// The same bytes as masks ask for, from one buffer into another.
class OpensslAes {
 public:
  OpensslAes() : context_(EVP_CIPHER_CTX_new()) {
    EVP_EncryptInit_ex(context_, EVP_aes_256_ctr(), nullptr, key_.data(), iv_.data());
  }

  ~OpensslAes() { EVP_CIPHER_CTX_free(context_); }

  OpensslAes(const OpensslAes&) = delete;
  OpensslAes& operator=(const OpensslAes&) = delete;

  void run() {
    int written = 0;
    for (int i = 0; i < kBuffers; ++i)
      EVP_EncryptUpdate(context_, out_.data(), &written, in_.data(), kBufferBytes);
  }

 private:
  std::array<std::uint8_t, 32> key_{};
  std::array<std::uint8_t, 16> iv_{};
  std::vector<std::uint8_t> in_ = std::vector<std::uint8_t>(kBufferBytes);
  std::vector<std::uint8_t> out_ = std::vector<std::uint8_t>(kBufferBytes);
  EVP_CIPHER_CTX* context_;
};

#if defined(SOTTO_HAVE_IPSEC_MB)
class IpsecMbAes {
 public:
  IpsecMbAes() : manager_(alloc_mb_mgr(0)) {
    init_mb_mgr_auto(manager_, nullptr);
    alignas(64) std::array<std::uint8_t, 240> unused{};
    IMB_AES_KEYEXP_256(manager_, key_.data(), schedule_.data(), unused.data());
    job_.src = in_.data();
    job_.dst = out_.data();
    job_.msg_len_to_cipher_in_bytes = kBufferBytes;
    job_.iv = iv_.data();
    job_.iv_len_in_bytes = iv_.size();
    job_.enc_keys = schedule_.data();
    job_.key_len_in_bytes = IMB_KEY_256_BYTES;
  }

  ~IpsecMbAes() { free_mb_mgr(manager_); }

  IpsecMbAes(const IpsecMbAes&) = delete;
  IpsecMbAes& operator=(const IpsecMbAes&) = delete;

  void run() {
    for (int i = 0; i < kBuffers; ++i)
      SOTTO_CHECK(IMB_SUBMIT_CIPHER_BURST_NOCHECK(manager_, &job_, 1, IMB_CIPHER_CNTR,
                                                  IMB_DIR_ENCRYPT, IMB_KEY_256_BYTES) == 1,
                  "ipsec-mb refused a job");
  }

 private:
  std::array<std::uint8_t, 32> key_{};
  std::array<std::uint8_t, 16> iv_{};
  std::vector<std::uint8_t> in_ = std::vector<std::uint8_t>(kBufferBytes);
  std::vector<std::uint8_t> out_ = std::vector<std::uint8_t>(kBufferBytes);
  alignas(64) std::array<std::uint8_t, 240> schedule_{};
  IMB_MGR* manager_;
  IMB_JOB job_{};
};
#endif

/// One participant among 16 masks a million values: 15 pairwise masks and its own.
template <class Aes>
void mask_n16_d1e6(const Report& report, MaskBackend backend) {
  constexpr std::size_t kValues = 1'000'000;
  constexpr int kTerms = 16;
  crypto::StreamRandom random(1);
  std::vector<crypto::MaskTerm> terms;
  for (int i = 0; i < kTerms; ++i)
    terms.push_back({.key = crypto::Secret32::random(random),
                     .sign = i % 2 == 0 ? crypto::MaskSign::kAdd : crypto::MaskSign::kSubtract});
  std::vector<std::uint32_t> values(kValues);
  Aes aes;
  const auto mask = [&] { crypto::add_masks(std::span(values), 0, 0, terms, backend); };
  const auto [mask_seconds, aes_seconds] = medians_of(
      kRuns, [&] { return cpu_seconds_of(mask); },
      [&] { return cpu_seconds_of([&] { aes.run(); }); });

  const std::string name = "mask_n16_d1e6/" + std::string(crypto::name(backend));
  const double masked = kTerms * 4.0 * kValues;
  const double aes_gbps = kAesBytes / aes_seconds / 1e9;
  report.add({.name = name,
              .metric = "client_cpu_ms",
              .value = mask_seconds * 1e3,
              .unit = "ms",
              .floor = masked / aes_gbps / 1e6});
  report.add({.name = name,
              .metric = "mask_gbps",
              .value = masked / mask_seconds / 1e9,
              .unit = "GB/s",
              .floor = aes_gbps});
  report.add({.name = name, .metric = "aes_gbps", .value = aes_gbps, .unit = "GB/s"});
}

/// Sharing and opening one secret among 256 with the threshold of the complete graph.
void shamir_t171_n256(const Report& report) {
  constexpr std::uint32_t kThreshold = 171;
  crypto::StreamRandom random(2);
  const crypto::Secret32 secret = crypto::random_scalar(random);
  std::vector<crypto::Secret32> shares;
  const double share = median_of(kRuns, [&] {
    return cpu_seconds_of([&] { shares = crypto::share_secret(secret, kThreshold, 256, random); });
  });
  std::vector<std::uint32_t> points;
  std::vector<Bytes32> opened(kThreshold);
  for (std::uint32_t i = 0; i < kThreshold; ++i) {
    points.push_back(i + 1);
    std::ranges::copy(shares[i].expose(), opened[i].begin());
  }
  const double prepare = median_of(kRuns, [&] {
    return cpu_seconds_of(
        [&] { SOTTO_CHECK(crypto::Reconstructor::create(points).ok(), "points"); });
  });
  const crypto::Reconstructor reconstructor = crypto::Reconstructor::create(points).value();
  const double open = median_of(kRuns, [&] {
    return cpu_seconds_of(
        [&] { SOTTO_CHECK(reconstructor.reconstruct(opened).equals(secret), "another secret"); });
  });
  const std::string name = "shamir_t171_n256";
  report.add({.name = name, .metric = "share_cpu_ms", .value = share * 1e3, .unit = "ms"});
  report.add({.name = name, .metric = "coefficients_cpu_ms", .value = prepare * 1e3, .unit = "ms"});
  report.add({.name = name, .metric = "open_cpu_ms", .value = open * 1e3, .unit = "ms"});
}

/// CPU seconds of one of each, measured where they are used as a floor.
struct UnitCosts {
  double verify = 0;
  double sign = 0;
  double agree = 0;
  double aes_bytes_per_second = 0;
};

template <class Aes>
UnitCosts unit_costs() {
  constexpr int kTimes = 100;
  crypto::StreamRandom random(3);
  const crypto::SigningKey key = crypto::SigningKey::generate(random);
  const crypto::AgreementKey own(crypto::Secret32::random(random));
  const crypto::AgreementKey peer(crypto::Secret32::random(random));
  const Bytes message(280);  // an M3 entry and its label
  const crypto::Signature signature = key.sign(message);
  Aes aes;
  const auto each = [](auto work) {
    return [work] {
      return cpu_seconds_of([&] {
               for (int i = 0; i < kTimes; ++i)
                 work();
             }) /
             kTimes;
    };
  };
  const auto [verify, sign, agree, aes_seconds] = medians_of(
      kRuns,
      each([&] { SOTTO_CHECK(crypto::verify(key.verify_key(), message, signature), "verify"); }),
      each([&] { SOTTO_CHECK(key.sign(message) == signature, "sign"); }),
      each([&] { SOTTO_CHECK(own.agree(peer.public_key()).ok(), "agree"); }),
      [&] { return cpu_seconds_of([&] { aes.run(); }); });
  return {.verify = verify,
          .sign = sign,
          .agree = agree,
          .aes_bytes_per_second = kAesBytes / aes_seconds};
}

/// The least that each side can take: its masks at the AES rate, its signatures and its key
/// agreements, one after the other.
struct RoundFloor {
  double client = 0;
  double set_up = 0;
  double after = 0;
};

RoundFloor floor_of(const wire::RoundHeader& header, const RoundCost& cost, const UnitCosts& unit) {
  const double n = header.n;
  const double degree = header.k;
  const double holders = header.graph == wire::Graph::kComplete ? degree + 1 : degree;
  const double survivors = cost.survivors;
  const double quorum = header.Q;
  const encoding::LaneSpec& lane = header.lanes.front();
  const double mask =
      static_cast<double>(lane.length * lane.word_bits / 8) / unit.aes_bytes_per_second;
  // A dropout is at the other end of so many masks of survivors.
  const double one_sided = (n - survivors) * degree * survivors / n;
  return {
      .client = (degree + 1) * mask + 2 * degree * unit.agree +
                (2 * degree + quorum + degree * survivors / n) * unit.verify + holders * unit.sign,
      .set_up = n * (holders + 2) * unit.verify,
      .after =
          (survivors + one_sided) * mask + one_sided * unit.agree + 2 * survivors * unit.verify};
}

void round(const Report& report, const RoundCase& round_case, const UnitCosts& unit) {
  RoundBench bench(round_case);
  std::vector<RoundCost> costs;
  for (int i = 0; i < round_case.runs; ++i)
    costs.push_back(bench.run());
  const auto middle = [&](auto value_of) {
    std::vector<double> values;
    for (const RoundCost& cost : costs)
      values.push_back(value_of(cost));
    std::ranges::sort(values);
    return values[values.size() / 2];
  };
  const RoundFloor floor = floor_of(bench.header(), costs.front(), unit);
  const auto add = [&](std::string metric, double value, std::string unit_name,
                       std::optional<double> least) {
    report.add({.name = round_case.name,
                .metric = std::move(metric),
                .value = value,
                .unit = std::move(unit_name),
                .floor = least});
  };
  add("client_cpu_ms", 1e3 * middle([](const RoundCost& c) { return c.client; }), "ms",
      1e3 * floor.client);
  for (const auto& [part, unused] : costs.front().client_part)
    add("client_" + part + "_cpu_ms",
        1e3 * middle([&](const RoundCost& c) { return c.client_part.at(part); }), "ms",
        std::nullopt);
  add("coordinator_setup_cpu_ms", 1e3 * middle([](const RoundCost& c) { return c.set_up; }), "ms",
      1e3 * floor.set_up);
  add("coordinator_uploads_cpu_ms", 1e3 * middle([](const RoundCost& c) { return c.uploads; }),
      "ms", std::nullopt);
  add("coordinator_cpu_ms", 1e3 * middle([](const RoundCost& c) { return c.after; }), "ms",
      1e3 * floor.after);
  const RoundCost& first = costs.front();
  add("upload_bytes", static_cast<double>(first.sent_bytes), "B",
      static_cast<double>(first.upload_bytes));
  add("download_bytes", static_cast<double>(first.received_bytes), "B", std::nullopt);
}

template <class Aes>
void rounds(const Report& report) {
  const UnitCosts unit = unit_costs<Aes>();
  report.add({.name = "unit", .metric = "verify_us", .value = unit.verify * 1e6, .unit = "us"});
  report.add({.name = "unit", .metric = "sign_us", .value = unit.sign * 1e6, .unit = "us"});
  report.add({.name = "unit", .metric = "agree_us", .value = unit.agree * 1e6, .unit = "us"});
  const auto circulant = wire::Graph::kCirculant;
  const std::vector<RoundCase> cases = {
      {.name = "n16_d1e6_complete_drop0", .n = 16, .C = 5, .values = 1'000'000},
      {.name = "n16_d1e6_complete_drop25", .n = 16, .C = 5, .values = 1'000'000, .drop = 0.25},
      {.name = "n100_d1e5_k50_drop10",
       .n = 100,
       .C = 20,
       .values = 100'000,
       .drop = 0.1,
       .graph = circulant,
       .degree = 50},
      {.name = "n100_d1e5_complete_drop10", .n = 100, .C = 33, .values = 100'000, .drop = 0.1},
      {.name = "n500_d1e5_k58_drop10",
       .n = 500,
       .C = 100,
       .values = 100'000,
       .drop = 0.1,
       .graph = circulant,
       .degree = 58,
       .runs = 1},
      {.name = "n500_d1e5_k102_drop10",
       .n = 500,
       .C = 100,
       .values = 100'000,
       .drop = 0.1,
       .graph = circulant,
       .runs = 1},
  };
  for (const RoundCase& round_case : cases)
    round(report, round_case, unit);
}

}  // namespace
}  // namespace sotto::bench

int main(int argc, char** argv) {
  using sotto::crypto::MaskBackend;
  const sotto::bench::Report report("secagg", argc, argv);
#if defined(SOTTO_HAVE_IPSEC_MB)
  if (sotto::crypto::mask_backend_available(MaskBackend::kIpsecMb))
    sotto::bench::mask_n16_d1e6<sotto::bench::IpsecMbAes>(report, MaskBackend::kIpsecMb);
#endif
  sotto::bench::mask_n16_d1e6<sotto::bench::OpensslAes>(report, MaskBackend::kOpenssl);
  sotto::bench::shamir_t171_n256(report);
#if defined(SOTTO_HAVE_IPSEC_MB)
  if (sotto::crypto::mask_backend_available(MaskBackend::kIpsecMb)) {
    sotto::bench::rounds<sotto::bench::IpsecMbAes>(report);
    return 0;
  }
#endif
  sotto::bench::rounds<sotto::bench::OpensslAes>(report);
}
