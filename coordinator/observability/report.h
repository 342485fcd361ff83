// The report of a run: summary.json, a self-contained report.html with curves, and the table for
// the terminal. It is made from the run's files and, where given, those of its baselines.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sotto::coordinator {

struct ReportInputs {
  std::filesystem::path run;                 // with metrics.jsonl and job.json
  std::vector<std::filesystem::path> alone;  // output of `sotto-participant train-alone --json`
  /// The folder of a run of the same kind without differential privacy.
  std::optional<std::filesystem::path> non_private;
  std::vector<std::filesystem::path> ledgers;  // output of `sotto-participant ledger --json`
};

struct Report {
  std::string summary_json;
  std::string table;
};

/// Writes summary.json and report.html into the run's folder. Throws StartupError that names the
/// file which is missing or damaged.
Report make_report(const ReportInputs& inputs);

/// Makes the report of a run that has finished, and returns lines for its operator: where the model
/// and the report are. A report that cannot be made is a warning among them.
std::string report_finished_run(const std::filesystem::path& run);

}  // namespace sotto::coordinator
