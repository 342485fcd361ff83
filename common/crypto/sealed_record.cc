#include "common/crypto/sealed_record.h"

#include <sodium.h>

#include "common/base/check.h"

namespace sotto::crypto {
namespace {

static_assert(kRecordHeaderBytes == crypto_secretstream_xchacha20poly1305_HEADERBYTES);
static_assert(kRecordOverhead == kRecordHeaderBytes + crypto_secretstream_xchacha20poly1305_ABYTES);

/// Stream holds the record's key and is wiped at the end.
class Stream {
 public:
  /// init_pull begins both ends of a stream, because libsodium's init_push would draw the header
  /// from its own generator and not from SecureRandom.
  Stream(const Secret32& key, BytesView header) {
    const int rc =
        crypto_secretstream_xchacha20poly1305_init_pull(&state, header.data(), key.expose().data());
    SOTTO_CHECK(rc == 0, "a secretstream cannot begin");
  }

  ~Stream() { sodium_memzero(&state, sizeof state); }

  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  crypto_secretstream_xchacha20poly1305_state state{};
};

}  // namespace

Bytes seal_record(const Secret32& key, BytesView plaintext, BytesView associated_data,
                  SecureRandom& random) {
  Bytes out(plaintext.size() + kRecordOverhead);
  const std::span<std::uint8_t> header(out.data(), kRecordHeaderBytes);
  random.fill(header);
  Stream stream(key, header);
  const int rc = crypto_secretstream_xchacha20poly1305_push(
      &stream.state, out.data() + kRecordHeaderBytes, nullptr, plaintext.data(), plaintext.size(),
      associated_data.data(), associated_data.size(),
      crypto_secretstream_xchacha20poly1305_TAG_FINAL);
  SOTTO_CHECK(rc == 0, "a secretstream cannot seal");
  return out;
}

bool open_record(const Secret32& key, BytesView sealed, BytesView associated_data,
                 std::span<std::uint8_t> out) {
  if (sealed.size() < kRecordOverhead) {
    wipe(out);
    return false;
  }
  SOTTO_CHECK(out.size() == sealed.size() - kRecordOverhead, "the plaintext needs its own size");
  Stream stream(key, sealed.first(kRecordHeaderBytes));
  const BytesView message = sealed.subspan(kRecordHeaderBytes);
  unsigned char tag = 0;
  const int rc = crypto_secretstream_xchacha20poly1305_pull(
      &stream.state, out.data(), nullptr, &tag, message.data(), message.size(),
      associated_data.data(), associated_data.size());
  const bool opened = rc == 0 && tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
  if (!opened) wipe(out);
  return opened;
}

}  // namespace sotto::crypto
