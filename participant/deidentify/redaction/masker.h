// Finds personal data in texts and puts something else in their place. What it reports are counts;
// no value leaves it but in the masked text, where the plan keeps one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/crypto/secret.h"
#include "participant/deidentify/redaction/finding.h"
#include "participant/deidentify/redaction/names.h"
#include "participant/deidentify/redaction/plan.h"
#include "participant/deidentify/redaction/span_finder.h"

namespace sotto::masking {

struct MaskedText {
  std::string text;
  std::map<std::string, std::uint64_t> counts;  // what was found, by kind or pattern
};

/// One thread: it holds the site's key. Without a model of names linear in the length of the text,
/// whatever the text.
class Masker {
 public:
  /// `names_model` is what the plan's names_model stands for, null where it has none. An Error when
  /// the plan asks for pseudonyms and there is no key, or for a model and there is none, and for a
  /// dictionary that cannot be read.
  static Result<Masker> make(MaskPlan plan, std::optional<crypto::Secret32> key,
                             std::unique_ptr<SpanFinder> names_model);

  Masker(Masker&&) noexcept;
  Masker& operator=(Masker&&) noexcept;
  ~Masker();

  /// Everything found in a line, in order, none overlapping, kept kinds too. A name is what the
  /// dictionary or the model finds, from the first to the last byte where both find a part of it.
  /// An Error when the model cannot say.
  [[nodiscard]] Result<Findings> find(std::string_view line) const;
  /// Line by line; what is between findings stays byte for byte. An Error "NAME:LINE:COLUMN: ..."
  /// where the text is not UTF-8, or as find().
  [[nodiscard]] Result<MaskedText> mask(std::string_view text, const std::string& name) const;

  /// "email", or the name of the pattern.
  [[nodiscard]] std::string name_of(const Finding& finding) const;
  [[nodiscard]] bool knows(std::string_view kind) const;

 private:
  struct Patterns;

  Masker(MaskPlan plan, std::optional<crypto::Secret32> key);

  [[nodiscard]] std::string replacement(const Finding& finding, std::string_view value) const;
  [[nodiscard]] std::string pseudonym(const Finding& finding, std::string_view value) const;

  MaskPlan plan_;
  std::optional<crypto::Secret32> key_;
  std::optional<NameFinder> names_;
  std::unique_ptr<SpanFinder> names_model_;
  std::unique_ptr<const Patterns> patterns_;
};

}  // namespace sotto::masking
