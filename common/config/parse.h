// Reading the three files. All errors of a file come at once, each with its JSON path, what was
// found, the allowed range or the nearest known key. `//` comments are allowed; unknown, repeated
// and missing keys are errors. The table of fields in fields.cc is the one source: parser, JSON
// Schema and the configuration reference in docs/ are made from it.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/config/site.h"

namespace sotto::config {

/// One line a mistake, "FILE: $.path.to.key: what, and what is allowed".
struct ConfigErrors {
  std::vector<std::string> lines;
  [[nodiscard]] std::string joined() const;
};

template <class T>
using Parsed = std::variant<T, ConfigErrors>;

/// `overrides` are "path=value" as given by --set, e.g. "differential_privacy.enabled=false".
Parsed<JobConfig> parse_job(std::string_view json, std::string_view file_name,
                            std::span<const std::string> overrides = {});
/// A job as it came over the wire: exactly the canonical bytes, so that what is judged here is what
/// all parties hash. It names its number of colluders. model.path is empty: see check_model_files
/// in model_files.h.
Parsed<JobConfig> parse_received_job(std::string_view canonical);
Parsed<SiteConfig> parse_site(std::string_view json, std::string_view file_name,
                              std::span<const std::string> overrides = {});
/// Checks the structure, the card and coordinator signatures and that keys are distinct.
Parsed<FederationConfig> parse_federation(std::string_view json, std::string_view file_name);
std::string to_json(const FederationConfig& federation);
Parsed<Card> parse_card(std::string_view json, std::string_view file_name);
std::string to_json(const Card& card);
Parsed<Revocation> parse_revocation(std::string_view json, std::string_view file_name);
std::string to_json(const Revocation& revocation);

/// The same from a file; relative paths inside (model.path, data.*) become relative to the file's
/// folder. load_job also reads the model's two files and fills their hashes. Throws StartupError
/// with every line of the errors.
JobConfig load_job(const std::filesystem::path& file, std::span<const std::string> overrides = {});
SiteConfig load_site(const std::filesystem::path& file,
                     std::span<const std::string> overrides = {});
FederationConfig load_federation(const std::filesystem::path& file);
Card load_card(const std::filesystem::path& file);
Revocation load_revocation(const std::filesystem::path& file);

/// The canonical text and the hash of the job as it is now.
void fill_canonical(JobConfig& job);

/// JSON Schema of "job", "site" or "federation", for editors.
std::string json_schema(std::string_view kind);
/// The configuration reference (Markdown) that docs/configuration.md holds; a test compares them.
std::string reference_markdown();

}  // namespace sotto::config
