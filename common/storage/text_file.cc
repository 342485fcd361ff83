#include "common/storage/text_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/utf8.h"
#include "common/crypto/secret.h"
#include "common/storage/atomic_file.h"

namespace sotto::storage {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// The first bytes of formats that are not text, and the name and remedy for each.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kOtherFormats{
    {{"version https://git-lfs.github.com/spec/"sv,
      "is a pointer of Git LFS and not the file itself; fetch it with git lfs pull"},
     {"\x1F\x8B"sv, "is compressed with gzip; unpack it with gunzip"},
     {"\x28\xB5\x2F\xFD"sv, "is compressed with zstd; unpack it with unzstd"},
     {"BZh"sv, "is compressed with bzip2; unpack it with bunzip2"},
     {"\xFD"
      "7zXZ\0"sv,
      "is compressed with xz; unpack it with unxz"},
     {"PK\x03\x04"sv,
      "is a zip archive or a workbook such as .xlsx; unpack it, or save the sheet as CSV in UTF-8"},
     {"\xD0\xCF\x11\xE0"sv, "is an Office document such as .xls; save the sheet as CSV in UTF-8"},
     {"PAR1"sv,
      "is in Parquet; convert it, for example with python3 -c \"import pandas; "
      "pandas.read_parquet('IN').to_csv('OUT.csv', index=False)\""},
     {"ARROW1"sv,
      "is in Arrow; convert it, for example with python3 -c \"import pandas; "
      "pandas.read_feather('IN').to_csv('OUT.csv', index=False)\""},
     {"SQLite format 3"sv, "is an SQLite database; export the table as CSV"},
     {"%PDF-"sv, "is a PDF document; export its text"},
     {"\xFF\xFE"sv, "is in UTF-16; convert it with iconv -f UTF-16 -t UTF-8"},
     {"\xFE\xFF"sv, "is in UTF-16; convert it with iconv -f UTF-16 -t UTF-8"},
     {"\0\0\xFE\xFF"sv, "is in UTF-32; convert it with iconv -f UTF-32 -t UTF-8"}}};

/// Returns whether the text has so many zero bytes at its start that it is UTF-16 without a mark.
bool looks_like_utf16(std::string_view text) {
  const std::string_view start = text.substr(0, 4096);
  return start.size() >= 4 &&
         4 * static_cast<std::size_t>(std::ranges::count(start, '\0')) >= start.size();
}

/// Returns what the file is instead of text; empty for a text.
std::string_view other_format(std::string_view bytes) {
  for (const auto& [start, what] : kOtherFormats)
    if (bytes.starts_with(start)) return what;
  if (looks_like_utf16(bytes))
    return "has many zero bytes and may be in UTF-16; convert it with iconv -f UTF-16LE -t UTF-8";
  return {};
}

}  // namespace

Result<TextFile> TextFile::read(const std::filesystem::path& file, Damaged damaged) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored))
    return Error{file.string() + " is a folder; name a file in it"};
  SOTTO_ASSIGN_OR_RETURN(Bytes bytes, read_file(file, kMaxTextFileBytes));
  return of(std::move(bytes), file.string(), damaged);
}

Result<TextFile> TextFile::of(Bytes bytes, std::string name, Damaged damaged) {
  TextFile out(std::move(bytes), std::move(name));
  if (out.text().starts_with(kByteOrderMark)) out.begin_ = kByteOrderMark.size();
  out.damage_ = out.find_damage();
  if (!out.damage_) return out;
  if (damaged == Damaged::kRefused) return *out.damage_;
  out.end_ = out.begin_ + out.text().rfind('\n') + 1;  // npos + 1 is 0
  return out;
}

std::optional<Error> TextFile::find_damage() const {
  const std::string_view all = text();
  if (const std::string_view what = other_format(all); !what.empty())
    return Error{name_ + " " + std::string(what)};
  if (const std::size_t at = all.find('\r');
      at != std::string_view::npos && all.find('\n') == std::string_view::npos)
    return error_at(at,
                    "the lines end with carriage returns alone, as on an old Macintosh; convert "
                    "the file with tr '\\r' '\\n'");
  if (!all.empty() && all.back() != '\n')
    return error_at(all.size(),
                    "the last line has no line break, so that the file may have been cut; if it is "
                    "complete, end its last line");
  return std::nullopt;
}

TextFile::~TextFile() {
  crypto::wipe(bytes_);
}

std::string_view TextFile::text() const {
  return std::string_view(reinterpret_cast<const char*>(bytes_.data()), end_).substr(begin_);
}

std::size_t TextFile::line_of(std::size_t offset) const {
  if (offset < last_) last_ = 0, line_ = 1, line_start_ = 0;
  const std::string_view passed = text().substr(last_, offset - last_);
  line_ += static_cast<std::size_t>(std::ranges::count(passed, '\n'));
  if (const std::size_t end = passed.rfind('\n'); end != std::string_view::npos)
    line_start_ = last_ + end + 1;
  last_ = offset;
  return line_;
}

Error TextFile::error_at(std::size_t offset, std::string_view what) const {
  const std::size_t line = line_of(offset);
  const std::size_t column = 1 + utf8_length(text().substr(line_start_, offset - line_start_));
  return {name_ + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " +
          std::string(what)};
}

TextFault line_fault(std::string_view line) {
  const std::size_t good = utf8_prefix(line), zero = std::min(line.find('\0'), line.size());
  if (zero < good) return {zero, "the file contains a zero byte and may not be a text file"};
  if (good == line.size()) return {};
  return {good,
          "the text is not UTF-8; convert the file, for example with iconv -f LATIN1 -t UTF-8"};
}

}  // namespace sotto::storage
