// Stands in front of participant::encode_upload (-Wl,--wrap): a checker sees the plain lanes of
// every upload, which no production interface shows. A test may spoil what is masked afterwards.
#pragma once

#include <functional>

#include "participant/protocol/upload.h"

namespace sotto::simulation {

/// Called with what was encoded; it may change the lanes.
using OnEncoded =
    std::function<void(const participant::MaskRequest& request, encoding::RingUpdate& lanes)>;

/// While it lives, `called` sees every encoding on this thread.
class RecordedLanes {
 public:
  explicit RecordedLanes(OnEncoded called);
  ~RecordedLanes();
  RecordedLanes(const RecordedLanes&) = delete;
  RecordedLanes& operator=(const RecordedLanes&) = delete;

  OnEncoded called;

 private:
  RecordedLanes* before_;
};

}  // namespace sotto::simulation
