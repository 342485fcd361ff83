// The privacy statement: what a job guarantees to whom, and what it does not. This is the only
// source of the text. `policy explain`, `privacy`, the report of a run, both audit logs and the
// documents take it from here, so that they cannot say different things.
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

namespace sotto::run {

/// Plain ASCII on one line, without line breaks: who shows it wraps it.
struct StatementParagraph {
  std::string title;
  std::string text;

  bool operator==(const StatementParagraph&) const = default;
};

/// What is known besides the job. Without it the statement is the one that holds at every site.
struct StatementFacts {
  std::optional<std::uint64_t> declared_examples;  // size of the data set in site.json
  std::optional<double> epsilon_spent;  // of the run so far, for one example; may be infinite
  std::uint32_t answer_every_s = 0;  // of the site's policy; the longer of this and the job's holds
};

/// The same for every job with differential privacy; docs/privacy.md and docs/threat-model.md
/// contain it word for word.
std::string_view general_privacy_statement();

/// Deterministic. Figures that no noise multiplier reaches, and those that need a size that is not
/// among the facts, are named as such and left out. Computes up to a few hundred milliseconds.
std::vector<StatementParagraph> privacy_statement(const config::JobConfig& job,
                                                  const StatementFacts& facts = {});

/// The paragraph of privacy_statement() about everything that one participant sends.
StatementParagraph participant_statement(const config::JobConfig& job);

/// For a terminal or a text file: a line for each title, the text indented by two spaces, lines of
/// at most `width` characters.
std::string to_text(const std::vector<StatementParagraph>& statement, std::size_t width = 100);

/// [{"title": ..., "text": ...}, ...]
std::string to_json(const std::vector<StatementParagraph>& statement);

/// H("SOTTO statement", to_text(statement) with its default width).
Bytes32 statement_hash(const std::vector<StatementParagraph>& statement);

/// What an audit log says when a job is accepted: "privacy", one sentence, and
/// "privacy_statement_hash", the hash of privacy_statement(job) in hex. They follow from the job
/// alone, so the logs of both sides agree.
std::vector<std::pair<std::string, std::string>> statement_audit_fields(
    const config::JobConfig& job);

}  // namespace sotto::run
