// Where the sums of a run's finished rounds lie, from which members with model lineage make each
// model by themselves. The round machine only serves them. One thread.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto::coordinator {

class SumStore {
 public:
  virtual ~SumStore() = default;

  /// The bytes of a blob in the sense of secagg::published_sum_blob, good until the next call of
  /// any kind; empty when there is none. An Error is the coordinator's own: its disk is broken.
  virtual Result<BytesView> find(const Bytes32& blob) = 0;
};

}  // namespace sotto::coordinator
