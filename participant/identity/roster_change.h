// What is different between the federation that a site has pinned and a file that it is to join,
// for the person who joins it; and which of it needs more than the coordinator's signature, because
// the coordinator is the party that secure aggregation protects from.
#pragma once

#include <string>
#include <vector>

#include "common/config/federation.h"
#include "participant/identity/pin.h"

namespace sotto::participant {

/// A member of the file has keys that its name did not have, or that another name had, and the keys
/// that this site has pinned did not sign for it.
struct KeyDoubt {
  std::string name;    // of the member in the file
  std::string reason;  // two lines: what is wrong, with all fingerprints to compare
};

struct RosterChange {
  std::vector<std::string> lines;   // what changed; never empty
  std::vector<KeyDoubt> doubts;     // a person has to say of each that it is right
  std::vector<std::string> faults;  // why the file is refused whatever a person says of members
};

/// `file` was loaded, so every succession in it holds. `self` is the name of this site, whose own
/// keys its keystore vouches for.
RosterChange compare(const Pin& pinned, const config::FederationConfig& file,
                     const std::string& self);

}  // namespace sotto::participant
