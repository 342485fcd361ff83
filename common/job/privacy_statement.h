// The privacy statement: what a job guarantees to whom, and what it does not. This is the only
// source of the text. `policy explain`, `privacy`, the report of a run, both audit logs and the
// documents take it from here, so that they always agree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/config/job.h"

namespace sotto::job {

/// A paragraph in plain ASCII without line breaks; the code that shows it wraps it.
struct StatementParagraph {
  std::string title;
  std::string text;

  bool operator==(const StatementParagraph&) const = default;
};

/// The facts that are known besides the job. Without them the statement is the one that holds at
/// every site.
struct StatementFacts {
  std::optional<std::uint64_t> declared_units;  // in site.json: training examples, or persons for a
                                                // job that protects these
  std::optional<double> epsilon_spent;          // of the run so far, for one unit; may be infinite
  std::uint32_t answer_every_s = 0;  // of the site's policy; the longer of this and the job's holds
};

/// Returns the part that is the same for every job with differential privacy that protects `unit`.
/// docs/privacy.md contains both texts word for word, docs/threat-model.md the one about examples.
std::string_view general_privacy_statement(
    privacy::ProtectedUnit unit = privacy::ProtectedUnit::kExample);

/// Returns what a job with differential privacy protects: "one training example", or "one person
/// (with at most 10 of her training examples)".
std::string unit_of(const config::JobConfig& job);

/// Returns the adjacency for scripts: "add or remove one example" or "add or remove one person".
std::string_view adjacency_of(privacy::ProtectedUnit unit);

/// Returns the statement of a job; it is deterministic. Figures that no noise multiplier reaches,
/// and those that need a size that is not among the facts, are left out with a remark. The
/// computation takes up to a few hundred milliseconds.
std::vector<StatementParagraph> privacy_statement(const config::JobConfig& job,
                                                  const StatementFacts& facts = {});

/// Returns the paragraph of privacy_statement() about everything that one participant sends.
StatementParagraph participant_statement(const config::JobConfig& job);

/// Returns the text for a terminal or a text file: a line for each title, the text indented by two
/// spaces, lines of at most `width` characters.
std::string to_text(const std::vector<StatementParagraph>& statement, std::size_t width = 100);

/// Returns [{"title": ..., "text": ...}, ...]
std::string to_json(const std::vector<StatementParagraph>& statement);

/// Returns H("SOTTO statement", to_text(statement) with its default width).
Bytes32 statement_hash(const std::vector<StatementParagraph>& statement);

/// Returns the fields of the audit log's entry about an accepted job: "privacy", one sentence, and
/// "privacy_statement_hash", the hash of privacy_statement(job) in hex. They follow from the job
/// alone, so that the logs of both sides agree.
std::vector<std::pair<std::string, std::string>> statement_audit_fields(
    const config::JobConfig& job);

}  // namespace sotto::job
