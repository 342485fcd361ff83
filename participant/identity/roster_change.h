// compare() lists the differences between the federation that a site has pinned and a file that it
// is to join, for the person who joins it. It also finds the changes that need more than the
// coordinator's signature, because secure aggregation protects from the coordinator.
#pragma once

#include <string>
#include <vector>

#include "common/config/federation.h"
#include "participant/identity/pin.h"

namespace sotto::participant {

/// A member of the file has keys that its name did not have, or that another name had, and the
/// pinned keys did not sign the change.
struct KeyChange {
  std::string name;    // the member's name in the file
  std::string reason;  // two lines: what is wrong, with all fingerprints to compare
};

struct RosterChange {
  std::vector<std::string> lines;      // the changes; never empty
  std::vector<KeyChange> key_changes;  // a person has to confirm each
  std::vector<std::string> faults;     // why the file is refused even if all doubts are confirmed
};

/// Compares a file with the pin. `file` was loaded, so every succession in it is valid. `self` is
/// the name of this site; its own keys are verified with its keystore.
RosterChange compare(const Pin& pinned, const config::FederationConfig& file,
                     const std::string& self);

}  // namespace sotto::participant
