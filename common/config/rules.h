// Rules between the fields of a file. Each rule names the fields that it compares.
#pragma once

#include "common/config/federation.h"
#include "common/config/field_values.h"
#include "common/config/job.h"
#include "common/config/site.h"

namespace sotto::config {

void check_rules(const JobConfig& job, Mistakes& mistakes);
void check_rules(const SiteConfig& site, Mistakes& mistakes);
/// Checks the order of members, that names and keys are distinct, and the signatures.
void check_rules(const FederationConfig& federation, Mistakes& mistakes);
/// Checks the card's own signature, and that of the keys that it replaces.
void check_rules(const Card& card, Mistakes& mistakes);
void check_rules(const Revocation& revocation, Mistakes& mistakes);

}  // namespace sotto::config
