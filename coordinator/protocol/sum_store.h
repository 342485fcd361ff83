// SumStore holds the sums of a run's finished rounds, from which members with model lineage compute
// each model. The round machine only reads it, to serve them. One thread.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto::coordinator {

class SumStore {
 public:
  virtual ~SumStore() = default;

  /// Returns the bytes of a blob as defined by secagg::published_sum_blob, valid until the next
  /// call of any member function; empty when there is none. An Error means that the coordinator's
  /// own disk failed.
  virtual Result<BytesView> find(const Bytes32& blob) = 0;
};

}  // namespace sotto::coordinator
