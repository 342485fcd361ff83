#include "coordinator/driver/run_folder.h"

#include <algorithm>
#include <utility>

#include "common/job/plan.h"
#include "coordinator/driver/job_terms.h"
#include "coordinator/driver/round_plan.h"

namespace sotto::coordinator {

namespace {

constexpr Duration kLongestWait{1000};

}  // namespace

RunFolder::RunFolder(std::filesystem::path folder, const config::JobConfig& job,
                     FlatParameters model, crypto::SecureRandom& random)
    : path_(std::move(folder)) {
  OpenedRun run = open_run(
      path_, {.job_hash = job.hash, .model = std::move(model), .optimizer = job.server_optimizer},
      random);
  store_.emplace(std::move(run.store));
  checkpoint = std::move(run.checkpoint);
  resumed_ = run.resumed;
  counted_round_ = store_->counted_round().or_stop();
  training_rounds_ = job.rounds.num_server_rounds;
  sums_have_noise_ = job.distributed_privacy.enabled;
  at_start_ = {.finished_rounds = checkpoint.finished_rounds, .wall_s = checkpoint.wall_s};
  write_resolved_job(job, path_);
  metrics.open(path_ / "metrics.jsonl", checkpoint.finished_rounds);
  noise_account_ = open_noise_account(job, checkpoint.model.values.size(), path_);
  standing_pause.open(path_);
  exclusions = Exclusions::open(path_ / "exclusions.json").or_stop();
  if (job.secure_aggregation.model_lineage) open_sums(job);
  RoundJournal::Opened opened = RoundJournal::open(path_).or_stop();
  journal_.emplace(std::move(opened.journal));
  unfinished_ = std::move(opened.unfinished);
  if (!unfinished_) return;
  if (unfinished_->begun.run != checkpoint.run)
    throw StartupError((path_ / "round.log").string() +
                       " belongs to another run than checkpoint.bin");
  if (unfinished_->begun.round.server_round() != checkpoint.finished_rounds + 1)
    unfinished_.reset();  // its result is in the checkpoint
}

void RunFolder::open_sums(const config::JobConfig& job) {
  const std::uint64_t rounds =
      checkpoint.early_end
          ? checkpoint.early_end->trained_rounds
          : std::min<std::uint64_t>(checkpoint.finished_rounds, job.rounds.num_server_rounds);
  sums_ = std::make_shared<PublishedSums>(
      PublishedSums::open(path_ / "sums", checkpoint.run, rounds).or_stop());
}

void RunFolder::publish(const secagg::PublishedSum& head, const encoding::RingUpdate& sum) {
  must(sums_->keep(head, sum));
}

std::string RunFolder::cannot_write(const std::string& why) const {
  return why + ". Nothing is lost: free space or repair the disk under " + path_.string() +
         ", and the same command continues this round";
}

void RunFolder::must(const Status& written) const {
  if (!written.ok()) throw StartupError(cannot_write(written.error().message));
}

std::optional<UnfinishedAttempt> RunFolder::take_unfinished() {
  // An earlier process may have ended after it wrote the journal and before it saved the number.
  if (unfinished_) must(store_->save_offered(unfinished_->begun.round));
  return std::exchange(unfinished_, std::nullopt);
}

Result<RoundNumber> RunFolder::next_attempt() const {
  SOTTO_ASSIGN_OR_RETURN(const auto last, store_->last_offered());
  return coordinator::next_attempt(last, checkpoint.finished_rounds + 1);
}

void RunFolder::begin_attempt(const AttemptBegun& attempt) {
  must(journal_->begin(attempt));
  waiting_since_.reset();
  // The number is saved outside the journal as well, so that it is never offered twice.
  must(store_->save_offered(attempt.round));
}

void RunFolder::enter_phase(Phase phase, RoundNumber round,
                            const std::optional<encoding::NoisyEncoding>& noise) {
  if (phase == Phase::kUpload && noise_account_ && round.server_round() <= training_rounds_)
    must(noise_account_->charge(
        round, noise ? std::optional(noise->round) : std::optional<privacy::NoisyRounds>()));
  if (phase != Phase::kEndorse || was_counted(round.server_round())) return;
  must(store_->save_counted(round.server_round()));
  counted_round_ = round.server_round();
}

void RunFolder::count_again(std::uint64_t server_round) {
  if (counted_round_ != server_round) return;
  must(store_->save_counted(0));
  counted_round_ = 0;
}

void RunFolder::keep(const std::vector<RoundFact>& facts, bool decided) {
  journal_->append(facts);
  if (!decided) return;
  must(journal_->commit());
  waiting_since_.reset();
}

void RunFolder::commit_waiting(TimePoint now) {
  if (!journal_->has_uncommitted()) return;
  if (!waiting_since_) waiting_since_ = now;
  if (now - *waiting_since_ >= kLongestWait) keep({}, true);
}

std::optional<double> RunFolder::participant_epsilon(double delta) const {
  if (!noise_account_ || !sums_have_noise_) return std::nullopt;
  return noise_account_->epsilon(delta);
}

void RunFolder::finish_attempt() {
  must(store_->save(checkpoint));
  drop_attempt();
}

void RunFolder::drop_attempt() {
  must(journal_->end());
  waiting_since_.reset();
}

}  // namespace sotto::coordinator
