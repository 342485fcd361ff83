#include "common/privacy/ledger/ledger.h"

#include <algorithm>
#include <functional>

#include "common/base/check.h"
#include "common/privacy/ledger/ledger_file.h"
#include "common/privacy/ledger/spending.h"
#include "common/storage/atomic_file.h"
#include "common/storage/storage.h"

namespace sotto::privacy {

namespace {

constexpr std::size_t kMaxDatasetIdBytes = 512;
constexpr std::int64_t kMaxExamplesPerPerson = 1'000'000;

/// The attempts at a server round have the same round / 65536 (RoundNumber). A row whose update was
/// charged before has neither steps nor without_privacy, and does not count as a charge of its
/// round.
constexpr const char* kRows = R"sql(
  SELECT charges.*, charged_noise.*,
         sampling_rate IS NOT NULL AND row_number() OVER (
           PARTITION BY job_hash, round / 65536, sampling_rate IS NOT NULL ORDER BY id) > 1
           AS repeated
  FROM charges LEFT JOIN charged_noise ON charge = id WHERE dataset_id = ?
)sql";

Status check_charge(const Charge& charge) {
  if (charge.dataset_id.empty() || charge.dataset_id.size() > kMaxDatasetIdBytes)
    return Error{"a charge needs a data set of 1 to 512 bytes"};
  if (charge.steps && charge.steps->steps > std::uint64_t{1} << 48)
    return Error{"a charge of more than 2^48 steps"};
  const std::int64_t most =
      charge.unit == ProtectedUnit::kPerson ? kMaxExamplesPerPerson : std::int64_t{1};
  if (charge.examples_per_person < 1 || charge.examples_per_person > most)
    return Error{"a charge for an impossible number of examples of one unit"};
  return charge.noise ? check(*charge.noise) : Status{};
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

Status check(const Charge& charge, const Budget& budget) {
  SOTTO_TRY(check_charge(charge));
  for (const double delta : {budget.delta, budget.job.delta})
    SOTTO_TRY(check_delta(delta));
  for (const double limit : {budget.max_epsilon, budget.max_participant_epsilon,
                             budget.job.max_epsilon, budget.job.max_lost_epsilon})
    if (!(limit >= 0)) return Error{"a budget must be a number that is not negative"};
  return {};
}

/// Reads the unit of a charge. A later version may write charges that protect other units; counting
/// them here could underestimate their cost.
Status read_unit(const Statement& row, int first, Charge& charge) {
  const std::int64_t unit = row.integer(first), examples = row.integer(first + 1);
  const bool example = unit == 0 && examples == 1;
  const bool person = unit == 1 && examples >= 1 && examples <= kMaxExamplesPerPerson;
  if (!example && !person)
    return Error{
        "ledger: a charge protects a unit that this program does not know; use the newer program "
        "that wrote it"};
  charge.unit = person ? ProtectedUnit::kPerson : ProtectedUnit::kExample;
  charge.examples_per_person = static_cast<std::uint32_t>(examples);
  return {};
}

}  // namespace

/// The part of a job's plan that was charged already.
struct Progress {
  std::uint64_t of_run = 0;  // server rounds in the charge's run
  std::uint64_t of_job = 0;  // in any run
};

/// Adds all releases that the charge's run still plans.
Status add_rest(const Charge& charge, const Progress& progress, Spending& spending) {
  const auto left = [&](std::uint64_t all) { return all - std::min(all, progress.of_run); };
  const std::uint64_t releases = left(charge.planned);
  if (releases == 0) return {};
  Charge rest = charge;
  if (rest.noise) rest.noise->rounds = std::max<std::uint64_t>(left(rest.noise->rounds), 1);
  if (rest.steps) {
    DpSgdSteps repeated = *rest.steps;
    repeated.steps *= std::min(releases, progress.of_job - progress.of_run);
    SOTTO_TRY(spending.add_repeated(repeated));
    rest.steps->steps *= releases;
  }
  return spending.add(rest);
}

struct PrivacyLedger::Impl {
  std::optional<storage::LockFile> lock;  // none: a read-only copy
  Database database;
  bool failed = false;  // a write failed: nothing is released until the file is opened again

  [[nodiscard]] Result<Statement> prepare(const char* sql) const {
    return Statement::prepare(database.get(), sql);
  }

  [[nodiscard]] Result<Spending> spending(const std::string& dataset_id, const Bytes32& job) const;
  [[nodiscard]] Result<std::optional<BudgetRule>> rule(const std::string& dataset_id) const;
  [[nodiscard]] Result<Decision> decide(const Charge& charge, const Budget& budget) const;
  [[nodiscard]] Result<Progress> progress(const Charge& charge) const;
  [[nodiscard]] Status insert(const Charge& charge, const std::optional<BudgetRule>& rule,
                              const std::function<void()>& before_commit) const;
  Status insert_durably(const Charge& charge, const std::optional<BudgetRule>& rule);
  [[nodiscard]] Status insert_charge(const Charge& charge) const;
  [[nodiscard]] Status insert_noise(const NoisyRounds& noise) const;
  [[nodiscard]] Status put_rule(const std::string& dataset_id, const BudgetRule& rule) const;
  [[nodiscard]] Result<bool> known(const Charge& charge) const;
  [[nodiscard]] Result<bool> charged_before(const Charge& charge) const;
  [[nodiscard]] Result<bool> round_is_charged(const Charge& charge) const;
};

/// Rows with the same cost are added up first.
Result<Spending> PrivacyLedger::Impl::spending(const std::string& dataset_id,
                                               const Bytes32& job) const {
  const std::string sql =
      std::string(
          "SELECT without_privacy, sampling_rate, noise_multiplier, sum(steps), mechanism, "
          "variance, unknown_noises, squared_sensitivity, dimension, sum(rounds), job_hash, "
          "repeated, unit, examples FROM (") +
      kRows +
      ") GROUP BY job_hash, repeated, without_privacy, sampling_rate, noise_multiplier, mechanism, "
      "variance, unknown_noises, squared_sensitivity, dimension, unit, examples";
  SOTTO_ASSIGN_OR_RETURN(Statement rows, prepare(sql.c_str()));
  rows.bind(dataset_id);
  Spending out(job);
  while (true) {
    SOTTO_ASSIGN_OR_RETURN(const bool row, rows.step());
    if (!row) return out;
    Charge charge{.job_hash = rows.bytes32(10),
                  .steps = steps_in(rows, 1),
                  .without_privacy = rows.integer(0) != 0,
                  .noise = noise_in(rows, 4)};
    SOTTO_TRY(read_unit(rows, 12, charge));
    Status added = out.add(charge);
    if (added.ok() && rows.integer(11) != 0 && charge.job_hash == job)
      added = out.add_repeated(*charge.steps);
    if (!added.ok()) return Error{"ledger: a record is damaged: " + added.error().message};
  }
}

Result<std::optional<BudgetRule>> PrivacyLedger::Impl::rule(const std::string& dataset_id) const {
  SOTTO_ASSIGN_OR_RETURN(
      Statement row,
      prepare("SELECT renyi_order, one_job, max_epsilon FROM budget_rules WHERE dataset_id = ?"));
  SOTTO_ASSIGN_OR_RETURN(const bool there, row.bind(dataset_id).step());
  if (!there) return std::optional<BudgetRule>();
  BudgetRule out{.order = row.real(0), .max_epsilon = row.real(2)};
  if (!row.is_null(1)) out.one_job = row.bytes32(1);
  return std::optional(out);
}

Result<Decision> PrivacyLedger::Impl::decide(const Charge& charge, const Budget& budget) const {
  SOTTO_TRY(check(charge, budget));
  SOTTO_ASSIGN_OR_RETURN(const Spending before, spending(charge.dataset_id, charge.job_hash));
  SOTTO_ASSIGN_OR_RETURN(const std::optional<BudgetRule> kept, rule(charge.dataset_id));
  SOTTO_ASSIGN_OR_RETURN(const bool repeated, round_is_charged(charge));
  Spending after = before;
  Status added = after.add(charge);
  if (added.ok() && repeated && charge.steps) added = after.add_repeated(*charge.steps);
  if (!added.ok()) return added.error();
  return privacy::decide(before, after, kept, charge, budget);
}

Result<Progress> PrivacyLedger::Impl::progress(const Charge& charge) const {
  SOTTO_ASSIGN_OR_RETURN(
      Statement row, prepare("SELECT count(DISTINCT CASE WHEN run = ? THEN round / 65536 END), "
                             "count(DISTINCT round / 65536) FROM charges WHERE dataset_id = ? AND "
                             "job_hash = ? AND (sampling_rate IS NOT NULL OR without_privacy)"));
  row.bind(charge.run).bind(charge.dataset_id).bind(charge.job_hash);
  if (const auto found = row.step(); !found.ok()) return found.error();
  return Progress{.of_run = static_cast<std::uint64_t>(row.integer(0)),
                  .of_job = static_cast<std::uint64_t>(row.integer(1))};
}

Result<bool> PrivacyLedger::Impl::round_is_charged(const Charge& charge) const {
  SOTTO_ASSIGN_OR_RETURN(Statement statement,
                         prepare("SELECT 1 FROM charges WHERE dataset_id = ? AND job_hash = ? AND "
                                 "round / 65536 = ? AND sampling_rate IS NOT NULL"));
  return statement.bind(charge.dataset_id)
      .bind(charge.job_hash)
      .bind(charge.round.server_round())
      .step();
}

Result<bool> PrivacyLedger::Impl::known(const Charge& charge) const {
  SOTTO_ASSIGN_OR_RETURN(
      Statement statement,
      prepare("SELECT 1 FROM charges WHERE dataset_id = ? AND run = ? AND round = ?"));
  return statement.bind(charge.dataset_id).bind(charge.run).bind(charge.round.value).step();
}

Result<bool> PrivacyLedger::Impl::charged_before(const Charge& charge) const {
  if (charge.input == Bytes32{}) return false;
  SOTTO_ASSIGN_OR_RETURN(
      Statement statement,
      prepare("SELECT 1 FROM charges WHERE dataset_id = ? AND run = ? AND input = ?"));
  return statement.bind(charge.dataset_id).bind(charge.run).bind(charge.input).step();
}

Status PrivacyLedger::Impl::insert_charge(const Charge& charge) const {
  SOTTO_ASSIGN_OR_RETURN(
      Statement statement,
      prepare(
          "INSERT INTO charges (dataset_id, run, round, job_hash, without_privacy, sampling_rate, "
          "noise_multiplier, steps, input, job_name, unit, examples) VALUES (?, ?, ?, ?, ?, ?, ?, "
          "?, ?, ?, ?, ?)"));
  statement.bind(charge.dataset_id)
      .bind(charge.run)
      .bind(charge.round.value)
      .bind(charge.job_hash)
      .bind(std::uint64_t{charge.without_privacy});
  if (charge.steps)
    statement.bind(charge.steps->sampling_rate)
        .bind(charge.steps->noise_multiplier)
        .bind(charge.steps->steps);
  else
    statement.bind_null().bind_null().bind_null();
  statement.bind(charge.input != Bytes32{} ? std::optional(charge.input) : std::nullopt);
  statement.bind(charge.job_name.empty() ? std::nullopt : std::optional(charge.job_name));
  statement.bind(static_cast<std::uint64_t>(charge.unit))
      .bind(std::uint64_t{charge.examples_per_person});
  return statement.run();
}

Status PrivacyLedger::Impl::insert_noise(const NoisyRounds& noise) const {
  SOTTO_ASSIGN_OR_RETURN(Statement statement,
                         prepare("INSERT INTO charged_noise (charge, mechanism, variance, "
                                 "unknown_noises, squared_sensitivity, dimension, rounds) VALUES "
                                 "(last_insert_rowid(), ?, ?, ?, ?, ?, ?)"));
  const std::uint64_t mechanism = noise.mechanism == NoiseMechanism::kDiscreteGaussian ? 0 : 1;
  statement.bind(mechanism)
      .bind(noise.variance)
      .bind(std::uint64_t{noise.unknown_noises})
      .bind(noise.squared_sensitivity)
      .bind(noise.dimension)
      .bind(noise.rounds);
  return statement.run();
}

Status PrivacyLedger::Impl::put_rule(const std::string& dataset_id, const BudgetRule& rule) const {
  SOTTO_ASSIGN_OR_RETURN(
      Statement statement,
      prepare("INSERT INTO budget_rules (dataset_id, renyi_order, one_job, max_epsilon) VALUES (?, "
              "?, ?, ?) ON CONFLICT (dataset_id) DO UPDATE SET renyi_order = excluded.renyi_order, "
              "one_job = excluded.one_job, max_epsilon = excluded.max_epsilon"));
  statement.bind(dataset_id).bind(rule.order).bind(rule.one_job).bind(rule.max_epsilon);
  return statement.run();
}

/// Writes everything in one transaction: all parts are durable after the commit, or none is stored.
Status PrivacyLedger::Impl::insert(const Charge& charge, const std::optional<BudgetRule>& rule,
                                   const std::function<void()>& before_commit) const {
  SOTTO_TRY(execute(database.get(), "BEGIN IMMEDIATE"));
  Status written = insert_charge(charge);
  if (written.ok() && charge.noise) written = insert_noise(*charge.noise);
  if (written.ok() && rule) written = put_rule(charge.dataset_id, *rule);
  if (written.ok()) before_commit();
  if (written.ok()) written = execute(database.get(), "COMMIT");
  if (!written.ok()) static_cast<void>(execute(database.get(), "ROLLBACK"));
  return written;
}

Status PrivacyLedger::Impl::insert_durably(const Charge& charge,
                                           const std::optional<BudgetRule>& rule) {
  failed = true;  // until the charge is known to be durable
  const Status written =
      storage::storage().transact([&](const std::function<void()>& before_commit) {
        return insert(charge, rule, before_commit);
      });
  if (!written.ok()) return written;
  failed = false;
  return {};
}

PrivacyLedger::PrivacyLedger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

PrivacyLedger::PrivacyLedger(PrivacyLedger&&) noexcept = default;
PrivacyLedger& PrivacyLedger::operator=(PrivacyLedger&&) noexcept = default;
PrivacyLedger::~PrivacyLedger() = default;

Result<PrivacyLedger> PrivacyLedger::open(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(storage::LockFile lock,
                         storage::LockFile::acquire(file.string() + ".lock"));
  SOTTO_ASSIGN_OR_RETURN(Database database, open_ledger_file(file));
  return PrivacyLedger(std::make_unique<Impl>(
      Impl{.lock = std::move(lock), .database = std::move(database), .failed = false}));
}

Result<PrivacyLedger> PrivacyLedger::read(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(Database database, copy_of_ledger_file(file));
  return PrivacyLedger(std::make_unique<Impl>(
      Impl{.lock = std::nullopt, .database = std::move(database), .failed = false}));
}

Result<double> PrivacyLedger::spent(const std::string& dataset_id, double delta) const {
  const Result<Spent> both = both_spent(dataset_id, delta);
  return both.ok() ? Result<double>(both->epsilon) : both.error();
}

Result<Spent> PrivacyLedger::both_spent(const std::string& dataset_id, double delta) const {
  SOTTO_TRY(check_delta(delta));
  SOTTO_ASSIGN_OR_RETURN(const Spending spending, impl_->spending(dataset_id, {}));
  const Result<std::optional<BudgetRule>> kept = impl_->rule(dataset_id);
  return kept.ok() ? Result<Spent>(spending.at(delta, *kept)) : kept.error();
}

Result<std::optional<BudgetRule>> PrivacyLedger::rule(const std::string& dataset_id) const {
  return impl_->rule(dataset_id);
}

Result<std::vector<Refusal>> PrivacyLedger::refusals(const Charge& charge,
                                                     const Budget& budget) const {
  const Result<Decision> decision = impl_->decide(charge, budget);
  return decision.ok() ? Result<std::vector<Refusal>>(decision->refusals) : decision.error();
}

Result<JobOutlook> PrivacyLedger::outlook(const Charge& charge, const Budget& budget) const {
  SOTTO_TRY(check(charge, budget));
  SOTTO_ASSIGN_OR_RETURN(const Progress progress, impl_->progress(charge));
  SOTTO_ASSIGN_OR_RETURN(const Spending before,
                         impl_->spending(charge.dataset_id, charge.job_hash));
  SOTTO_ASSIGN_OR_RETURN(const std::optional<BudgetRule> kept, impl_->rule(charge.dataset_id));
  Spending after = before;
  SOTTO_TRY(add_rest(charge, progress, after));
  SOTTO_ASSIGN_OR_RETURN(const Decision decision,
                         privacy::decide(before, after, kept, charge, budget));
  return JobOutlook{
      .before = before.at(budget.delta, kept),
      .after = after.at(budget.delta, decision.rule),
      .lost_epsilon = after.repeated().epsilon(budget.job.delta),
      .refusals = decision.refusals,
      .takes_whole_budget = decision.rule && decision.rule->one_job == charge.job_hash};
}

Result<std::vector<LedgerEntry>> PrivacyLedger::entries(const std::string& dataset_id,
                                                        double delta) const {
  SOTTO_TRY(check_delta(delta));
  SOTTO_ASSIGN_OR_RETURN(
      Statement rows,
      impl_->prepare(
          "SELECT run, round, job_hash, when_utc, without_privacy, sampling_rate, "
          "noise_multiplier, steps, mechanism, variance, unknown_noises, squared_sensitivity, "
          "dimension, rounds, input, job_name, unit, examples FROM charges LEFT JOIN "
          "charged_noise ON charge = id WHERE dataset_id = ? ORDER BY id"));
  rows.bind(dataset_id);
  SOTTO_ASSIGN_OR_RETURN(const std::optional<BudgetRule> kept, impl_->rule(dataset_id));
  std::vector<LedgerEntry> out;
  Spending spending;
  while (true) {
    SOTTO_ASSIGN_OR_RETURN(const bool row, rows.step());
    if (!row) return out;
    LedgerEntry entry;
    entry.charge = {.dataset_id = dataset_id,
                    .run = rows.bytes32(0),
                    .round = {static_cast<std::uint64_t>(rows.integer(1))},
                    .job_hash = rows.bytes32(2),
                    .steps = steps_in(rows, 5),
                    .input = rows.bytes32(14),
                    .without_privacy = rows.integer(4) != 0,
                    .noise = noise_in(rows, 8),
                    .job_name = rows.text(15)};
    SOTTO_TRY(read_unit(rows, 16, entry.charge));
    entry.when_utc = rows.text(3);
    if (Status added = spending.add(entry.charge); !added.ok())
      return Error{"ledger: a record is damaged: " + added.error().message};
    const Spent after = spending.at(delta, kept);
    entry.epsilon_after = after.epsilon;
    entry.participant_epsilon_after = after.participant_epsilon;
    out.push_back(std::move(entry));
  }
}

Status PrivacyLedger::record(Charge charge, const Budget& budget) {
  if (!impl_->lock) return Error{"this ledger was opened for reading only"};
  if (impl_->failed) return Error{"the ledger failed before and must be opened again"};
  SOTTO_ASSIGN_OR_RETURN(const bool known, impl_->known(charge));
  if (known)
    return Error{"round " + std::to_string(charge.round.server_round()) + ", attempt " +
                 std::to_string(charge.round.attempt()) + " of this run was already charged for " +
                 charge.dataset_id + ", and an update is never released twice"};
  SOTTO_ASSIGN_OR_RETURN(const bool charged, impl_->charged_before(charge));
  if (charged) {
    charge.steps.reset();
    charge.without_privacy = false;
    charge.noise.reset();
    return impl_->insert_durably(charge, std::nullopt);
  }
  SOTTO_ASSIGN_OR_RETURN(const Decision decision, impl_->decide(charge, budget));
  if (!decision.refusals.empty()) return Error{decision.refusals.front().message};
  return impl_->insert_durably(charge, decision.rule);
}

}  // namespace sotto::privacy
