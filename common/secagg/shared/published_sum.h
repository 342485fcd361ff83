// The sum of a finished round, in the form in which members receive it where a job asks for model
// lineage (docs/secure-aggregation.md, 2.8): each member computes every model itself, from the
// first model and the published sums.
#pragma once

#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/secagg/shared/noisy_round.h"

namespace sotto::secagg {

struct PublishedSum {
  std::uint64_t server_round = 0;
  Bytes32 h{};     // header hash of the attempt that gave the sum; keys check words and rotation
  RoundSize size;  // n and C of that attempt, from which the encoding follows
  std::uint32_t survivors = 0;
  Bytes packed;  // encoding::RingUpdate::pack()

  bool operator==(const PublishedSum&) const = default;
};

/// Returns the blob name by which members request a sum: H("SA1 sum", run, u64 server round).
Bytes32 published_sum_blob(const RunId& run, std::uint64_t server_round);

/// Returns u64 server round || h || u32 n || u32 C || u32 survivors || packed.
Bytes encode(const PublishedSum& sum);
/// Checks the form alone. Error: there are fewer bytes than a sum has.
Result<PublishedSum> decode_published_sum(Bytes bytes);

/// The bytes of an encoded sum before `packed`.
inline constexpr std::uint64_t kPublishedSumHeadBytes = 52;

}  // namespace sotto::secagg
