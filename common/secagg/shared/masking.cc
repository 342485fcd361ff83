#include "common/secagg/shared/masking.h"

#include <algorithm>
#include <thread>
#include <variant>

#include "common/base/check.h"
#include "common/crypto/hash.h"

namespace sotto::secagg {
namespace {

// Each thread processes whole key-stream chunks, so that no two threads share a block.
constexpr std::uint64_t kRangeBytes = 8192;

/// Returns the lane's number in keys, counter blocks and hashes. It follows from the kind, so that
/// counters have the same number in an evaluation round, where they are the only lane.
std::uint8_t lane_number(encoding::LaneKind kind) {
  return static_cast<std::uint8_t>(static_cast<std::uint8_t>(kind) - 1);
}

Bytes h_and_id(const Bytes32& h, MemberId id) {
  return ByteWriter().bytes(h).u32(raw(id)).take();
}

crypto::Secret32 lane_key(const MaskSeed& seed, const Bytes32& h, std::uint8_t lane,
                          std::uint64_t segment) {
  ByteWriter place;
  place.u8(lane);
  place.u64(segment);
  if (seed.kind == MaskSeed::Kind::kPair)
    return crypto::kdf("SA1 lane", seed.secret, {place.view()});
  return crypto::kdf("SA1 self", seed.secret, {h_and_id(h, seed.self_id), place.view()});
}

void write_advertise(ByteWriter& out, const wire::Advertise& m) {
  out.u32(raw(m.id));
  out.bytes(m.pk_enc);
  out.bytes(m.pk_mask);
  out.bytes(m.cm_b);
  out.bytes(m.signature);
}

template <class Word>
void mask_words(std::span<Word> words, std::uint32_t lane, std::span<const crypto::MaskTerm> terms,
                unsigned threads) {
  const std::uint64_t range_words = kRangeBytes / sizeof(Word);
  const std::uint64_t ranges = (words.size() + range_words - 1) / range_words;
  const std::uint64_t workers =
      std::clamp<std::uint64_t>(threads, 1, std::max<std::uint64_t>(ranges, 1));
  auto mask_part = [&](std::uint64_t worker) {
    const std::uint64_t first =
        std::min<std::uint64_t>(ranges * worker / workers * range_words, words.size());
    const std::uint64_t last =
        std::min<std::uint64_t>(ranges * (worker + 1) / workers * range_words, words.size());
    if (first < last) crypto::add_masks(words.subspan(first, last - first), lane, first, terms);
  };
  std::vector<std::jthread> others;
  for (std::uint64_t worker = 1; worker < workers; ++worker)
    others.emplace_back(mask_part, worker);
  mask_part(0);
}

}  // namespace

std::uint64_t upload_bytes(std::span<const encoding::LaneSpec> lanes) {
  std::uint64_t total = 0;
  for (const encoding::LaneSpec& lane : lanes)
    total += lane.packed_bytes();
  return total;
}

Bytes32 hash_of_upload(const Bytes32& h, MemberId id, std::span<const encoding::LaneSpec> lanes,
                       BytesView packed) {
  SOTTO_CHECK(packed.size() == upload_bytes(lanes), "an upload has exactly its lanes' bytes");
  crypto::PiecedHasher hasher = upload_hasher(h, id);
  hasher.update(packed);
  return hasher.finish();
}

crypto::PiecedHasher upload_hasher(const Bytes32& h, MemberId id) {
  return crypto::PiecedHasher({.whole = "SA1 y", .piece = "SA1 ypc"}, h_and_id(h, id));
}

crypto::AgreementKey mask_agreement_key(const crypto::Secret32& r, const Bytes32& h, MemberId id) {
  return crypto::AgreementKey(crypto::kdf("SA1 mkey", r, {h_and_id(h, id)}));
}

Bytes pair_context(const Bytes32& h, const wire::Advertise& lo, const wire::Advertise& hi) {
  ByteWriter out;
  out.bytes(h);
  out.u32(raw(lo.id));
  out.u32(raw(hi.id));
  write_advertise(out, lo);
  write_advertise(out, hi);
  return out.take();
}

Result<crypto::Secret32> pair_secret(const crypto::AgreementKey& own, const crypto::PublicKey& peer,
                                     const crypto::Secret32& psk, BytesView pair_context) {
  SOTTO_ASSIGN_OR_RETURN(auto z, own.agree(peer));
  return crypto::kdf("SA1 pair", z, {psk.expose(), pair_context});
}

void apply_masks(std::vector<encoding::RingVector>& lanes, const Bytes32& h,
                 std::span<const MaskSeed> seeds, unsigned threads, std::uint64_t segment_bytes) {
  SOTTO_CHECK(threads >= 1, "masking needs a thread");
  const auto mask_lane = [&]<class Word>(std::span<Word> words, std::uint8_t lane) {
    const std::uint64_t in_segment = segment_bytes / sizeof(Word);
    for (std::uint64_t segment = 0; segment * in_segment < words.size(); ++segment) {
      const std::uint64_t first = segment * in_segment;
      std::vector<crypto::MaskTerm> terms;
      terms.reserve(seeds.size());
      for (const MaskSeed& seed : seeds)
        terms.push_back({lane_key(seed, h, lane, segment), seed.sign});
      mask_words(words.subspan(first, std::min<std::uint64_t>(in_segment, words.size() - first)),
                 lane, terms, threads);
    }
  };
  for (encoding::RingVector& vector : lanes) {
    const std::uint8_t lane = lane_number(vector.spec().kind);
    std::visit([&](auto& words) { mask_lane(std::span(words), lane); }, vector.words());
    vector.reduce();
  }
}

}  // namespace sotto::secagg
