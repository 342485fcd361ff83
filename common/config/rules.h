// Rules between the fields of a file; each names the fields it compares.
#pragma once

#include "common/config/federation.h"
#include "common/config/field_values.h"
#include "common/config/job.h"
#include "common/config/site.h"

namespace sotto::config {

void check_rules(const JobConfig& job, Mistakes& mistakes);
void check_rules(const SiteConfig& site, Mistakes& mistakes);
/// Order of members, distinct names and keys, the signature.
void check_rules(const FederationConfig& federation, Mistakes& mistakes);
/// The own signature, and that of the keys that it replaces.
void check_rules(const Card& card, Mistakes& mistakes);
void check_rules(const Revocation& revocation, Mistakes& mistakes);

}  // namespace sotto::config
