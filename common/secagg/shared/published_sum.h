// The sum of a finished round as members get it where a job asks for model lineage
// (docs/secure-aggregation.md, 2.8): from the first model on, everybody makes every model alone.
#pragma once

#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/secagg/shared/noisy_round.h"

namespace sotto::secagg {

struct PublishedSum {
  std::uint64_t server_round = 0;
  Bytes32 h{};     // header hash of the attempt that gave it: it keys check words and rotation
  RoundSize size;  // of that attempt, from which the encoding follows
  std::uint32_t survivors = 0;
  Bytes packed;  // codec::RingUpdate::pack()

  bool operator==(const PublishedSum&) const = default;
};

/// What members ask for it by: H("SA1 sum", run, u64 server round).
Bytes32 published_sum_blob(const RunId& run, std::uint64_t server_round);

/// u64 server round || h || u32 n || u32 C || u32 survivors || packed.
Bytes encode(const PublishedSum& sum);
/// Only the form is checked. An Error when the bytes are fewer than a sum has.
Result<PublishedSum> decode_published_sum(Bytes bytes);

/// Beside `packed`.
inline constexpr std::uint64_t kPublishedSumHeadBytes = 52;

}  // namespace sotto::secagg
