// Masker finds personal data in texts and replaces it. It reports counts; a value appears in its
// output only in the redacted text, where the plan keeps it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/crypto/secret.h"
#include "participant/deidentify/redaction/finding.h"
#include "participant/deidentify/redaction/names.h"
#include "participant/deidentify/redaction/plan.h"
#include "participant/deidentify/redaction/span_finder.h"

namespace sotto::redaction {

struct MaskedText {
  std::string text;
  std::map<std::string, std::uint64_t> counts;  // number of findings, by kind or pattern
};

/// One thread at a time may use it; it holds the site's key. Without an NER model the time is
/// linear in the length of the text, for every text.
class Redactor {
 public:
  /// Makes a masker. `names_model` is the model that the plan's names_model names; null where the
  /// plan has none. Returns an Error when the plan requires pseudonyms and there is no key, when it
  /// requires a model and there is none, and when the dictionary cannot be read.
  static Result<Redactor> make(RedactionPlan plan, std::optional<crypto::Secret32> key,
                               std::unique_ptr<SpanFinder> names_model);

  Redactor(Redactor&&) noexcept;
  Redactor& operator=(Redactor&&) noexcept;
  ~Redactor();

  /// Returns all findings of a line, kept kinds included, in order and without overlaps. A name is
  /// what the dictionary or the model finds; where both find a part of it, it extends from the
  /// first to the last byte. Returns an Error when the model fails.
  [[nodiscard]] Result<Findings> find(std::string_view line) const;
  /// Redacts a text line by line; the bytes between findings are unchanged. Returns an Error
  /// "NAME:LINE:COLUMN: ..." where the text is not UTF-8, and the errors of find().
  [[nodiscard]] Result<MaskedText> mask(std::string_view text, const std::string& name) const;

  /// Returns "email" and the like, or the name of the pattern.
  [[nodiscard]] std::string name_of(const Finding& finding) const;
  [[nodiscard]] bool knows(std::string_view kind) const;

 private:
  struct Patterns;

  Redactor(RedactionPlan plan, std::optional<crypto::Secret32> key);

  [[nodiscard]] std::string replacement(const Finding& finding, std::string_view value) const;
  [[nodiscard]] std::string pseudonym(const Finding& finding, std::string_view value) const;

  RedactionPlan plan_;
  std::optional<crypto::Secret32> key_;
  std::optional<NameFinder> names_;
  std::unique_ptr<SpanFinder> names_model_;
  std::unique_ptr<const Patterns> patterns_;
};

}  // namespace sotto::redaction
