#include "common/privacy/ledger.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <sqlite3.h>

#include "common/base/check.h"
#include "common/journal/atomic_file.h"

namespace sotto::privacy {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t kApplicationId = 0x534f5454;  // "SOTT"
constexpr std::int64_t kSchemaVersion = 2;
constexpr std::size_t kMaxDatasetIdBytes = 512;

constexpr const char* kSchema = R"sql(
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
    input BLOB,
    UNIQUE (dataset_id, run, round)
  ) STRICT;
)sql";

/// Version 1 did not name the inputs: its rows keep NULL, so none of them is ever free of charge.
constexpr const char* kFromVersion1 =
    "BEGIN IMMEDIATE; ALTER TABLE charges ADD COLUMN input BLOB; PRAGMA user_version = 2; COMMIT;";

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};

using Database = std::unique_ptr<sqlite3, CloseDatabase>;

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

/// One prepared statement: bind in order, then step, then read columns.
class Statement {
 public:
  static Result<Statement> prepare(sqlite3* database, const char* sql) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(database, sql, -1, &raw, nullptr) != SQLITE_OK)
      return Error{std::string("ledger: ") + sqlite3_errmsg(database)};
    return Statement(raw);
  }

  Statement& bind(const std::string& text) {
    return bound(sqlite3_bind_text(get(), ++at_, text.data(), static_cast<int>(text.size()),
                                   SQLITE_TRANSIENT));
  }

  Statement& bind(const Bytes32& bytes) {
    return bound(sqlite3_bind_blob(get(), ++at_, bytes.data(), static_cast<int>(bytes.size()),
                                   SQLITE_TRANSIENT));
  }

  Statement& bind(std::uint64_t number) {
    return bound(sqlite3_bind_int64(get(), ++at_, static_cast<std::int64_t>(number)));
  }

  Statement& bind(double number) { return bound(sqlite3_bind_double(get(), ++at_, number)); }

  Statement& bind_null() { return bound(sqlite3_bind_null(get(), ++at_)); }

  /// True when there is a row, false at the end.
  Result<bool> step() {
    const int code = bind_failed_ ? SQLITE_NOMEM : sqlite3_step(get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return Error{std::string("ledger: ") + sqlite3_errmsg(sqlite3_db_handle(get()))};
  }

  [[nodiscard]] bool is_null(int column) const {
    return sqlite3_column_type(get(), column) == SQLITE_NULL;
  }

  [[nodiscard]] std::int64_t integer(int column) const {
    return sqlite3_column_int64(get(), column);
  }

  [[nodiscard]] double real(int column) const { return sqlite3_column_double(get(), column); }

  [[nodiscard]] std::string text(int column) const {
    const unsigned char* start = sqlite3_column_text(get(), column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(get(), column));
    return start == nullptr ? std::string() : std::string(start, start + size);
  }

  [[nodiscard]] Bytes32 bytes32(int column) const {
    Bytes32 out{};
    const void* start = sqlite3_column_blob(get(), column);
    if (start != nullptr && sqlite3_column_bytes(get(), column) == 32)
      std::memcpy(out.data(), start, out.size());
    return out;
  }

 private:
  explicit Statement(sqlite3_stmt* raw) : raw_(raw) {}

  [[nodiscard]] sqlite3_stmt* get() const { return raw_.get(); }

  Statement& bound(int code) {
    bind_failed_ = bind_failed_ || code != SQLITE_OK;
    return *this;
  }

  std::unique_ptr<sqlite3_stmt, FinalizeStatement> raw_;
  int at_ = 0;
  bool bind_failed_ = false;
};

Status execute(sqlite3* database, const char* sql) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    return Error{std::string("ledger: ") + sqlite3_errmsg(database)};
  return {};
}

/// The single value a pragma or a query answers.
Result<std::string> query_one(sqlite3* database, const char* sql) {
  Result<Statement> statement = Statement::prepare(database, sql);
  if (!statement.ok()) return statement.error();
  const Result<bool> row = statement->step();
  if (!row.ok()) return row.error();
  return *row ? statement->text(0) : std::string();
}

/// Durable before a commit returns: synchronous=FULL fsyncs the write-ahead log at each one.
Status configure(sqlite3* database) {
  if (Status done = execute(database, "PRAGMA locking_mode = EXCLUSIVE"); !done.ok()) return done;
  const Result<std::string> mode = query_one(database, "PRAGMA journal_mode = WAL");
  if (!mode.ok()) return mode.error();
  if (*mode != "wal") return Error{"ledger: this file system does not support SQLite's WAL"};
  if (Status done = execute(database, "PRAGMA synchronous = FULL"); !done.ok()) return done;
  const Result<std::string> synchronous = query_one(database, "PRAGMA synchronous");
  if (!synchronous.ok()) return synchronous.error();
  if (*synchronous != "2") return Error{"ledger: SQLite does not write synchronously here"};
  return {};
}

Status create_or_check_schema(sqlite3* database) {
  const Result<std::string> application = query_one(database, "PRAGMA application_id");
  const Result<std::string> version = query_one(database, "PRAGMA user_version");
  const Result<std::string> tables = query_one(database, "SELECT count(*) FROM sqlite_schema");
  for (const auto* answer : {&application, &version, &tables})
    if (!answer->ok()) return answer->error();
  if (*application == "0" && *version == "0" && *tables == "0") {
    const std::string sql = std::string("BEGIN IMMEDIATE;") + kSchema +
                            "PRAGMA application_id = " + std::to_string(kApplicationId) +
                            "; PRAGMA user_version = " + std::to_string(kSchemaVersion) +
                            "; COMMIT;";
    return execute(database, sql.c_str());
  }
  if (*application != std::to_string(kApplicationId)) return Error{"ledger: not a ledger file"};
  if (*version == "1") return execute(database, kFromVersion1);
  if (*version != std::to_string(kSchemaVersion))
    return Error{"ledger: schema version " + *version + ", this program reads version " +
                 std::to_string(kSchemaVersion)};
  return {};
}

Status check_charge(const Charge& charge) {
  if (charge.dataset_id.empty() || charge.dataset_id.size() > kMaxDatasetIdBytes)
    return Error{"a charge needs a data set of 1 to 512 bytes"};
  if (charge.steps && charge.steps->steps > std::uint64_t{1} << 48)
    return Error{"a charge of more than 2^48 steps"};
  return {};
}

std::string shown(double epsilon) {
  if (std::isinf(epsilon)) return "infinity";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", epsilon);
  return text.data();
}

/// What a data set has spent, in a form that adds up.
struct Spending {
  RdpAccountant accountant;
  bool unbounded = false;

  Status add(const std::optional<DpSgdSteps>& steps, bool without_privacy) {
    unbounded = unbounded || without_privacy;
    return steps ? accountant.add(*steps) : Status{};
  }

  [[nodiscard]] double epsilon(double delta) const {
    return unbounded ? kInfinity : accountant.epsilon(delta);
  }
};

std::optional<DpSgdSteps> steps_in(const Statement& row, int first) {
  if (row.is_null(first)) return std::nullopt;
  return DpSgdSteps{.sampling_rate = row.real(first),
                    .noise_multiplier = row.real(first + 1),
                    .steps = static_cast<std::uint64_t>(row.integer(first + 2))};
}

Status check_delta(double delta) {
  if (!(delta > 0 && delta < 1)) return Error{"delta must be in (0, 1)"};
  return {};
}

}  // namespace

struct PrivacyLedger::Impl {
  journal::LockFile lock;
  Database database;
  bool failed = false;  // a write failed: nothing more is released until the file is opened again

  [[nodiscard]] Result<Spending> spending(const std::string& dataset_id) const;
  [[nodiscard]] Status insert(const Charge& charge) const;
  Status insert_durably(const Charge& charge);
  [[nodiscard]] Result<bool> known(const Charge& charge) const;
  [[nodiscard]] Result<bool> paid_before(const Charge& charge) const;
};

Result<Spending> PrivacyLedger::Impl::spending(const std::string& dataset_id) const {
  Result<Statement> rows = Statement::prepare(
      database.get(),
      "SELECT without_privacy, sampling_rate, noise_multiplier, sum(steps) FROM charges "
      "WHERE dataset_id = ? GROUP BY without_privacy, sampling_rate, noise_multiplier");
  if (!rows.ok()) return rows.error();
  rows->bind(dataset_id);
  Spending out;
  while (true) {
    const Result<bool> row = rows->step();
    if (!row.ok()) return row.error();
    if (!*row) return out;
    if (Status added = out.add(steps_in(*rows, 1), rows->integer(0) != 0); !added.ok())
      return Error{"ledger: a record is damaged: " + added.error().message};
  }
}

Result<bool> PrivacyLedger::Impl::known(const Charge& charge) const {
  Result<Statement> statement = Statement::prepare(
      database.get(), "SELECT 1 FROM charges WHERE dataset_id = ? AND run = ? AND round = ?");
  if (!statement.ok()) return statement.error();
  return statement->bind(charge.dataset_id).bind(charge.run).bind(charge.round.value).step();
}

Result<bool> PrivacyLedger::Impl::paid_before(const Charge& charge) const {
  if (charge.input == Bytes32{}) return false;
  Result<Statement> statement = Statement::prepare(
      database.get(), "SELECT 1 FROM charges WHERE dataset_id = ? AND run = ? AND input = ?");
  if (!statement.ok()) return statement.error();
  return statement->bind(charge.dataset_id).bind(charge.run).bind(charge.input).step();
}

/// One statement outside a transaction: committed, so durable, when step() returns.
Status PrivacyLedger::Impl::insert(const Charge& charge) const {
  Result<Statement> statement = Statement::prepare(
      database.get(),
      "INSERT INTO charges (dataset_id, run, round, job_hash, without_privacy, sampling_rate, "
      "noise_multiplier, steps, input) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!statement.ok()) return statement.error();
  statement->bind(charge.dataset_id)
      .bind(charge.run)
      .bind(charge.round.value)
      .bind(charge.job_hash)
      .bind(std::uint64_t{charge.without_privacy});
  if (charge.steps)
    statement->bind(charge.steps->sampling_rate)
        .bind(charge.steps->noise_multiplier)
        .bind(charge.steps->steps);
  else
    statement->bind_null().bind_null().bind_null();
  if (charge.input != Bytes32{})
    statement->bind(charge.input);
  else
    statement->bind_null();
  const Result<bool> done = statement->step();
  return done.ok() ? Status{} : Status{done.error()};
}

Status PrivacyLedger::Impl::insert_durably(const Charge& charge) {
  failed = true;  // until the charge is known to be durable
  if (Status written = insert(charge); !written.ok()) return written;
  failed = false;
  return {};
}

PrivacyLedger::PrivacyLedger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

PrivacyLedger::PrivacyLedger(PrivacyLedger&&) noexcept = default;
PrivacyLedger& PrivacyLedger::operator=(PrivacyLedger&&) noexcept = default;
PrivacyLedger::~PrivacyLedger() = default;

Result<PrivacyLedger> PrivacyLedger::open(const std::filesystem::path& file) {
  Result<journal::LockFile> lock = journal::LockFile::acquire(file.string() + ".lock");
  if (!lock.ok()) return lock.error();
  sqlite3* raw = nullptr;
  const int opened =
      sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  Database database(raw);
  if (opened != SQLITE_OK) return Error{"cannot open the ledger " + file.string()};
  if (Status done = configure(raw); !done.ok())
    return Error{file.string() + ": " + done.error().message};
  if (Status done = create_or_check_schema(raw); !done.ok())
    return Error{file.string() + ": " + done.error().message};
  const std::filesystem::path parent = file.parent_path();
  if (Status done = journal::sync_directory(parent.empty() ? "." : parent); !done.ok())
    return done.error();
  return PrivacyLedger(std::make_unique<Impl>(
      Impl{.lock = std::move(lock).value(), .database = std::move(database), .failed = false}));
}

Result<double> PrivacyLedger::spent(const std::string& dataset_id, double delta) const {
  if (Status fits = check_delta(delta); !fits.ok()) return fits.error();
  const Result<Spending> spending = impl_->spending(dataset_id);
  if (!spending.ok()) return spending.error();
  return spending->epsilon(delta);
}

Result<double> PrivacyLedger::spent_after(const Charge& charge, double delta) const {
  if (Status fits = check_delta(delta); !fits.ok()) return fits.error();
  if (Status fits = check_charge(charge); !fits.ok()) return fits.error();
  Result<Spending> spending = impl_->spending(charge.dataset_id);
  if (!spending.ok()) return spending.error();
  if (Status added = spending->add(charge.steps, charge.without_privacy); !added.ok())
    return added.error();
  return spending->epsilon(delta);
}

Result<std::vector<LedgerEntry>> PrivacyLedger::entries(const std::string& dataset_id,
                                                        double delta) const {
  if (Status fits = check_delta(delta); !fits.ok()) return fits.error();
  Result<Statement> rows = Statement::prepare(
      impl_->database.get(),
      "SELECT run, round, job_hash, when_utc, without_privacy, sampling_rate, noise_multiplier, "
      "steps, input FROM charges WHERE dataset_id = ? ORDER BY id");
  if (!rows.ok()) return rows.error();
  rows->bind(dataset_id);
  std::vector<LedgerEntry> out;
  Spending spending;
  while (true) {
    const Result<bool> row = rows->step();
    if (!row.ok()) return row.error();
    if (!*row) return out;
    LedgerEntry entry;
    entry.charge = {.dataset_id = dataset_id,
                    .run = rows->bytes32(0),
                    .round = {static_cast<std::uint64_t>(rows->integer(1))},
                    .job_hash = rows->bytes32(2),
                    .steps = steps_in(*rows, 5),
                    .input = rows->bytes32(8),
                    .without_privacy = rows->integer(4) != 0};
    entry.when_utc = rows->text(3);
    if (Status added = spending.add(entry.charge.steps, entry.charge.without_privacy); !added.ok())
      return Error{"ledger: a record is damaged: " + added.error().message};
    entry.epsilon_after = spending.epsilon(delta);
    out.push_back(std::move(entry));
  }
}

Status PrivacyLedger::record(Charge charge, const Budget& budget) {
  if (impl_->failed) return Error{"the ledger failed before and must be opened again"};
  if (!(budget.max_epsilon >= 0)) return Error{"the budget must not be negative"};
  const Result<bool> known = impl_->known(charge);
  if (!known.ok()) return known.error();
  if (*known)
    return Error{"round " + std::to_string(charge.round.server_round()) + ", attempt " +
                 std::to_string(charge.round.attempt()) + " of this run was already charged for " +
                 charge.dataset_id + ": nothing is released twice"};
  const Result<bool> paid = impl_->paid_before(charge);
  if (!paid.ok()) return paid.error();
  if (*paid) {
    charge.steps.reset();
    charge.without_privacy = false;
    return impl_->insert_durably(charge);
  }
  const Result<double> before = spent(charge.dataset_id, budget.delta);
  if (!before.ok()) return before.error();
  const Result<double> after = spent_after(charge, budget.delta);
  if (!after.ok()) return after.error();
  if (!(*after <= budget.max_epsilon))
    return Error{"over budget for " + charge.dataset_id + " at delta " + shown(budget.delta) +
                 ": epsilon spent " + shown(*before) + ", with this release " + shown(*after) +
                 ", budget " + shown(budget.max_epsilon)};
  return impl_->insert_durably(charge);
}

}  // namespace sotto::privacy
