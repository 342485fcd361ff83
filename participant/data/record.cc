#include "participant/data/record.h"

#include "common/base/check.h"

namespace sotto::data {

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::kTexts:
      return "texts";
    case Kind::kLabelledTexts:
      return "labelled texts";
    case Kind::kTaggedWords:
      return "tagged words";
  }
  SOTTO_CHECK(false, "a kind of records without a name");
}

void append_field(Bytes& record, std::string_view field) {
  for (std::uint32_t shift = 0; shift < 32; shift += 8)
    record.push_back(static_cast<std::uint8_t>(field.size() >> shift));
  record.insert(record.end(), field.begin(), field.end());
}

std::optional<std::vector<std::string_view>> fields_of(BytesView record, Kind kind) {
  std::vector<std::string_view> fields;
  ByteReader in(record);
  while (in.ok() && in.remaining() > 0) {
    const BytesView field = in.bytes(in.u32());
    fields.emplace_back(reinterpret_cast<const char*>(field.data()), field.size());
  }
  if (!in.finished()) return std::nullopt;
  const std::size_t count = fields.size();
  const bool fits = kind == Kind::kTexts           ? count == 1
                    : kind == Kind::kLabelledTexts ? count == 2
                                                   : count > 0 && count % 2 == 0;
  if (!fits) return std::nullopt;
  return fields;
}

}  // namespace sotto::data
