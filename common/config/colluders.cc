#include "common/config/colluders.h"

#include <algorithm>
#include <string>

#include "common/config/parse.h"
#include "common/config/rules.h"

namespace sotto::config {

namespace {

std::string not_set(const char* key, std::uint32_t colluders, std::uint32_t participants) {
  return std::string(key) + " is not set, so its value is " + std::to_string(colluders) +
         " in a federation of " + std::to_string(participants) + " participants";
}

}  // namespace

std::uint32_t default_colluders(std::uint32_t participants) {
  const std::uint32_t third = participants / 3 + (participants % 3 == 0 ? 0 : 1);
  return third < 2 ? 1 : third - 1;
}

std::uint32_t default_min_cohort(std::uint32_t colluders) {
  return std::max<std::uint32_t>(3, colluders + 2);
}

Status complete(JobConfig& job, std::uint32_t participants) {
  std::uint32_t& colluders = job.secure_aggregation.max_colluders;
  if (colluders != 0) return {};
  colluders = default_colluders(participants);
  Mistakes mistakes(not_set("$.secure_aggregation.max_colluders", colluders, participants));
  check_rules(job, mistakes);
  if (!mistakes.lines().empty()) {
    colluders = 0;
    return Error{ConfigErrors{mistakes.lines()}.joined()};
  }
  fill_canonical(job);
  return {};
}

Status complete(SitePolicy& policy, std::uint32_t participants) {
  const bool by_default = policy.max_colluders == 0;
  const std::uint32_t colluders =
      by_default ? default_colluders(participants) : policy.max_colluders;
  const std::uint32_t least = default_min_cohort(colluders);
  if (by_default && policy.require_secure_aggregation && policy.min_cohort != 0 &&
      policy.min_cohort < colluders + 2)
    return Error{"$.policy.min_cohort: found " + std::to_string(policy.min_cohort) + "; " +
                 not_set("policy.max_colluders", colluders, participants) +
                 "; allowed: at least policy.max_colluders + 2 (here " + std::to_string(colluders) +
                 " + 2)"};
  policy.max_colluders = colluders;
  if (policy.min_cohort == 0) policy.min_cohort = least;
  return {};
}

}  // namespace sotto::config
