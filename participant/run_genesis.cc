#include "participant/run_genesis.h"

namespace sotto::participant {

RunGenesis::RunGenesis(secagg::GenesisContext context, MemberId self,
                       const crypto::SigningKey& signing, crypto::SecureRandom& random,
                       GenesisLog& log)
    : run_(context.run),
      log_(&log),
      member_(std::move(context), self, signing, random, log.memory(run_)) {}

RunGenesis::Outcome RunGenesis::handle(const wire::Message& message) {
  if (log_failed_) return {.note = "the record of geneses failed: nothing is answered"};
  if (const auto* call = std::get_if<wire::GenesisCall>(&message)) {
    auto commit = member_.commit(*call);
    if (!commit.ok()) return {.note = commit.error().message};
    return {.answer = std::move(commit).value()};
  }
  if (const auto* list = std::get_if<wire::GenesisList>(&message)) return on_list(*list);
  if (const auto* proof = std::get_if<wire::GenesisProof>(&message)) return on_proof(*proof);
  return {.note = "a message about the genesis that is not for a participant; ignored"};
}

RunGenesis::Outcome RunGenesis::on_list(const wire::GenesisList& list) {
  auto reveal = member_.reveal(list);
  if (!reveal.ok()) return {.note = reveal.error().message};
  if (reveal->first)
    if (Status counted = log_->revealed(run_); !counted.ok()) {
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
