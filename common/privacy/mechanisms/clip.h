// The bound on what one participant's update can be.
#pragma once

#include "common/base/result.h"
#include "common/model/update.h"

namespace sotto {

/// Scales by min(1, bound/norm), norm in double, the factor rounded so that it can only shrink.
/// An Error when a value is not finite or the bound is not positive.
Result<ClippedUpdate> clip(FlatUpdate&& update, double norm_bound);

}  // namespace sotto
