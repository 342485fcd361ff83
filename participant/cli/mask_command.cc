#include "participant/cli/mask_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/utf8.h"
#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/cli/output.h"
#include "common/crypto/secure_random.h"
#include "common/storage/atomic_file.h"
#include "participant/cli/names_model.h"
#include "participant/data/progress_clock.h"
#include "participant/deidentify/redaction/plan.h"
#include "participant/deidentify/redaction/redactor.h"
#include "participant/deidentify/redaction/sample.h"
#include "participant/deidentify/tables/table.h"
#include "participant/identity/key_file.h"
#include "participant/training/learning_library.h"

namespace sotto::participant {

namespace {

using cli::or_stop;

using nlohmann::json;
using redaction::MaskedText;
using redaction::Redactor;
using redaction::Score;

struct MaskArguments {
  std::string file, plan, out, key;
  std::vector<std::string> columns;
  bool json = false, force = false;
};

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;

std::string text_of(const std::string& file) {
  const Bytes bytes = or_stop(storage::read_file(file, kMaxBytes));
  return {bytes.begin(), bytes.end()};
}

std::optional<crypto::Secret32> key_of(const std::string& file) {
  if (file.empty()) return std::nullopt;
  return read_key_file(file, "create one with: sotto-participant data mask-key " + file);
}

Redactor masker_of(redaction::RedactionPlan plan, std::optional<crypto::Secret32> key) {
  std::unique_ptr<redaction::SpanFinder> names_model;
  if (plan.names_model) {
    training::ModelProvider& models = training::learning_library();
    models.use_threads(1);
    names_model = open_names_model(*plan.names_model, models);
  }
  return or_stop(Redactor::make(std::move(plan), std::move(key), std::move(names_model)));
}

void make_key(const std::string& file) {
  crypto::OsRandom random;
  make_key_file(file, "another key would change all pseudonyms", random);
  std::printf(
      "%s: keep this key. With it names can be tested for their pseudonyms, and without it new "
      "texts get other pseudonyms.\n",
      file.c_str());
}

void add(MaskedText& sum, const MaskedText& more, std::uint64_t times) {
  sum.text += more.text;
  for (const auto& [kind, count] : more.counts)
    sum.counts[kind] += count * times;
}

/// Redacts a text in pieces of whole lines, so that progress can be shown.
MaskedText mask_text(const Redactor& masker, const std::string& text, const std::string& name) {
  constexpr std::size_t kPiece = 1 << 18;
  // Invalid UTF-8 is passed on whole, so that the error names its line in the whole text.
  if (const std::size_t good = utf8_prefix(text); good != text.size())
    return or_stop(masker.mask(text, name));
  ProgressBar bar("masking");
  MaskedText out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t line_end = text.find('\n', std::min(at + kPiece, text.size()));
    const std::size_t end = line_end == std::string::npos ? text.size() : line_end + 1;
    add(out, or_stop(masker.mask(std::string_view(text).substr(at, end - at), name)), 1);
    at = end;
    bar.show(static_cast<double>(at) / static_cast<double>(text.size()));
  }
  return out;
}

/// Redacts the named columns of a table; the others are kept unchanged.
MaskedText mask_columns(const Redactor& masker, const MaskArguments& args) {
  const tables::Table table = or_stop(tables::Table::read(args.file));
  std::vector<std::vector<std::string>> values;
  MaskedText out;
  for (const auto& column : table.columns())
    values.push_back(column.values);
  for (const std::string& name : args.columns) {
    const std::size_t at = or_stop(table.find(name));
    const auto& column = table.columns()[at];
    std::vector<std::uint64_t> rows(column.values.size(), 0);
    for (const std::uint32_t code : column.codes)
      ++rows[code];
    for (std::size_t code = 0; code < rows.size(); ++code) {
      const MaskedText masked = or_stop(masker.mask(column.values[code], args.file));
      values[at][code] = masked.text;
      add(out, {.counts = masked.counts}, rows[code]);
    }
  }
  std::vector<std::string_view> cells;
  for (const auto& column : table.columns())
    cells.push_back(column.name);
  out.text = tables::line_of(cells, table.format());
  for (std::size_t row = 0; row < table.rows(); ++row) {
    for (std::size_t c = 0; c < cells.size(); ++c)
      cells[c] = values[c][table.columns()[c].codes[row]];
    out.text += tables::line_of(cells, table.format());
  }
  return out;
}

void mask(const MaskArguments& args) {
  std::error_code ignored;
  if (std::filesystem::equivalent(args.file, args.out, ignored))
    throw StartupError("--out names the file that is read; the original is never overwritten");
  cli::require_new_file(args.out, args.force);
  const Redactor masker = masker_of(redaction::load_mask_plan(args.plan), key_of(args.key));
  const MaskedText masked = args.columns.empty() ? mask_text(masker, text_of(args.file), args.file)
                                                 : mask_columns(masker, args);
  if (auto s = storage::write_file_atomically(args.out, {view_of(masked.text)},
                                              storage::FileAccess::kOwnerOnly);
      !s.ok())
    throw StartupError(s.error().message);
  if (args.json) {
    std::printf("%s\n", json{{"found", masked.counts}}.dump().c_str());
    return;
  }
  std::printf("%s\n", args.out.c_str());
  for (const auto& [kind, count] : masked.counts)
    std::printf("  %-12s %llu\n", kind.c_str(), static_cast<unsigned long long>(count));
}

json json_of(const Score& s) {
  return {{"marked", s.marked},   {"found", s.found},           {"right", s.right},
          {"covered", s.covered}, {"precision", s.precision()}, {"recall", s.recall()}};
}

void print_score(const std::string& name, const Score& s) {
  std::printf("  %-10s %7zu %7zu %9.1f %% %7.1f %%\n", name.c_str(), s.marked, s.found,
              100 * s.precision(), 100 * s.recall());
}

json json_of(const redaction::Scores& scores) {
  json kinds = json::object();
  for (const auto& [kind, s] : scores.by_kind)
    kinds[kind] = json_of(s);
  return {{"lines", scores.lines}, {"all", json_of(scores.all)}, {"kinds", kinds}};
}

void print_scores(const redaction::Scores& scores) {
  std::printf("  %-10s %7s %7s %11s %9s\n", "", "marked", "found", "precision", "recall");
  for (const auto& [kind, s] : scores.by_kind)
    print_score(kind, s);
  print_score("all", scores.all);
  std::printf("  %zu of %zu marked passages are hidden completely, under any kind\n",
              scores.all.covered, scores.all.marked);
}

redaction::Scores scores_of(redaction::RedactionPlan plan, const MaskArguments& args) {
  // No text is output, so the pseudonyms need no real key.
  const Redactor masker = masker_of(std::move(plan), crypto::Secret32());
  return or_stop(redaction::score(masker, text_of(args.file), args.file));
}

/// Prints the scores of a plan. If it has an NER model, also those of its rules without the model.
void score(const MaskArguments& args) {
  const redaction::RedactionPlan plan = redaction::load_mask_plan(args.plan);
  const redaction::Scores scores = scores_of(plan, args);
  std::optional<redaction::Scores> without_model;
  if (plan.names_model) {
    redaction::RedactionPlan rules = plan;
    rules.names_model.reset();
    without_model = scores_of(std::move(rules), args);
  }
  if (args.json) {
    json out = json_of(scores);
    if (without_model) out["without_names_model"] = json_of(*without_model);
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  std::printf("%s: %zu texts; a passage is correct if it has the same kind and the same ends\n",
              args.file.c_str(), scores.lines);
  print_scores(scores);
  if (!without_model) return;
  std::printf("without an NER model");
  print_scores(*without_model);
}

}  // namespace

void add_masking_commands(cli::Command& data) {
  auto args = std::make_shared<MaskArguments>();
  cli::Command* sub = data.add_subcommand(
      "mask", "Redact personal data in texts by a plan; reports counts and never values");
  sub->add_option("file", args->file,
                  "Text file with one record on each line, or a table with --columns")
      ->required();
  sub->add_option("--plan", args->plan,
                  "File mask.json with the plan: the action for each kind of data")
      ->required();
  sub->add_option("--out", args->out,
                  "File for the redacted text; it is written as a whole or not at all")
      ->required();
  sub->add_option("--key", args->key,
                  "Key of the site for pseudonyms, which data mask-key creates");
  sub->add_option("--columns", args->columns,
                  "Columns to redact, separated by commas. The file is CSV (or TSV if its name "
                  "ends so) with a header line")
      ->delimiter(',');
  sub->add_flag("--json", args->json, "One JSON object");
  cli::add_force_option(*sub, args->force);
  sub->callback([args] { mask(*args); });

  auto scored = std::make_shared<MaskArguments>();
  sub = data.add_subcommand(
      "mask-score",
      "Measure precision and recall of the redaction on texts that were marked by hand");
  sub->add_option("file", scored->file,
                  "File with one text on each line and marks as in <email>a@b.org</email>")
      ->required();
  sub->add_option("--plan", scored->plan, "mask.json")->required();
  sub->add_flag("--json", scored->json, "One JSON object");
  sub->callback([scored] { score(*scored); });

  auto made = std::make_shared<std::string>();
  sub =
      data.add_subcommand("mask-key", "Create the key from which a site's pseudonyms are derived");
  sub->add_option("file", *made, "File for the key, which gets mode 0600")->required();
  sub->callback([made] { make_key(*made); });
}

}  // namespace sotto::participant
