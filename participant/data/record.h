// What one record holds, and its bytes before they are sealed.
//
//   record  (u32 length || bytes) for every field
//   fields  of a text: the text; of a labelled text: label, text; of tagged words: word, tag, word,
//           tag, ...
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"

namespace sotto::records {

/// Of all records of a store alike. The numbers stand in files.
enum class Kind : std::uint8_t { kTexts = 1, kLabelledTexts = 2, kTaggedWords = 3 };

/// "texts", "labelled texts", "tagged words".
std::string_view name_of(Kind kind);

/// Longer ones are refused when they are imported: no model reads that far.
inline constexpr std::size_t kMaxRecordBytes = std::size_t{1} << 20;

/// Appends a field to the record.
void append_field(Bytes& record, std::string_view field);

/// Views into `record`; nothing where it is not what append_field made, or not as many fields as
/// its kind has.
std::optional<std::vector<std::string_view>> fields_of(BytesView record, Kind kind);

}  // namespace sotto::records
