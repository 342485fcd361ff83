#include "participant/protocol/run_genesis.h"

#include <algorithm>
#include <string>

namespace sotto::participant {

namespace {

constexpr std::uint64_t kMonthSeconds = std::uint64_t{30} * 24 * 3600;

}  // namespace

RunGenesis::RunGenesis(secagg::GenesisContext context, MemberId self,
                       const crypto::SigningKey& signing, crypto::SecureRandom& random,
                       GenesisLog& log)
    : run_(context.run),
      most_a_month_(secagg::most_reveals_a_month(context.colluders)),
      log_(&log),
      member_(std::move(context), self, signing, random, log.memory(run_)) {}

RunGenesis::Outcome RunGenesis::handle(const wire::Message& message, std::uint64_t unix_seconds) {
  if (log_failed_) return {.note = "the record of geneses failed: nothing is answered"};
  if (const auto* call = std::get_if<wire::GenesisCall>(&message))
    return on_call(*call, unix_seconds);
  if (const auto* list = std::get_if<wire::GenesisList>(&message))
    return on_list(*list, unix_seconds);
  if (const auto* proof = std::get_if<wire::GenesisProof>(&message)) return on_proof(*proof);
  return {.note = "a message about the genesis that is not for a participant; ignored"};
}

RunGenesis::Outcome RunGenesis::on_call(const wire::GenesisCall& call, std::uint64_t unix_seconds) {
  const std::uint64_t month_ago = unix_seconds - std::min(unix_seconds, kMonthSeconds);
  if (log_->reveals_since(month_ago) >= most_a_month_)
    return {.note = "this site has revealed for " + std::to_string(most_a_month_) +
                    " lists in 30 days, the most it does: the coordinator begins too many runs"};
  auto commit = member_.commit(call);
  if (!commit.ok()) return {.note = commit.error().message};
  return {.answer = std::move(commit).value()};
}

RunGenesis::Outcome RunGenesis::on_list(const wire::GenesisList& list, std::uint64_t unix_seconds) {
  auto reveal = member_.reveal(list);
  if (!reveal.ok()) return {.note = reveal.error().message};
  if (reveal->first)
    if (Status counted = log_->revealed(run_, unix_seconds); !counted.ok()) {
      log_failed_ = true;
      return {.note =
                  "the reveal cannot be recorded, so it is not sent: " + counted.error().message};
    }
  return {.answer = reveal->message};
}

RunGenesis::Outcome RunGenesis::on_proof(const wire::GenesisProof& proof) {
  const bool repeated = member_.genesis().has_value();
  auto genesis = member_.accept(proof);
  if (!genesis.ok()) return {.note = genesis.error().message};
  if (Status kept = log_->keep(run_, *genesis); !kept.ok())
    return {.note = "the genesis cannot be recorded, so it is not used: " + kept.error().message};
  Outcome out{.genesis = *genesis};
  if (!repeated)
    out.note = "the run's genesis is made by " + std::to_string(genesis->members.size()) +
               " members, this one among them";
  return out;
}

}  // namespace sotto::participant
