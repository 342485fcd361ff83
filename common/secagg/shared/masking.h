// The key schedule and the masks of one member, and the removal of masks at the coordinator.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/crypto/hash_pieces.h"
#include "common/crypto/key_agreement.h"
#include "common/crypto/mask_stream.h"
#include "common/crypto/secret.h"
#include "common/encoding/lanes.h"
#include "common/secagg/shared/cohort.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

/// A MaskedUpdate is the masked vector y of one participant: its packed lanes, one after the other,
/// and the hash that its upload header signs.
class MaskedUpdate {
 public:
  MaskedUpdate(Bytes packed, const Bytes32& hash_y) : packed_(std::move(packed)), hash_y_(hash_y) {}

  MaskedUpdate(MaskedUpdate&&) noexcept = default;
  MaskedUpdate& operator=(MaskedUpdate&&) noexcept = default;
  MaskedUpdate(const MaskedUpdate&) = delete;
  MaskedUpdate& operator=(const MaskedUpdate&) = delete;

  [[nodiscard]] const Bytes& packed() const { return packed_; }

  [[nodiscard]] const Bytes32& hash_y() const { return hash_y_; }

 private:
  Bytes packed_;
  Bytes32 hash_y_;
};

/// Returns hash_y = H("SA1 y", h || id || hashes of its pieces) over the packed lanes. `packed` has
/// exactly the length of the lanes.
Bytes32 hash_of_upload(const Bytes32& h, MemberId id, std::span<const encoding::LaneSpec> lanes,
                       BytesView packed);
/// Returns a hasher that computes the same hash from an upload that arrives in parts.
crypto::PiecedHasher upload_hasher(const Bytes32& h, MemberId id);
/// Returns the sum of packed_bytes() of the lanes.
std::uint64_t upload_bytes(std::span<const encoding::LaneSpec> lanes);

/// Returns skm = KDF("SA1 mkey", r, h || id) as an X25519 key pair.
crypto::AgreementKey mask_agreement_key(const crypto::Secret32& r, const Bytes32& h, MemberId id);
/// Returns P_ij = h || lo || hi || M1_lo || M1_hi.
Bytes pair_context(const Bytes32& h, const wire::Advertise& lo, const wire::Advertise& hi);
/// Returns s_ij = KDF("SA1 pair", z, psk || P_ij). `psk` is the round's masking value of the pair
/// (preshared.h), or zeros.
Result<crypto::Secret32> pair_secret(const crypto::AgreementKey& own, const crypto::PublicKey& peer,
                                     const crypto::Secret32& psk, BytesView pair_context);

/// A MaskSeed is one seed whose mask stream enters every lane of a vector, with its sign. Lane keys
/// are derived from it where they are used.
struct MaskSeed {
  enum class Kind : std::uint8_t { kPair, kSelf } kind = Kind::kPair;
  crypto::Secret32 secret;  // s_ij, or b
  MemberId self_id{};       // kSelf: the member whose b it is
  crypto::MaskSign sign = crypto::MaskSign::kAdd;
};

/// A lane key is used for at most 2^28 blocks. What follows in the lane uses the key of the next
/// segment.
inline constexpr std::uint64_t kMaskSegmentBytes = std::uint64_t{1} << 32;

/// Adds every seed's stream to every lane, in place, and reduces the words to b bits. `threads`, at
/// least 1, is the number of threads among which lanes are split into disjoint ranges; the result
/// does not depend on it. Tests use shorter segments; `segment_bytes` is a multiple of 16.
void apply_masks(std::vector<encoding::RingVector>& lanes, const Bytes32& h,
                 std::span<const MaskSeed> seeds, unsigned threads,
                 std::uint64_t segment_bytes = kMaskSegmentBytes);

}  // namespace sotto::secagg
