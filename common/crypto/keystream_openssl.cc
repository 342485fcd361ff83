#include <openssl/evp.h>

#include "common/base/check.h"
#include "common/crypto/keystream_cipher.h"

namespace sotto::crypto {
namespace {

struct ContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

const EVP_CIPHER* aes_256_ctr() {
  // The cipher is fetched once because the lookup costs as much as a key schedule.
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-CTR", nullptr);
  SOTTO_CHECK(cipher != nullptr, "OpenSSL has no AES-256-CTR");
  return cipher;
}

/// OpensslCipher keeps its key schedule in OpenSSL's context, which cannot be placed in the arena.
/// Freeing the context wipes the key schedule.
class OpensslCipher final : public KeystreamCipher {
 public:
  explicit OpensslCipher(const Secret32& key) : context_(EVP_CIPHER_CTX_new()) {
    SOTTO_CHECK(context_ != nullptr, "OpenSSL has no memory for a cipher");
    const int rc =
        EVP_EncryptInit_ex2(context_.get(), aes_256_ctr(), key.expose().data(), nullptr, nullptr);
    SOTTO_CHECK(rc == 1, "OpenSSL refused an AES key");
  }

  void generate(const CounterBlock& first, std::span<std::uint8_t> out) override {
    SOTTO_CHECK(out.size() <= kKeystreamChunk, "keystream is made a chunk at a time");
    int written = 0;
    const bool done =
        EVP_EncryptInit_ex2(context_.get(), nullptr, nullptr, first.data(), nullptr) == 1 &&
        EVP_EncryptUpdate(context_.get(), out.data(), &written, zero_chunk().data(),
                          static_cast<int>(out.size())) == 1;
    SOTTO_CHECK(done && static_cast<std::size_t>(written) == out.size(), "OpenSSL cannot encrypt");
  }

 private:
  std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter> context_;
};

}  // namespace

std::unique_ptr<KeystreamCipher> make_openssl_cipher(const Secret32& key) {
  return std::make_unique<OpensslCipher>(key);
}

}  // namespace sotto::crypto
