#include "common/privacy/ledger.h"

#include <cmath>
#include <cstring>

#include <sqlite3.h>

#include "common/base/check.h"
#include "common/journal/atomic_file.h"
#include "common/privacy/spending.h"

namespace sotto::privacy {

namespace {

constexpr std::int64_t kApplicationId = 0x534f5454;  // "SOTT"
constexpr std::int64_t kSchemaVersion = 3;
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

/// Since version 3: the participant-level part of a charge, where the upload went into a sum with
/// noise.
constexpr const char* kNoiseSchema = R"sql(
  CREATE TABLE IF NOT EXISTS charged_noise (
    charge INTEGER PRIMARY KEY REFERENCES charges (id),
    mechanism INTEGER NOT NULL,
    variance INTEGER NOT NULL,
    unknown_noises INTEGER NOT NULL,
    squared_sensitivity INTEGER NOT NULL,
    dimension INTEGER NOT NULL,
    rounds INTEGER NOT NULL
  ) STRICT;
)sql";

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
  const std::string set_version = "PRAGMA user_version = " + std::to_string(kSchemaVersion) + ";";
  if (*application == "0" && *version == "0" && *tables == "0") {
    const std::string sql = std::string("BEGIN IMMEDIATE;") + kSchema + kNoiseSchema +
                            "PRAGMA application_id = " + std::to_string(kApplicationId) + ";" +
                            set_version + "COMMIT;";
    return execute(database, sql.c_str());
  }
  if (*application != std::to_string(kApplicationId)) return Error{"ledger: not a ledger file"};
  if (*version == "1") {
    if (Status done = execute(database, kFromVersion1); !done.ok()) return done;
  }
  if (*version == "1" || *version == "2") {
    const std::string sql =
        std::string("BEGIN IMMEDIATE;") + kNoiseSchema + set_version + "COMMIT;";
    return execute(database, sql.c_str());
  }
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
  return charge.noise ? check(*charge.noise) : Status{};
}

std::string shown(double epsilon) {
  if (std::isinf(epsilon)) return "infinity";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", epsilon);
  return text.data();
}

std::optional<DpSgdSteps> steps_in(const Statement& row, int first) {
  if (row.is_null(first)) return std::nullopt;
  return DpSgdSteps{.sampling_rate = row.real(first),
                    .noise_multiplier = row.real(first + 1),
                    .steps = static_cast<std::uint64_t>(row.integer(first + 2))};
}

std::optional<NoisyRounds> noise_in(const Statement& row, int first) {
  if (row.is_null(first)) return std::nullopt;
  const auto number = [&row, first](int column) {
    return static_cast<std::uint64_t>(row.integer(first + column));
  };
  return NoisyRounds{
      .mechanism = number(0) == 0 ? NoiseMechanism::kDiscreteGaussian : NoiseMechanism::kSkellam,
      .variance = number(1),
      .unknown_noises = static_cast<std::uint32_t>(number(2)),
      .squared_sensitivity = number(3),
      .dimension = number(4),
      .rounds = number(5)};
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
  [[nodiscard]] Result<Spending> spending_after(const Charge& charge, double delta) const;
  [[nodiscard]] Status insert(const Charge& charge) const;
  Status insert_durably(const Charge& charge);
  [[nodiscard]] Status insert_charge(const Charge& charge) const;
  [[nodiscard]] Status insert_noise(const NoisyRounds& noise) const;
  [[nodiscard]] Result<bool> known(const Charge& charge) const;
  [[nodiscard]] Result<bool> paid_before(const Charge& charge) const;
};

Result<Spending> PrivacyLedger::Impl::spending(const std::string& dataset_id) const {
  Result<Statement> rows = Statement::prepare(
      database.get(),
      "SELECT without_privacy, sampling_rate, noise_multiplier, sum(steps), mechanism, variance, "
      "unknown_noises, squared_sensitivity, dimension, sum(rounds) "
      "FROM charges LEFT JOIN charged_noise ON charge = id WHERE dataset_id = ? "
      "GROUP BY without_privacy, sampling_rate, noise_multiplier, mechanism, variance, "
      "unknown_noises, squared_sensitivity, dimension");
  if (!rows.ok()) return rows.error();
  rows->bind(dataset_id);
  Spending out;
  while (true) {
    const Result<bool> row = rows->step();
    if (!row.ok()) return row.error();
    if (!*row) return out;
    const Charge charge{.steps = steps_in(*rows, 1),
                        .without_privacy = rows->integer(0) != 0,
                        .noise = noise_in(*rows, 4)};
    if (Status added = out.add(charge); !added.ok())
      return Error{"ledger: a record is damaged: " + added.error().message};
  }
}

Result<Spending> PrivacyLedger::Impl::spending_after(const Charge& charge, double delta) const {
  if (Status fits = check_delta(delta); !fits.ok()) return fits.error();
  if (Status fits = check_charge(charge); !fits.ok()) return fits.error();
  Result<Spending> out = spending(charge.dataset_id);
  if (!out.ok()) return out;
  if (Status added = out->add(charge); !added.ok()) return added.error();
  return out;
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

Status PrivacyLedger::Impl::insert_charge(const Charge& charge) const {
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

Status PrivacyLedger::Impl::insert_noise(const NoisyRounds& noise) const {
  Result<Statement> statement = Statement::prepare(
      database.get(),
      "INSERT INTO charged_noise (charge, mechanism, variance, unknown_noises, "
      "squared_sensitivity, dimension, rounds) VALUES (last_insert_rowid(), ?, ?, ?, ?, ?, ?)");
  if (!statement.ok()) return statement.error();
  const std::uint64_t mechanism = noise.mechanism == NoiseMechanism::kDiscreteGaussian ? 0 : 1;
  statement->bind(mechanism)
      .bind(noise.variance)
      .bind(std::uint64_t{noise.unknown_noises})
      .bind(noise.squared_sensitivity)
      .bind(noise.dimension)
      .bind(noise.rounds);
  const Result<bool> done = statement->step();
  return done.ok() ? Status{} : Status{done.error()};
}

/// One transaction: both parts are durable when it has committed, or neither is there.
Status PrivacyLedger::Impl::insert(const Charge& charge) const {
  if (Status begun = execute(database.get(), "BEGIN IMMEDIATE"); !begun.ok()) return begun;
  Status written = insert_charge(charge);
  if (written.ok() && charge.noise) written = insert_noise(*charge.noise);
  if (written.ok()) written = execute(database.get(), "COMMIT");
  if (!written.ok()) static_cast<void>(execute(database.get(), "ROLLBACK"));
  return written;
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
  const Result<Spent> both = both_spent(dataset_id, delta);
  return both.ok() ? Result<double>(both->epsilon) : both.error();
}

Result<double> PrivacyLedger::spent_after(const Charge& charge, double delta) const {
  const Result<Spent> both = both_spent_after(charge, delta);
  return both.ok() ? Result<double>(both->epsilon) : both.error();
}

Result<Spent> PrivacyLedger::both_spent(const std::string& dataset_id, double delta) const {
  if (Status fits = check_delta(delta); !fits.ok()) return fits.error();
  const Result<Spending> spending = impl_->spending(dataset_id);
  if (!spending.ok()) return spending.error();
  return spending->at(delta);
}

Result<Spent> PrivacyLedger::both_spent_after(const Charge& charge, double delta) const {
  const Result<Spending> spending = impl_->spending_after(charge, delta);
  return spending.ok() ? Result<Spent>(spending->at(delta)) : spending.error();
}

Result<std::vector<LedgerEntry>> PrivacyLedger::entries(const std::string& dataset_id,
                                                        double delta) const {
  if (Status fits = check_delta(delta); !fits.ok()) return fits.error();
  Result<Statement> rows = Statement::prepare(
      impl_->database.get(),
      "SELECT run, round, job_hash, when_utc, without_privacy, sampling_rate, noise_multiplier, "
      "steps, mechanism, variance, unknown_noises, squared_sensitivity, dimension, rounds, input "
      "FROM charges LEFT JOIN charged_noise ON charge = id WHERE dataset_id = ? ORDER BY id");
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
                    .input = rows->bytes32(14),
                    .without_privacy = rows->integer(4) != 0,
                    .noise = noise_in(*rows, 8)};
    entry.when_utc = rows->text(3);
    if (Status added = spending.add(entry.charge); !added.ok())
      return Error{"ledger: a record is damaged: " + added.error().message};
    const Spent after = spending.at(delta);
    entry.epsilon_after = after.epsilon;
    entry.participant_epsilon_after = after.participant_epsilon;
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
    charge.noise.reset();
    return impl_->insert_durably(charge);
  }
  const Result<Spending> before = impl_->spending(charge.dataset_id);
  if (!before.ok()) return before.error();
  const Result<Spending> after = impl_->spending_after(charge, budget.delta);
  if (!after.ok()) return after.error();
  const auto over = [&](const char* what, double spent, double next, double limit) {
    return Error{std::string("over ") + what + " for " + charge.dataset_id + " at delta " +
                 shown(budget.delta) + ": epsilon spent " + shown(spent) + ", with this release " +
                 shown(next) + ", budget " + shown(limit)};
  };
  if (!after->examples_within(budget.max_epsilon, budget.delta))
    return over("budget", before->at(budget.delta).epsilon, after->at(budget.delta).epsilon,
                budget.max_epsilon);
  if (!(after->participant_epsilon(budget.delta) <= budget.max_participant_epsilon))
    return over("the participant-level budget", before->participant_epsilon(budget.delta),
                after->participant_epsilon(budget.delta), budget.max_participant_epsilon);
  return impl_->insert_durably(charge);
}

}  // namespace sotto::privacy
