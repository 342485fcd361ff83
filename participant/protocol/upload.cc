#include "participant/protocol/upload.h"

#include <utility>

#include "common/privacy/mechanisms/clip.h"

namespace sotto::participant {

Result<encoding::RingUpdate> encode_upload(const MaskRequest& request, SiteInput input,
                                           double max_update_norm, crypto::SecureRandom& random) {
  const encoding::EncodingSpec& encoding = request.encoding;
  std::optional<ClippedUpdate> clipped;
  if (input.update) {
    const double bound = encoding.noise ? encoding.noise->clipping_norm : max_update_norm;
    SOTTO_ASSIGN_OR_RETURN(auto bounded, clip(std::move(*input.update), bound));
    clipped.emplace(std::move(bounded));
  }
  if (encoding.metrics.empty()) input.counters.metrics.clear();  // the attempt has no counters
  return encoding::encode(encoding, request.job.lanes, request.h, std::move(clipped),
                          input.counters, random);
}

}  // namespace sotto::participant
