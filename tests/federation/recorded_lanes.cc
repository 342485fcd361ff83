#include "tests/federation/recorded_lanes.h"

#include <utility>

namespace sotto::simulation {

namespace {

thread_local RecordedLanes* in_use = nullptr;

}  // namespace

RecordedLanes::RecordedLanes(OnEncoded on_encoded)
    : called(std::move(on_encoded)), before_(std::exchange(in_use, this)) {}

RecordedLanes::~RecordedLanes() {
  in_use = before_;
}

// The names are the linker's.
Result<encoding::RingUpdate>
encode_really(const participant::MaskRequest& request, participant::SiteInput input, double max_update_norm, crypto::SecureRandom& random) asm(
    "__real__ZN5sotto11participant13encode_uploadERKNS0_11MaskRequestENS0_9SiteInputEdRNS_"
    "6crypto12SecureRandomE");
Result<encoding::RingUpdate>
encode_and_record(const participant::MaskRequest& request, participant::SiteInput input, double max_update_norm, crypto::SecureRandom& random) asm(
    "__wrap__ZN5sotto11participant13encode_uploadERKNS0_11MaskRequestENS0_9SiteInputEdRNS_"
    "6crypto12SecureRandomE");

Result<encoding::RingUpdate> encode_and_record(const participant::MaskRequest& request,
                                               participant::SiteInput input, double max_update_norm,
                                               crypto::SecureRandom& random) {
  auto lanes = encode_really(request, std::move(input), max_update_norm, random);
  if (lanes.ok() && in_use != nullptr) in_use->called(request, *lanes);
  return lanes;
}

}  // namespace sotto::simulation
