#include "participant/cli/records_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/cli/output.h"
#include "common/cli/unlock.h"
#include "common/config/parse.h"
#include "participant/cli/layout_options.h"
#include "participant/data/import.h"
#include "participant/data/progress_clock.h"
#include "participant/data/record_file.h"
#include "participant/data/site_records.h"

namespace sotto::participant {

namespace {

using cli::or_stop;

namespace fs = std::filesystem;
using data::Format;
using data::ImportPlan;
using data::SecureRecordStore;
using nlohmann::json;

struct ImportArguments {
  std::vector<std::string> files;
  std::string out, dir = ".", job;
  LayoutOptions layout;
  std::vector<std::string> classes;
  cli::UnlockOptions unlock;
  bool json = false, force = false;
};

struct StoreArguments {
  std::string store, dir = ".";
  cli::UnlockOptions unlock;
  bool json = false;
};

/// Returns the key of this site's record stores.
crypto::Secret32 key_of(const std::string& dir, const cli::UnlockOptions& unlock) {
  return records_key(cli::open_keystore(dir, unlock));
}

/// Returns the format by the extension of the file, or no value if that does not determine it.
std::optional<Format> format_of(const fs::path& file, const ImportArguments& args) {
  const std::string ending = file.extension().string();
  if (ending == ".csv") return Format::kCsv;
  if (ending == ".jsonl" || ending == ".ndjson") return Format::kJsonl;
  if (ending == ".conll") return Format::kConll;
  if ((ending == ".tsv" || ending == ".tab") && !args.layout.text.empty()) return Format::kTsv;
  return std::nullopt;
}

/// Returns the format in which training reads plain files for this job.
Format format_for(const config::JobConfig& job) {
  switch (job.make_task()->form()) {
    case tasks::RecordForm::kTexts:
      return Format::kLines;
    case tasks::RecordForm::kLabelledTexts:
      return Format::kLabelled;
    case tasks::RecordForm::kTaggedWords:
      break;
  }
  return Format::kConll;
}

ImportPlan plan_of(const ImportArguments& args) {
  const config::DataLayout layout = layout_of(args.layout);
  ImportPlan plan{.text = layout.text,
                  .label = layout.label,
                  .classes = args.classes,
                  .delimiter = delimiter_of(layout.delimiter)};
  std::optional<Format> format = format_of(args.files.front(), args);
  if (!args.job.empty()) {
    const config::JobConfig job = config::load_job(args.job);
    plan.classes = job.task.labels;
    if (!format) format = format_for(job);
  }
  if (layout.format != Format::kAuto) format = layout.format;
  if (!format)
    throw StartupError(args.files.front() +
                       ": the name of the file does not tell its format; give --format, or --job "
                       "for a file that the job reads without conversion");
  plan.format = *format;
  const bool has_columns =
      plan.format == Format::kCsv || plan.format == Format::kTsv || plan.format == Format::kJsonl;
  if (has_columns && plan.text.empty())
    throw StartupError("--text must name the " +
                       std::string(plan.format == Format::kJsonl ? "key" : "column") +
                       " that holds the text");
  if (!has_columns && !(plan.text.empty() && plan.label.empty()))
    throw StartupError("--text and --label name columns, which only csv, tsv and jsonl have");
  return plan;
}

void refuse_to_overwrite(const ImportArguments& args) {
  for (const std::string& file : args.files) {
    std::error_code ignored;
    if (fs::equivalent(file, args.out, ignored))
      throw StartupError("--out names a file that is read; the original is never overwritten");
  }
}

void import_files(const ImportArguments& args) {
  refuse_to_overwrite(args);
  cli::require_new_file(args.out, args.force);
  const ImportPlan plan = plan_of(args);
  crypto::OsRandom random;
  data::RecordWriter writer(data::kind_of(plan), key_of(args.dir, args.unlock), random);
  ProgressBar bar("importing");
  for (std::size_t i = 0; i < args.files.size(); ++i) {
    const auto source = or_stop(data::open_source(args.files[i], plan));
    while (const auto record = or_stop(source->next())) {
      writer.add(*record);
      bar.show((static_cast<double>(i) + source->part_done()) /
               static_cast<double>(args.files.size()));
    }
  }
  if (const Status written = writer.write(args.out); !written.ok())
    throw StartupError(written.error().message);
  if (const Status known = KnownStores(args.dir).remember(args.out, writer.id()); !known.ok())
    throw StartupError(known.error().message);
  const std::string kind(name_of(data::kind_of(plan)));
  if (args.json) {
    std::printf("%s\n", json{{"store", args.out},
                             {"id", to_hex(writer.id())},
                             {"kind", kind},
                             {"records", writer.count()}}
                            .dump()
                            .c_str());
    return;
  }
  std::printf("%s: %zu records (%s); the source files are unchanged\n", args.out.c_str(),
              writer.count(), kind.c_str());
}

std::unique_ptr<SecureRecordStore> open_store(const StoreArguments& args) {
  const crypto::Secret32 key = key_of(args.dir, args.unlock);
  return or_stop(SecureRecordStore::open(args.store, key, {.clock = steady_now}));
}

void show(const StoreArguments& args) {
  const auto store = open_store(args);
  if (args.json) {
    std::printf("%s\n", json{{"store", args.store},
                             {"id", to_hex(store->id())},
                             {"kind", name_of(store->kind())},
                             {"records", store->count()},
                             {"bytes", store->bytes()}}
                            .dump()
                            .c_str());
    return;
  }
  std::printf("%s: %zu records (%s), %llu bytes\n  id %s\n", args.store.c_str(), store->count(),
              std::string(name_of(store->kind())).c_str(),
              static_cast<unsigned long long>(store->bytes()), to_hex(store->id()).c_str());
}

/// Opens every record and reports those that cannot be opened.
int verify_all(const StoreArguments& args, SecureRecordStore& store) {
  const data::Capability mine = store.grant(data::Purpose::kCheck);
  std::vector<std::string> faults;
  {
    ProgressBar bar("verifying");
    for (std::size_t i = 0; i < store.count(); ++i) {
      if (const auto opened = store.open_record(mine, i); !opened.ok())
        faults.push_back(opened.error().message);
      bar.show(static_cast<double>(i + 1) / static_cast<double>(store.count()));
    }
  }
  constexpr std::size_t kShown = 10;
  if (args.json) {
    std::printf("%s\n",
                json{{"records", store.count()}, {"damaged", faults.size()}}.dump().c_str());
  } else {
    for (std::size_t i = 0; i < std::min(kShown, faults.size()); ++i)
      std::fprintf(stderr, "%s\n", faults[i].c_str());
    std::printf("%s: %zu records, %zu damaged\n", args.store.c_str(), store.count(), faults.size());
  }
  return faults.empty() ? 0 : 1;
}

int verify(const StoreArguments& args) {
  const auto store = open_store(args);
  if (const Status right = KnownStores(args.dir).check(args.store, store->id()); !right.ok())
    throw StartupError(right.error().message);
  return verify_all(args, *store);
}

int adopt(const StoreArguments& args) {
  const auto store = open_store(args);
  const int damaged = verify_all(args, *store);
  if (damaged != 0) return damaged;
  if (const Status known = KnownStores(args.dir).remember(args.store, store->id()); !known.ok())
    throw StartupError(known.error().message);
  return 0;
}

void add_import(cli::Command& data) {
  auto args = std::make_shared<ImportArguments>();
  cli::Command* sub = data.add_subcommand(
      "import", "Seal plain files into an encrypted record store, which training reads directly");
  sub->add_option("files", args->files, "Files of one format, which are not changed")->required();
  sub->add_option("--out", args->out, "File for the store; it is written as a whole or not at all")
      ->required();
  cli::add_force_option(*sub, args->force);
  sub->add_option("--dir", args->dir, "Folder of this site's keys")->capture_default_str();
  cli::add_unlock_options(*sub, args->unlock);
  add_layout_options(*sub, args->layout);
  sub->add_option("--classes", args->classes, "Reject labels other than these, separated by commas")
      ->delimiter(',');
  sub->add_option("--job", args->job, "job.json, whose labels are the classes");
  sub->add_flag("--json", args->json, "One JSON object");
  sub->callback([args] { import_files(*args); });
}

cli::Command* add_store_command(cli::Command& data, const char* name, const char* what,
                                const std::shared_ptr<StoreArguments>& args) {
  cli::Command* sub = data.add_subcommand(name, what);
  sub->add_option("store", args->store, "The record store")->required();
  sub->add_option("--dir", args->dir, "Folder of this site's keys")->capture_default_str();
  cli::add_unlock_options(*sub, args->unlock);
  sub->add_flag("--json", args->json, "One JSON object");
  return sub;
}

}  // namespace

void add_records_commands(cli::Command& data, int& exit_code) {
  add_import(data);
  auto shown = std::make_shared<StoreArguments>();
  add_store_command(data, "show", "Print what a record store contains: counts and never values",
                    shown)
      ->callback([shown] { show(*shown); });
  auto verified = std::make_shared<StoreArguments>();
  add_store_command(data, "verify",
                    "Open every record of a store; the exit code is 1 if one is damaged", verified)
      ->callback([verified, &exit_code] { exit_code = verify(*verified); });
  auto adopted = std::make_shared<StoreArguments>();
  add_store_command(data, "adopt",
                    "Verify a store that was moved or restored, and record it as the one that "
                    "belongs in its place",
                    adopted)
      ->callback([adopted, &exit_code] { exit_code = adopt(*adopted); });
}

std::map<std::string, std::uint64_t> by_purpose(const data::OpenCounts& counts) {
  std::map<std::string, std::uint64_t> out;
  for (std::size_t i = 0; i < counts.size(); ++i)
    out[std::string(name_of(static_cast<data::Purpose>(i)))] = counts[i];
  return out;
}

std::optional<observability::AuditEvent> opens_event(const data::OpenCounts& counts) {
  if (std::ranges::all_of(counts, [](std::uint64_t n) { return n == 0; })) return std::nullopt;
  observability::AuditEvent event{"records_opened", {}};
  for (const auto& [purpose, count] : by_purpose(counts))
    event.fields.emplace_back(purpose, std::to_string(count));
  return event;
}

}  // namespace sotto::participant
