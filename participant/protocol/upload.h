// Turns the results of a site into the unmasked lanes of its upload: clips, then encodes, with
// noise if the round has any. Used by the participant program and by simulations.
#pragma once

#include <optional>

#include "common/crypto/secure_random.h"
#include "common/encoding/quantizer.h"
#include "common/model/update.h"
#include "participant/protocol/session.h"

namespace sotto::participant {

struct SiteInput {
  std::optional<FlatUpdate> update;  // absent in an evaluation round
  encoding::Counters counters;
};

/// Clips the whole update: to the norm that the round's noise is calibrated for, otherwise to
/// `max_update_norm`. Errors: a value is not finite, or sizes do not fit the round.
Result<encoding::RingUpdate> encode_upload(const MaskRequest& request, SiteInput input,
                                           double max_update_norm, crypto::SecureRandom& random);

}  // namespace sotto::participant
