// The content of one record, and its encoding before it is sealed.
//
//   record  (u32 length || bytes) for every field
//   fields  of a text: the text; of a labelled text: label, text; of tagged words: word, tag,
//           word, tag, ...
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"

namespace sotto::data {

/// The kind of all records of a store. The numbers are stored in files.
enum class Kind : std::uint8_t { kTexts = 1, kLabelledTexts = 2, kTaggedWords = 3 };

/// Returns "texts", "labelled texts" or "tagged words".
std::string_view name_of(Kind kind);

/// The largest record. The import refuses longer ones, because no model reads that far.
inline constexpr std::size_t kMaxRecordBytes = std::size_t{1} << 20;

void append_field(Bytes& record, std::string_view field);

/// Returns the fields as views into `record`; nothing where it was not made by append_field() or
/// does not have the number of fields of its kind.
std::optional<std::vector<std::string_view>> fields_of(BytesView record, Kind kind);

}  // namespace sotto::data
