// What is left of a run for people: summary.json, a self-contained report.html with curves, and the
// table for the terminal. Made from the run's own files and, where given, its baselines'.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sotto::coordinator {

struct ReportInputs {
  std::filesystem::path run;                         // metrics.jsonl, job.json
  std::vector<std::filesystem::path> alone;          // `sotto-participant train-alone --json`
  std::optional<std::filesystem::path> non_private;  // another run folder
  std::vector<std::filesystem::path> ledgers;        // `sotto-participant ledger --json`
};

struct Report {
  std::string summary_json;
  std::string table;
};

/// Writes summary.json and report.html into the run's folder. Throws StartupError naming the file
/// that is missing or damaged.
Report make_report(const ReportInputs& inputs);

}  // namespace sotto::coordinator
