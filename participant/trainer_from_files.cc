#include <utility>

#include "participant/participant.h"

namespace sotto::participant {

Result<std::unique_ptr<learning::LocalTrainer>> trainer_from_files(const config::JobConfig& job,
                                                                   const config::SiteConfig& site) {
  learning::SiteExamples examples;
  for (auto [file, into] : {std::pair{&site.data.train, &examples.train},
                            std::pair{&site.data.evaluation, &examples.evaluation}}) {
    auto read = learning::read_examples(*file, job);
    if (!read.ok()) return read.error();
    *into = std::move(read).value();
  }
  return learning::LocalTrainer::create(job, site.resources, std::move(examples));
}

}  // namespace sotto::participant
