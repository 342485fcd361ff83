#include "common/crypto/mask_stream.h"

#include <algorithm>
#include <bit>

#include "common/base/check.h"
#include "common/crypto/keystream_cipher.h"
#include "common/crypto/mask_add.h"

namespace sotto::crypto {
namespace {

constexpr std::size_t kBlockBytes = 16;
constexpr std::uint64_t kBlocksPerKey = std::uint64_t{1} << 28;

CounterBlock counter_block(std::uint32_t lane, std::uint64_t block) {
  CounterBlock out{};
  for (std::size_t i = 0; i < 4; ++i)
    out[i] = static_cast<std::uint8_t>(lane >> (8 * i));
  for (std::size_t i = 0; i < 8; ++i)
    out[15 - i] = static_cast<std::uint8_t>(block >> (8 * i));
  return out;
}

void check_within_key(std::uint64_t first_block, std::size_t bytes) {
  const std::uint64_t blocks = (bytes + kBlockBytes - 1) / kBlockBytes;
  SOTTO_CHECK(first_block <= kBlocksPerKey && blocks <= kBlocksPerKey - first_block,
              "a mask key is good for 2^28 blocks");
}

std::unique_ptr<KeystreamCipher> make_cipher(const Secret32& key, MaskBackend backend) {
  SOTTO_CHECK(mask_backend_available(backend), "this mask back end is not available here");
  return backend == MaskBackend::kIpsecMb ? make_ipsec_mb_cipher(key) : make_openssl_cipher(key);
}

/// Returns the length in words of the chunk at the head of `rest`. It is shorter at first if that
/// aligns the accumulator to a cache line, so that no vector store of the later chunks is split.
template <class Word>
std::size_t next_chunk(std::span<const Word> rest) {
  constexpr std::size_t kCacheLine = 64;
  const std::size_t past_line = std::bit_cast<std::uintptr_t>(rest.data()) % kCacheLine;
  const std::size_t shorter = past_line % kBlockBytes == 0 ? past_line : 0;  // whole blocks only
  return std::min((kKeystreamChunk - shorter) / sizeof(Word), rest.size());
}

template <class Word>
void add_masks_of(std::span<Word> acc, std::uint32_t lane, std::uint64_t first_word,
                  std::span<const MaskTerm> terms, MaskBackend backend) {
  constexpr std::uint64_t kWordsPerBlock = kBlockBytes / sizeof(Word);
  SOTTO_CHECK(first_word % kWordsPerBlock == 0, "masks start at a block of the stream");
  check_within_key(first_word / kWordsPerBlock, acc.size_bytes());

  std::vector<std::unique_ptr<KeystreamCipher>> ciphers;
  ciphers.reserve(terms.size());
  for (const MaskTerm& term : terms)
    ciphers.push_back(make_cipher(term.key, backend));

  const SecretCell scratch(kKeystreamChunk);
  for (std::size_t at = 0; at < acc.size();) {
    const std::span<Word> chunk =
        acc.subspan(at, next_chunk(std::span<const Word>(acc.subspan(at))));
    const CounterBlock counter = counter_block(lane, (first_word + at) / kWordsPerBlock);
    const std::span<std::uint8_t> stream(scratch.data(), chunk.size_bytes());
    for (std::size_t k = 0; k < terms.size(); ++k) {
      ciphers[k]->generate(counter, stream);
      add_words(chunk, stream, terms[k].sign);
    }
    at += chunk.size();
  }
}

}  // namespace

std::span<const std::uint8_t> zero_chunk() {
  alignas(64) static constexpr std::array<std::uint8_t, kKeystreamChunk> kZeros{};
  return kZeros;
}

MaskBackend default_mask_backend() {
  static const MaskBackend chosen =
      ipsec_mb_available() ? MaskBackend::kIpsecMb : MaskBackend::kOpenssl;
  return chosen;
}

bool mask_backend_available(MaskBackend backend) {
  return backend == MaskBackend::kOpenssl || default_mask_backend() == backend;
}

std::string_view name(MaskBackend backend) {
  return backend == MaskBackend::kIpsecMb ? "ipsec-mb" : "openssl";
}

void add_masks(std::span<std::uint16_t> acc, std::uint32_t lane, std::uint64_t first_word,
               std::span<const MaskTerm> terms, MaskBackend backend) {
  add_masks_of(acc, lane, first_word, terms, backend);
}

void add_masks(std::span<std::uint32_t> acc, std::uint32_t lane, std::uint64_t first_word,
               std::span<const MaskTerm> terms, MaskBackend backend) {
  add_masks_of(acc, lane, first_word, terms, backend);
}

void add_masks(std::span<std::uint64_t> acc, std::uint32_t lane, std::uint64_t first_word,
               std::span<const MaskTerm> terms, MaskBackend backend) {
  add_masks_of(acc, lane, first_word, terms, backend);
}

void keystream(const Secret32& key, std::uint32_t lane, std::uint64_t first_block,
               std::span<std::uint8_t> out, MaskBackend backend) {
  check_within_key(first_block, out.size());
  const std::unique_ptr<KeystreamCipher> cipher = make_cipher(key, backend);
  for (std::size_t at = 0; at < out.size(); at += kKeystreamChunk)
    cipher->generate(counter_block(lane, first_block + at / kBlockBytes),
                     out.subspan(at, std::min(kKeystreamChunk, out.size() - at)));
}

}  // namespace sotto::crypto
