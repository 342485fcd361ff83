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
#include "participant/masking/finding.h"
#include "participant/masking/names.h"
#include "participant/masking/plan.h"

namespace sotto::masking {

struct MaskedText {
  std::string text;
  std::map<std::string, std::uint64_t> counts;  // what was found, by kind or pattern
};

/// One thread: it holds the site's key. Linear in the length of the text, whatever the text.
class Masker {
 public:
  /// An Error when the plan asks for pseudonyms and there is no key, and for a dictionary that
  /// cannot be read.
  static Result<Masker> make(MaskPlan plan, std::optional<crypto::Secret32> key);

  Masker(Masker&&) noexcept;
  Masker& operator=(Masker&&) noexcept;
  ~Masker();

  /// Everything found in a line, in order, none overlapping, kept kinds too.
  [[nodiscard]] Findings find(std::string_view line) const;
  /// Line by line; what is between findings stays byte for byte. An Error "NAME:LINE:COLUMN: ..."
  /// where the text is not UTF-8.
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
  std::unique_ptr<const Patterns> patterns_;
};

}  // namespace sotto::masking
