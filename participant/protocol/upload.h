// From what a site computed to the plain lanes of its upload: clip, then encode, with noise where
// the round has it. For the daemon and for simulations.
#pragma once

#include <optional>

#include "common/crypto/secure_random.h"
#include "common/encoding/quantizer.h"
#include "common/model/update.h"
#include "participant/protocol/session.h"

namespace sotto::participant {

struct SiteInput {
  std::optional<FlatUpdate> update;  // absent in an evaluation round
  codec::Counters counters;
};

/// Clips the whole update: to the norm that the round's noise is made for, else to
/// `max_update_norm`. An Error when a value is not finite or sizes do not fit the round.
Result<codec::RingUpdate> encode_upload(const MaskRequest& request, SiteInput input,
                                        double max_update_norm, crypto::SecureRandom& random);

}  // namespace sotto::participant
