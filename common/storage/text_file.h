// TextFile is a file of records as text, which was checked as a whole: its encoding, its line ends
// and its completeness. Every reader of data files uses it, so that all of them accept the same
// files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto::storage {

/// The longest file. It is read at once.
inline constexpr std::uint64_t kMaxTextFileBytes = std::uint64_t{1} << 30;

/// Holds the text in ordinary memory and wipes it at its end. One thread at a time.
class TextFile {
 public:
  /// What to do with a text that is damaged as a whole: see read().
  enum class Damaged { kRefused, kKept };

  /// Reads a regular file. Damaged as a whole is: a compressed file, a workbook or another binary
  /// format; a pointer of Git LFS; UTF-16; line ends that are carriage returns alone; and a last
  /// line without a line end, because that is the one sign of a text that was cut. By default this
  /// is an Error that names the file and what to do. With kKept the text is read, damage() is that
  /// Error, and a last line without a line end is left out: for callers whose visible behaviour
  /// must not depend on records. A byte order mark of UTF-8 is skipped. Whether a single line is
  /// UTF-8 is not checked: see line_fault(). A folder, a missing file and a longer one are Errors
  /// always.
  static Result<TextFile> read(const std::filesystem::path& file,
                               Damaged damaged = Damaged::kRefused);
  /// Checks bytes in memory in the same way; `name` names them in errors.
  static Result<TextFile> of(Bytes bytes, std::string name, Damaged damaged = Damaged::kRefused);

  TextFile(TextFile&&) = default;
  TextFile& operator=(TextFile&&) = default;
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;
  ~TextFile();

  /// Returns the text without its byte order mark. It is empty or ends with a line feed.
  [[nodiscard]] std::string_view text() const;

  [[nodiscard]] const std::string& name() const { return name_; }

  [[nodiscard]] const std::optional<Error>& damage() const { return damage_; }

  [[nodiscard]] bool has_byte_order_mark() const { return begin_ > 0; }

  /// Returns "NAME:LINE:COLUMN: what" for an offset in text(), with line and column counted from
  /// one and the column in characters. Takes time in proportion to the distance from the last
  /// offset, or from the start for an offset before it.
  [[nodiscard]] Error error_at(std::size_t offset, std::string_view what) const;
  /// Returns the number of the line, from one; it takes the same time.
  [[nodiscard]] std::size_t line_of(std::size_t offset) const;

 private:
  TextFile(Bytes bytes, std::string name)
      : bytes_(std::move(bytes)), name_(std::move(name)), end_(bytes_.size()) {}

  [[nodiscard]] std::optional<Error> find_damage() const;

  Bytes bytes_;
  std::string name_;
  std::size_t begin_ = 0;  // behind the byte order mark
  std::size_t end_;        // behind the last line end, where the text is damaged
  std::optional<Error> damage_;
  /// The last offset of line_of(), the number of its line and the start of that line.
  mutable std::size_t last_ = 0, line_ = 1, line_start_ = 0;
};

/// TextFault is what is wrong with a text, and the offset where it is.
struct TextFault {
  std::size_t at = 0;
  std::string what{};  // empty: nothing is wrong
};

/// Returns the first fault of a line or row: bytes that are not UTF-8, or a zero byte.
TextFault line_fault(std::string_view line);

}  // namespace sotto::storage
