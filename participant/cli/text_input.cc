#include "participant/cli/text_input.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "common/base/result.h"
#include "common/base/utf8.h"
#include "common/cli/command_line.h"
#include "participant/data/record.h"

namespace sotto::participant {

namespace {

namespace fs = std::filesystem;
using data::Format;

/// Lines reads one text from each line as it arrives.
class Lines final : public TextInput {
 public:
  explicit Lines(const std::string& file) : name_(file == "-" ? "standard input" : file) {
    std::error_code failed;
    if (file == "-") {
      in_ = stdin;
      return;
    }
    if (fs::is_directory(file, failed))
      throw StartupError(file + ": is a folder; name a file with texts");
    in_ = std::fopen(file.c_str(), "rb");
    if (in_ == nullptr) throw StartupError(file + ": cannot be read: " + std::strerror(errno));
    const std::uintmax_t size = fs::file_size(file, failed);
    if (!failed) size_ = static_cast<double>(size);
  }

  ~Lines() override {
    std::free(line_);
    if (in_ != stdin) std::fclose(in_);
  }

  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  std::optional<InputText> next() override {
    const ssize_t length = ::getline(&line_, &capacity_, in_);
    if (length < 0) {
      if (std::ferror(in_) != 0) throw StartupError(name_ + ": cannot be read to its end");
      if (number_ == 0) throw StartupError(name_ + ": contains no text");
      return std::nullopt;
    }
    ++number_;
    read_ += static_cast<double>(length);
    std::string_view line(line_, static_cast<std::size_t>(length));
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (number_ == 1 && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!is_utf8(line))
      stop("the text is not UTF-8; convert the file, for example with iconv -f LATIN1 -t UTF-8");
    if (line.find('\0') != std::string_view::npos)
      stop("the line contains a zero byte; this may not be a text file");
    return InputText{.text = std::string(line)};
  }

  [[nodiscard]] double part_done() const override { return size_ > 0 ? read_ / size_ : -1; }

 private:
  [[noreturn]] void stop(const std::string& why) const {
    throw StartupError(name_ + ":" + std::to_string(number_) + ": " + why);
  }

  std::string name_;
  std::FILE* in_ = nullptr;
  char* line_ = nullptr;
  std::size_t capacity_ = 0, number_ = 0;
  double size_ = 0, read_ = 0;
};

InputText text_of(const std::vector<std::string_view>& fields, data::Kind kind) {
  InputText out;
  if (kind == data::Kind::kTexts) {
    out.text = fields[0];
  } else if (kind == data::Kind::kLabelledTexts) {
    out.label = fields[0];
    out.text = fields[1];
  } else {
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
      out.text += (i == 0 ? "" : " ") + std::string(fields[i]);
      out.words.emplace_back(fields[i]);
      out.tags.emplace_back(fields[i + 1]);
    }
  }
  return out;
}

class Records final : public TextInput {
 public:
  Records(const std::string& file, const data::ImportPlan& plan)
      : kind_(data::kind_of(plan)), source_(cli::or_stop(data::open_source(file, plan))) {}

  std::optional<InputText> next() override {
    const auto record = cli::or_stop(source_->next());
    if (!record) return std::nullopt;
    const auto fields = data::fields_of(*record, kind_);
    if (!fields) throw StartupError("a record of another form than its source");
    return text_of(*fields, kind_);
  }

  [[nodiscard]] double part_done() const override { return source_->part_done(); }

 private:
  data::Kind kind_;
  std::unique_ptr<data::RecordSource> source_;
};

std::optional<Format> format_by_name(const InputOptions& options) {
  const std::string ending = fs::path(options.file).extension().string();
  if (ending == ".csv") return Format::kCsv;
  if (ending == ".jsonl") return Format::kJsonl;
  if (ending == ".conll") return Format::kConll;
  if (ending == ".tsv" && !options.text.empty()) return Format::kTsv;
  return std::nullopt;
}

Format format_of(const InputOptions& options, const UsualInput& usual) {
  if (!options.format.empty()) return *data::format_named(options.format);
  if (const auto named = format_by_name(options)) return *named;
  if (!options.text.empty())
    throw StartupError(
        options.file +
        ": --text names a column of CSV, TSV or JSONL, but the file name has another "
        "ending; say --format csv, tsv or jsonl");
  return usual.format;
}

}  // namespace

void add_input_options(cli::Command& command, InputOptions& options, bool labelled) {
  command.add_option("--text", options.text, "Column of the text in CSV and TSV, key in JSONL");
  if (labelled)
    command.add_option("--label", options.label,
                       "Column of the label in CSV and TSV, key in JSONL");
  add_format_option(command, options);
}

void add_format_option(cli::Command& command, InputOptions& options) {
  command
      .add_option(
          "--format", options.format,
          "Format of the file, where its name does not tell it: lines (a text in each line), "
          "labelled (label TAB text), conll, csv, tsv or jsonl")
      ->one_of({"lines", "labelled", "conll", "csv", "tsv", "jsonl"});
}

std::unique_ptr<TextInput> open_texts(const InputOptions& options, const UsualInput& usual) {
  const Format format = format_of(options, usual);
  if (format == Format::kLines) return std::make_unique<Lines>(options.file);
  if (options.file == "-")
    throw StartupError(
        "the standard input is read as lines of text; name a file for another format");
  const bool is_table =
      format == Format::kCsv || format == Format::kTsv || format == Format::kJsonl;
  if (is_table && options.text.empty())
    throw StartupError(options.file + ": name the column or key of the text with --text");
  if (is_table && usual.labelled && options.label.empty())
    throw StartupError(options.file + ": name the column or key of the label with --label");
  return std::make_unique<Records>(options.file, data::ImportPlan{.format = format,
                                                                  .text = options.text,
                                                                  .label = options.label,
                                                                  .classes = usual.classes});
}

}  // namespace sotto::participant
