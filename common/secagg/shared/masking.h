// Key schedule and masks of one member, and what the coordinator takes off again.
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

/// y of one participant: packed lanes, one after the other, and the hash that its upload header
/// signs.
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

/// hash_y = H("SA1 y", h || id || hashes of its pieces) over the packed lanes. `packed` has exactly
/// the lanes' bytes.
Bytes32 hash_of_upload(const Bytes32& h, MemberId id, std::span<const codec::LaneSpec> lanes,
                       BytesView packed);
/// The same of an upload that comes part by part.
crypto::PiecedHasher upload_hasher(const Bytes32& h, MemberId id);
/// Sum of packed_bytes() of the lanes.
std::uint64_t upload_bytes(std::span<const codec::LaneSpec> lanes);

/// skm = KDF("SA1 mkey", r, h || id), as an X25519 key pair.
crypto::AgreementKey mask_agreement_key(const crypto::Secret32& r, const Bytes32& h, MemberId id);
/// P_ij = h || lo || hi || M1_lo || M1_hi.
Bytes pair_context(const Bytes32& h, const wire::Advertise& lo, const wire::Advertise& hi);
/// s_ij = KDF("SA1 pair", z, psk || P_ij); psk: the round's masking value of the pair
/// (preshared.h), or zeros.
Result<crypto::Secret32> pair_secret(const crypto::AgreementKey& own, const crypto::PublicKey& peer,
                                     const crypto::Secret32& psk, BytesView pair_context);

/// The seeds that go into one lane of one vector, with their signs. Lane keys are derived here and
/// live as long as this does.
struct MaskSeed {
  enum class Kind : std::uint8_t { kPair, kSelf } kind = Kind::kPair;
  crypto::Secret32 secret;  // s_ij, or b
  MemberId self_id{};       // kSelf: whose b
  crypto::MaskSign sign = crypto::MaskSign::kAdd;
};

/// A key of a lane is good for 2^28 blocks; behind them the lane goes on under the next one's.
inline constexpr std::uint64_t kMaskSegmentBytes = std::uint64_t{1} << 32;

/// Adds every seed's stream to every lane, in place, then reduces to b bits. `threads` >= 1 splits
/// lanes into disjoint ranges; the result does not depend on it. Tests make the segments shorter, a
/// multiple of 16 bytes.
void apply_masks(std::vector<codec::RingVector>& lanes, const Bytes32& h,
                 std::span<const MaskSeed> seeds, unsigned threads,
                 std::uint64_t segment_bytes = kMaskSegmentBytes);

}  // namespace sotto::secagg
