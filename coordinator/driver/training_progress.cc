#include "coordinator/driver/training_progress.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "common/job/evaluation_bounds.h"
#include "common/job/saved_model.h"
#include "coordinator/driver/job_terms.h"
#include "coordinator/driver/round_plan.h"

namespace sotto::coordinator {

namespace {

constexpr std::string_view kRoundFolder = "round-";

std::string folder_of_round(std::uint64_t round) {
  return fmt::format("{}{:06}", kRoundFolder, round);
}

/// Returns the round whose folder has this name; nothing for other names.
std::optional<std::uint64_t> round_of_folder(std::string_view name) {
  if (!name.starts_with(kRoundFolder)) return std::nullopt;
  std::uint64_t round = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kRoundFolder.size(), end, round);
  return error == std::errc() && stop == end ? std::optional(round) : std::nullopt;
}

}  // namespace

TrainingProgress::TrainingProgress(const config::JobConfig& job, RunFolder& folder,
                                   std::uint32_t keep)
    : job_(job), folder_(folder), keep_(keep), epsilon_(public_epsilon(job)), stopping_(job) {}

bool TrainingProgress::complete() const {
  return folder_.checkpoint.finished_rounds > job_.rounds.num_server_rounds;
}

std::uint64_t TrainingProgress::trained_rounds() const {
  const Checkpoint& c = folder_.checkpoint;
  if (c.early_end) return c.early_end->trained_rounds;
  return std::min<std::uint64_t>(c.finished_rounds, job_.rounds.num_server_rounds);
}

std::optional<double> TrainingProgress::epsilon() const {
  // For a run that an older version began, the first rounds are not in the account.
  const std::uint64_t attempts = std::max(folder_.charged_attempts(), trained_rounds());
  const bool over = folder_.checkpoint.finished_rounds >= job_.rounds.num_server_rounds;
  if (!known_ || known_->attempts != attempts || known_->over != over)
    known_ = {.attempts = attempts, .over = over, .epsilon = epsilon_.after(attempts, over)};
  return known_->epsilon;
}

std::string TrainingProgress::early_end() const {
  return folder_.checkpoint.early_end ? folder_.checkpoint.early_end->reason : "";
}

void TrainingProgress::accept(RoundNumber round, const RoundOutcome& outcome, RoundRecord& record) {
  Checkpoint& c = folder_.checkpoint;
  const encoding::DecodedSum& sum = outcome.sum.value();
  read_evaluation(sum.metrics, record);
  if (evaluation_ && stopping_.improves(*evaluation_, record.evaluated_round, c.best) && keep_ > 0)
    keep_model("best",
               {.rounds = record.evaluated_round, .evaluation = evaluation_, .epsilon = epsilon()});
  if (outcome.published) folder_.publish(*outcome.published, sum.sum);
  if (!record.closing_evaluation) {
    c.model.values = encoding::step_by_mean(c.optimizer, std::move(c.model.values), sum);
    if (keep_ > 0)
      keep_model(folder_of_round(round.server_round()),
                 {.rounds = round.server_round(), .epsilon = epsilon()});
  }
  c.finished_rounds = round.server_round();
  c.wall_s = record.wall_s;
  if (!record.closing_evaluation && !complete())
    if (auto why = stopping_.after_round(evaluation_, record.evaluated_round, c.best, c.wall_s))
      c.early_end = EarlyEnd{.trained_rounds = trained_rounds(), .reason = std::move(*why)};
  if (c.early_end && !record.closing_evaluation) c.finished_rounds = job_.rounds.num_server_rounds;
  record.epsilon = epsilon();
  folder_.metrics.append(record);
  // The result is durable before any message about it is sent (docs/secure-aggregation.md, 2.7,
  // rule 1).
  folder_.finish_attempt();
  drop_old_models();
}

void TrainingProgress::read_evaluation(const std::vector<std::uint64_t>& metrics,
                                       RoundRecord& record) {
  auto read = job::read_counters(job_, metrics, record.declared_evaluation_examples);
  evaluation_.reset();
  if (read.ok())
    evaluation_ = std::move(read).value();
  else
    record.no_evaluation = read.error().message;
  record.evaluation = evaluation_;
  record.evaluated_round = trained_rounds();
}

void TrainingProgress::lose(wire::RoundStatus how, RoundRecord& record) {
  record.epsilon = epsilon();
  folder_.metrics.append(record);
  folder_.drop_attempt();
  // The counters of an aborted attempt were not opened, and a closing evaluation needs them.
  if (record.closing_evaluation && how == wire::RoundStatus::kAborted)
    folder_.count_again(record.server_round);
}

bool TrainingProgress::only_closing_evaluation_is_left() const {
  return folder_.checkpoint.finished_rounds == job_.rounds.num_server_rounds;
}

bool TrainingProgress::closing_evaluation_is_lost() {
  if (!only_closing_evaluation_is_left() || !folder_.was_counted(job_.rounds.num_server_rounds + 1))
    return false;
  end_without_closing_evaluation(
      "its sum was certified and then lost, and no member releases the same counters twice");
  return true;
}

void TrainingProgress::end_without_closing_evaluation(const std::string& why) {
  Checkpoint& c = folder_.checkpoint;
  EarlyEnd end = c.early_end.value_or(EarlyEnd{.trained_rounds = trained_rounds()});
  end.reason +=
      std::string(end.reason.empty() ? "" : "; ") + "there is no closing evaluation: " + why;
  c.early_end = std::move(end);
  c.finished_rounds = job_.rounds.num_server_rounds + 1;
  evaluation_.reset();
  folder_.finish_attempt();
}

void TrainingProgress::end_early(const std::string& reason) {
  Checkpoint& c = folder_.checkpoint;
  if (c.finished_rounds >= job_.rounds.num_server_rounds) return;
  c.early_end = EarlyEnd{.trained_rounds = trained_rounds(), .reason = reason};
  c.finished_rounds = job_.rounds.num_server_rounds;
  folder_.finish_attempt();
}

void TrainingProgress::keep_model(const std::string& name, const job::RunFacts& facts) const {
  const auto place = folder_.path() / "checkpoints" / name;
  if (Status s = job::save_model(place, job_, folder_.checkpoint.model, facts); !s.ok())
    throw StartupError(folder_.cannot_write(s.error().message));
}

void TrainingProgress::drop_old_models() const {
  const std::uint64_t last = trained_rounds();
  if (keep_ == 0 || last <= keep_) return;
  // All older folders, so that one that could not be removed is tried again after the next round.
  std::error_code failed;
  std::vector<std::filesystem::path> folders;
  for (std::filesystem::directory_iterator at(folder_.path() / "checkpoints", failed), end;
       !failed && at != end; at.increment(failed))
    folders.push_back(at->path());
  for (const std::filesystem::path& folder : folders)
    if (const auto round = round_of_folder(folder.filename().string());
        round && *round <= last - keep_)
      std::filesystem::remove_all(folder, failed);
}

}  // namespace sotto::coordinator
