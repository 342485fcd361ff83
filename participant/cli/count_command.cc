#include "participant/cli/count_command.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/config/parse.h"
#include "participant/data/examples.h"

namespace sotto::participant {

void add_count_command(cli::Command& data) {
  struct Arguments {
    std::string job, site;
    std::vector<std::string> files, labels;
    bool json = false;
  };

  auto args = std::make_shared<Arguments>();
  cli::Command* count = data.add_subcommand(
      "count",
      "Print the number of examples of a plain file for a job, and the records that do not fit the "
      "job.\nExample: sotto-participant data count --job job.json data/train.tsv data/eval.tsv");
  count->add_option("files", args->files, "Files in the formats of data.train and data.evaluation")
      ->required();
  count->add_option("--job", args->job, "job.json with the task and labels")->required();
  count->add_option("--label", args->labels, "A label of data.labels; may be repeated");
  count->add_option("--site", args->site,
                    "site.json, for data.labels, data.format and data.columns");
  count->add_flag("--json", args->json, "Print one JSON object on each line");
  count->callback([args] {
    const config::JobConfig job = config::load_job(args->job);
    config::SiteData site;
    if (!args->site.empty()) site = config::load_site(args->site).data;
    if (!args->labels.empty()) site.labels = args->labels;
    for (const std::string& file : args->files) {
      const auto found =
          cli::or_stop(data::read_fitting_examples(file, job, site.labels, site.layout));
      if (args->json) {
        cli::print(nlohmann::json{{"file", file},
                                  {"examples", found.examples.size()},
                                  {"left_out", found.left_out.count},
                                  {"first_left_out", found.left_out.first}}
                       .dump());
        continue;
      }
      cli::print(file + ": " + std::to_string(found.examples.size()) + " examples");
      if (const std::string line = found.left_out.warning("records"); !line.empty())
        cli::print("  " + line);
    }
  });
}

}  // namespace sotto::participant
