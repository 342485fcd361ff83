// Parsers of job.json, site.json, federation.json, cards and revocations. All errors of a file are
// reported at once, each with its JSON path, what was found, and the allowed range or the nearest
// known key. `//` comments are allowed; unknown, repeated and missing keys are errors. The parsers,
// the JSON Schemas and the configuration reference in docs/ follow from the tables in fields.h.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/config/site.h"

namespace sotto::config {

/// One line for each mistake: "FILE: $.path.to.key: what, and what is allowed".
struct ConfigErrors {
  std::vector<std::string> lines;
  [[nodiscard]] std::string joined() const;
};

template <class T>
using Parsed = std::variant<T, ConfigErrors>;

/// Returns the value; throws a StartupError with every line of the errors when there is none.
template <class T>
T value_or_throw(Parsed<T> parsed) {
  if (const auto* errors = std::get_if<ConfigErrors>(&parsed)) throw StartupError(errors->joined());
  return std::get<T>(std::move(parsed));
}

/// `overrides` are "path=value" as given to --set, e.g. "differential_privacy.enabled=false".
Parsed<JobConfig> parse_job(std::string_view json, std::string_view file_name,
                            std::span<const std::string> overrides = {});
/// Parses a job that was received from the coordinator. The text must be canonical, so that the job
/// that the policy checks is the one that all parties hash, and it must set the number of
/// colluders. model.path is empty: see check_model_files in model_files.h.
Parsed<JobConfig> parse_received_job(std::string_view canonical);
Parsed<SiteConfig> parse_site(std::string_view json, std::string_view file_name,
                              std::span<const std::string> overrides = {});
/// Also checks the order of members, that names and keys are distinct, and the signatures of the
/// successions and of the coordinator.
Parsed<FederationConfig> parse_federation(std::string_view json, std::string_view file_name);
std::string to_json(const FederationConfig& federation);
Parsed<Card> parse_card(std::string_view json, std::string_view file_name);
std::string to_json(const Card& card);
Parsed<Revocation> parse_revocation(std::string_view json, std::string_view file_name);
std::string to_json(const Revocation& revocation);

/// These functions parse a file. Relative paths in it (model.path, data.*) become relative to the
/// file's folder. load_job also hashes the model's files and fills in the hashes, or compares them
/// with those that the job sets. Throws StartupError with every line of the errors.
JobConfig load_job(const std::filesystem::path& file, std::span<const std::string> overrides = {});
SiteConfig load_site(const std::filesystem::path& file,
                     std::span<const std::string> overrides = {});
FederationConfig load_federation(const std::filesystem::path& file);
Card load_card(const std::filesystem::path& file);
Revocation load_revocation(const std::filesystem::path& file);

/// Sets the canonical text and the hash of the job from its current values.
void fill_canonical(JobConfig& job);

/// Returns the JSON Schema of "job", "site" or "federation", for editors.
std::string json_schema(std::string_view kind);
/// Returns the configuration reference (Markdown). docs/configuration.md contains it; a test
/// compares the two.
std::string reference_markdown();

}  // namespace sotto::config
