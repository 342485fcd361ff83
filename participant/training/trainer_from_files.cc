#include <utility>

#include "participant/data/site_records.h"
#include "participant/driver/participant.h"

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
