// What a job means for the protocol: the same functions at the coordinator and at the participants,
// so that both sides expect the same lanes, counters and rounds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/encoding/quantizer.h"
#include "common/secagg/shared/cohort.h"
#include "common/secagg/shared/graph.h"

namespace sotto::run {

/// The counts that every participant adds up over its declared evaluation split, in order:
/// "examples", "correct", "loss_milli" (sum of losses in thousandths), then per label "tp:L",
/// "fp:L", "fn:L". For language modeling the predicted tokens take the place of the examples:
/// "tokens", "correct" (the likeliest token was the right one), "loss_milli". For token
/// classification "words", "correct" (the tag was the right one), "loss_milli", and per label the
/// same three of entities, whose words must all be right. Only their sums over the survivors are
/// ever seen. How large they can be: evaluation_bounds.h.
std::vector<std::string> metric_names(const config::JobConfig& job);

/// How well entities are found. 0 where nothing was said or nothing was there.
struct EntityScore {
  double precision = 0, recall = 0, f1 = 0;
  std::uint64_t support = 0;  // entities that are there
};

/// The report of token classification: of each label in the job's order, and three averages: micro
/// over all entities, macro over the labels, weighted over the labels by their support.
struct EntityReport {
  std::vector<std::pair<std::string, EntityScore>> labels;
  EntityScore micro, macro, weighted;
};

/// What people read from the sums.
struct Evaluation {
  std::uint64_t examples = 0;  // language modeling: tokens; token classification: words
  double accuracy = 0;
  double loss = 0;  // mean over the examples
  double macro_f1 = 0;
  double perplexity = 0;                   // language modeling alone: e to the loss
  std::optional<EntityReport> entities{};  // token classification alone; its macro F1 is above too
};

/// `sums` in the order of metric_names(). Zero everywhere when no example was evaluated.
Evaluation summarise(const config::JobConfig& job, const std::vector<std::uint64_t>& sums);

/// Without the noise of a round, on the update or on the counters: secagg::round_encoding adds it.
codec::EncodingSpec encoding_of(const config::JobConfig& job);

/// Server rounds 1..num_server_rounds train; the one after evaluates the final model and carries
/// counters only.
bool is_closing_evaluation(const config::JobConfig& job, RoundNumber round);

/// When the graph is circulant, and how many dropouts it is made for.
secagg::GraphRules graph_rules(const config::JobConfig& job);

/// Members that a round is drawn of (0: of all who made the genesis), when the rounds of this job
/// are drawn in a federation of so many participants; else nothing, and no genesis is needed.
std::optional<std::uint32_t> drawn_cohort_size(const config::JobConfig& job,
                                               std::size_t participants);

/// Ids and signing keys of the roster's participants, ascending.
std::vector<secagg::CohortMember> signers(const config::Roster& roster);

}  // namespace sotto::run
