#include "common/privacy/ledger/ledger_file.h"

#include <array>
#include <cstring>
#include <system_error>

#include <sqlite3.h>

#include "common/storage/atomic_file.h"

namespace sotto::privacy {

namespace {

constexpr std::int64_t kApplicationId = 0x534f5454;  // "SOTT"

/// How long to wait for another process that opens the file or writes to it.
constexpr int kPatienceMs = 5000;

/// The step at index v upgrades a file of version v to version v + 1; a new file applies all of
/// them.
constexpr std::array<const char*, 4> kSteps{
    R"sql(
  CREATE TABLE charges (
    id INTEGER PRIMARY KEY,
    dataset_id TEXT NOT NULL,
    run BLOB NOT NULL,
    round INTEGER NOT NULL,
    job_hash BLOB NOT NULL,
    when_utc TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    without_privacy INTEGER NOT NULL,
    sampling_rate REAL,
    noise_multiplier REAL,
    steps INTEGER,
    UNIQUE (dataset_id, run, round)
  ) STRICT;
)sql",
    // Inputs have names. Older rows keep NULL, so that none of them counts as charged before.
    "ALTER TABLE charges ADD COLUMN input BLOB;",
    // The participant-level part of a charge, for an upload that went into a sum with noise.
    R"sql(
  CREATE TABLE charged_noise (
    charge INTEGER PRIMARY KEY REFERENCES charges (id),
    mechanism INTEGER NOT NULL,
    variance INTEGER NOT NULL,
    unknown_noises INTEGER NOT NULL,
    squared_sensitivity INTEGER NOT NULL,
    dimension INTEGER NOT NULL,
    rounds INTEGER NOT NULL
  ) STRICT;
)sql",
    // The job's name, the outcome of an attempt (1: its sum was announced, 2: it was lost, NULL:
    // not known), and how the budget of a data set is kept. A charge protects an example (unit 0)
    // or a person (unit 1) with at most so many examples. noise_multiplier is the noise of the site
    // alone; masked_noise_multiplier is that of the sum, where only the sum has more noise. All
    // charges of older versions protect an example.
    R"sql(
  ALTER TABLE charges ADD COLUMN job_name TEXT;
  ALTER TABLE charges ADD COLUMN outcome INTEGER;
  ALTER TABLE charges ADD COLUMN unit INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE charges ADD COLUMN examples INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE charges ADD COLUMN masked_noise_multiplier REAL;
  CREATE TABLE budget_rules (
    dataset_id TEXT PRIMARY KEY,
    renyi_order REAL NOT NULL,
    one_job BLOB,
    max_epsilon REAL NOT NULL
  ) STRICT;
)sql"};

Error error_of(sqlite3* database) {
  return Error{std::string("ledger: ") + sqlite3_errmsg(database)};
}

/// Returns the single value of a pragma or a query.
Result<std::string> query_one(sqlite3* database, const char* sql) {
  SOTTO_ASSIGN_OR_RETURN(Statement statement, Statement::prepare(database, sql));
  const Result<bool> row = statement.step();
  if (!row.ok()) return row.error();
  return *row ? statement.text(0) : std::string();
}

/// Makes commits durable before they return: synchronous=FULL calls fsync on the write-ahead log at
/// each one.
Status configure(sqlite3* database) {
  SOTTO_ASSIGN_OR_RETURN(const std::string mode, query_one(database, "PRAGMA journal_mode = WAL"));
  if (mode != "wal") return Error{"ledger: this file system does not support SQLite's WAL"};
  SOTTO_TRY(execute(database, "PRAGMA synchronous = FULL"));
  SOTTO_ASSIGN_OR_RETURN(const std::string synchronous, query_one(database, "PRAGMA synchronous"));
  if (synchronous != "2") return Error{"ledger: SQLite does not write synchronously here"};
  return {};
}

/// Creates the tables, or upgrades those of an older version to the newest, in one transaction.
Status make_newest(sqlite3* database) {
  const Result<std::string> application = query_one(database, "PRAGMA application_id");
  const Result<std::string> version = query_one(database, "PRAGMA user_version");
  const Result<std::string> tables = query_one(database, "SELECT count(*) FROM sqlite_schema");
  for (const auto* answer : {&application, &version, &tables})
    if (!answer->ok()) return answer->error();
  const bool is_new = *application == "0" && *version == "0" && *tables == "0";
  if (!is_new && *application != std::to_string(kApplicationId))
    return Error{"ledger: the file is not a ledger"};
  std::size_t from = 0;
  while (from <= kSteps.size() && *version != std::to_string(from))
    ++from;
  if (from > kSteps.size() || (from == 0 && !is_new))
    return Error{"ledger: the file has schema version " + *version +
                 ", but this program reads versions up to " + std::to_string(kSteps.size()) +
                 "; use the program that wrote it, or a newer one"};
  if (from == kSteps.size()) return {};
  std::string sql = "BEGIN IMMEDIATE;";
  for (std::size_t step = from; step < kSteps.size(); ++step)
    sql += kSteps[step];
  sql += "PRAGMA application_id = " + std::to_string(kApplicationId) +
         "; PRAGMA user_version = " + std::to_string(kSteps.size()) + "; COMMIT;";
  return execute(database, sql.c_str());
}

Result<Database> open_database(const std::string& name, int flags) {
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(name.c_str(), &raw, flags, nullptr);
  Database database(raw);
  if (opened != SQLITE_OK) return Error{"cannot open the ledger " + name};
  sqlite3_busy_timeout(raw, kPatienceMs);
  return database;
}

Status copy(sqlite3* from, sqlite3* to) {
  sqlite3_backup* backup = sqlite3_backup_init(to, "main", from, "main");
  if (backup == nullptr) return error_of(to);
  constexpr int kAllPages = -1;
  const int stepped = sqlite3_backup_step(backup, kAllPages);
  static_cast<void>(sqlite3_backup_finish(backup));
  if (stepped != SQLITE_DONE) return Error{std::string("ledger: ") + sqlite3_errstr(stepped)};
  return {};
}

Error in_file(const std::filesystem::path& file, const Error& error) {
  return Error{file.string() + ": " + error.message};
}

}  // namespace

void CloseDatabase::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

Result<Database> open_ledger_file(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(Database database,
                         open_database(file.string(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
  if (Status done = configure(database.get()); !done.ok()) return in_file(file, done.error());
  if (Status done = make_newest(database.get()); !done.ok()) return in_file(file, done.error());
  const std::filesystem::path parent = file.parent_path();
  SOTTO_TRY(storage::sync_directory(parent.empty() ? "." : parent));
  return database;
}

Result<Database> copy_of_ledger_file(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(Database memory, open_database(":memory:", SQLITE_OPEN_READWRITE));
  std::error_code failed;
  if (std::filesystem::exists(file, failed)) {
    SOTTO_ASSIGN_OR_RETURN(Database source, open_database(file.string(), SQLITE_OPEN_READONLY));
    if (Status done = copy(source.get(), memory.get()); !done.ok())
      return in_file(file, done.error());
  } else if (failed) {
    return Error{file.string() + ": " + failed.message()};
  }
  if (Status done = make_newest(memory.get()); !done.ok()) return in_file(file, done.error());
  return memory;
}

Status execute(sqlite3* database, const char* sql) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    return error_of(database);
  return {};
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Result<Statement> Statement::prepare(sqlite3* database, const char* sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(database, sql, -1, &raw, nullptr) != SQLITE_OK) return error_of(database);
  return Statement(raw);
}

Statement& Statement::bind(const std::string& text) {
  return bound(sqlite3_bind_text(raw_.get(), ++at_, text.data(), static_cast<int>(text.size()),
                                 SQLITE_TRANSIENT));
}

Statement& Statement::bind(const Bytes32& bytes) {
  return bound(sqlite3_bind_blob(raw_.get(), ++at_, bytes.data(), static_cast<int>(bytes.size()),
                                 SQLITE_TRANSIENT));
}

Statement& Statement::bind(std::uint64_t number) {
  return bound(sqlite3_bind_int64(raw_.get(), ++at_, static_cast<std::int64_t>(number)));
}

Statement& Statement::bind(double number) {
  return bound(sqlite3_bind_double(raw_.get(), ++at_, number));
}

Statement& Statement::bind_null() {
  return bound(sqlite3_bind_null(raw_.get(), ++at_));
}

Result<bool> Statement::step() {
  const int code = bind_failed_ ? SQLITE_NOMEM : sqlite3_step(raw_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return error_of(sqlite3_db_handle(raw_.get()));
}

Status Statement::run() {
  const Result<bool> done = step();
  return done.ok() ? Status{} : Status{done.error()};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(raw_.get(), column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(raw_.get(), column);
}

double Statement::real(int column) const {
  return sqlite3_column_double(raw_.get(), column);
}

std::string Statement::text(int column) const {
  const unsigned char* start = sqlite3_column_text(raw_.get(), column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(raw_.get(), column));
  return start == nullptr ? std::string() : std::string(start, start + size);
}

Bytes32 Statement::bytes32(int column) const {
  Bytes32 out{};
  const void* start = sqlite3_column_blob(raw_.get(), column);
  if (start != nullptr && sqlite3_column_bytes(raw_.get(), column) == 32)
    std::memcpy(out.data(), start, out.size());
  return out;
}

Statement& Statement::bound(int code) {
  bind_failed_ = bind_failed_ || code != SQLITE_OK;
  return *this;
}

}  // namespace sotto::privacy
