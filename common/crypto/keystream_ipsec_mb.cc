#include "common/base/check.h"
#include "common/crypto/keystream_cipher.h"

#if defined(SOTTO_HAVE_IPSEC_MB)

#include <intel-ipsec-mb.h>

namespace sotto::crypto {
namespace {

/// The library's table of functions for this CPU. Each thread has its own because it also holds the
/// state of jobs.
class Manager {
 public:
  Manager() : manager_(alloc_mb_mgr(0)) {
    if (manager_ != nullptr) init_mb_mgr_auto(manager_, nullptr);
  }

  ~Manager() {
    if (manager_ != nullptr) free_mb_mgr(manager_);
  }

  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  [[nodiscard]] bool usable() const {
    return manager_ != nullptr && imb_get_errno(manager_) == 0 &&
           (manager_->features & IMB_FEATURE_AESNI) != 0;
  }

  [[nodiscard]] IMB_MGR* get() const { return manager_; }

 private:
  IMB_MGR* manager_;
};

const Manager& manager() {
  static thread_local const Manager instance;
  return instance;
}

class IpsecMbCipher final : public KeystreamCipher {
 public:
  explicit IpsecMbCipher(const Secret32& key) : manager_(manager().get()) {
    SOTTO_CHECK(manager().usable(), "ipsec-mb cannot run on this CPU");
    const SecretCell unused_decryption_schedule(kScheduleBytes);
    IMB_AES_KEYEXP_256(manager_, key.expose().data(), schedule_.data(),
                       unused_decryption_schedule.data());
  }

  // With an IV of 16 bytes the library increments the last 32 bits only. A key is limited to 2^28
  // blocks, so these bits never overflow.
  void generate(const CounterBlock& first, std::span<std::uint8_t> out) override {
    SOTTO_CHECK(out.size() <= kKeystreamChunk, "keystream is made a chunk at a time");
    IMB_JOB job{};
    job.src = zero_chunk().data();
    job.dst = out.data();
    job.msg_len_to_cipher_in_bytes = out.size();
    job.iv = first.data();
    job.iv_len_in_bytes = first.size();
    job.enc_keys = schedule_.data();
    job.key_len_in_bytes = IMB_KEY_256_BYTES;
    job.cipher_mode = IMB_CIPHER_CNTR;
    job.cipher_direction = IMB_DIR_ENCRYPT;
    job.chain_order = IMB_ORDER_CIPHER_HASH;
    job.hash_alg = IMB_AUTH_NULL;
    const std::uint32_t done = IMB_SUBMIT_CIPHER_BURST(manager_, &job, 1, IMB_CIPHER_CNTR,
                                                       IMB_DIR_ENCRYPT, IMB_KEY_256_BYTES);
    SOTTO_CHECK(done == 1 && job.status == IMB_STATUS_COMPLETED, "ipsec-mb refused a job");
  }

 private:
  static constexpr std::size_t kScheduleBytes = 15 * 16;

  IMB_MGR* manager_;
  SecretCell schedule_{kScheduleBytes};
};

}  // namespace

bool ipsec_mb_available() {
  return manager().usable();
}

std::unique_ptr<KeystreamCipher> make_ipsec_mb_cipher(const Secret32& key) {
  return std::make_unique<IpsecMbCipher>(key);
}

}  // namespace sotto::crypto

#else

namespace sotto::crypto {

bool ipsec_mb_available() {
  return false;
}

std::unique_ptr<KeystreamCipher> make_ipsec_mb_cipher(const Secret32&) {
  SOTTO_CHECK(false, "ipsec-mb is not built in");
}

}  // namespace sotto::crypto

#endif
