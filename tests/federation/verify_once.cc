// Stands in front of libsodium's Ed25519 verification in the simulation (-Wl,--wrap): half of a
// history's time was spent on verifying what another member had just verified. The answer is a
// function of key, message and signature; all of them are compared, so it is the same.
#include <map>
#include <string>
#include <string_view>

extern "C" {
// NOLINTBEGIN: the names are the linker's.
int __real_crypto_sign_ed25519_verify_detached(const unsigned char* signature,
                                               const unsigned char* message,
                                               unsigned long long size, const unsigned char* key);
int __wrap_crypto_sign_ed25519_verify_detached(const unsigned char* signature,
                                               const unsigned char* message,
                                               unsigned long long size, const unsigned char* key);
// NOLINTEND
}

namespace {

constexpr std::size_t kMostRemembered = 1U << 12;  // of a round of ten it is some hundred

std::string_view view(const unsigned char* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

int __wrap_crypto_sign_ed25519_verify_detached(const unsigned char* signature,
                                               const unsigned char* message,
                                               unsigned long long size, const unsigned char* key) {
  thread_local std::map<std::string, int, std::less<>> answers;
  std::string asked(view(signature, 64));
  asked += view(key, 32);
  asked += view(message, size);
  if (const auto at = answers.find(asked); at != answers.end()) return at->second;
  const int answer = __real_crypto_sign_ed25519_verify_detached(signature, message, size, key);
  if (answers.size() == kMostRemembered) answers.clear();
  answers.emplace(std::move(asked), answer);
  return answer;
}
