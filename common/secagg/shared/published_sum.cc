#include "common/secagg/shared/published_sum.h"

#include "common/crypto/hash.h"

namespace sotto::secagg {

Bytes32 published_sum_blob(const RunId& run, std::uint64_t server_round) {
  ByteWriter place;
  place.bytes(run);
  place.u64(server_round);
  return crypto::hash("SA1 sum", {place.view()});
}

Bytes encode(const PublishedSum& sum) {
  ByteWriter out;
  out.reserve(kPublishedSumHeadBytes + sum.packed.size());
  out.u64(sum.server_round);
  out.bytes(sum.h);
  out.u32(sum.size.n);
  out.u32(sum.size.C);
  out.u32(sum.survivors);
  out.bytes(sum.packed);
  return out.take();
}

Result<PublishedSum> decode_published_sum(Bytes bytes) {
  ByteReader in(bytes);
  PublishedSum sum;
  sum.server_round = in.u64();
  sum.h = in.array<32>();
  sum.size.n = in.u32();
  sum.size.C = in.u32();
  sum.survivors = in.u32();
  if (!in.ok()) return Error{"the sum of a round is cut short"};
  bytes.erase(bytes.begin(), bytes.begin() + kPublishedSumHeadBytes);  // erased in place, because a
                                                                       // copy would be large
  sum.packed = std::move(bytes);
  return sum;
}

}  // namespace sotto::secagg
