#include <utility>

#include "participant/participant.h"
#include "participant/site_records.h"

namespace sotto::participant {

TrainerFactory trainer_from_files(SiteRecords& records) {
  return [&records](
             const config::JobConfig& job,
             const config::SiteConfig& site) -> Result<std::unique_ptr<learning::LocalTrainer>> {
    SOTTO_ASSIGN_OR_RETURN(auto examples, records.examples(job, site));
    return learning::LocalTrainer::create(job, site.resources, std::move(examples));
  };
}

}  // namespace sotto::participant
