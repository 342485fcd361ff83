// Masking at one participant. The floor is AES-256-CTR as the library gives it, in the same run.
#include <array>
#include <cstdint>
#include <vector>

#include <openssl/evp.h>
#if defined(SOTTO_HAVE_IPSEC_MB)
#include <intel-ipsec-mb.h>
#endif

#include "common/crypto/mask_stream.h"
#include "common/crypto/shamir.h"
#include "tests/bench/bench.h"

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
}
