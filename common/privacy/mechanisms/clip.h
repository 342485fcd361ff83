// Clipping of a participant's update.
#pragma once

#include "common/base/result.h"
#include "common/model/update.h"

namespace sotto {

/// Scales the update by min(1, bound/norm). The norm is computed in double, and the factor is
/// rounded down. Returns an Error when a value is not finite or the bound is not positive.
Result<ClippedUpdate> clip(FlatUpdate&& update, double norm_bound);

}  // namespace sotto
