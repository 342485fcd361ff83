#include "participant/protocol/randomness_exchange.h"

#include <algorithm>
#include <string>

namespace sotto::participant {

namespace {

constexpr std::uint64_t kMonthSeconds = std::uint64_t{30} * 24 * 3600;

}  // namespace

RandomnessExchange::RandomnessExchange(secagg::RandomnessContext context, MemberId self,
                                       const crypto::SigningKey& signing,
                                       crypto::SecureRandom& random, RandomnessLog& log)
    : run_(context.run),
      most_a_month_(secagg::most_reveals_a_month(context.colluders)),
      log_(&log),
      member_(std::move(context), self, signing, random, log.memory(run_)) {}

RandomnessExchange::Outcome RandomnessExchange::handle(const wire::Message& message,
                                                       std::uint64_t unix_seconds) {
  if (log_failed_)
    return {.log_line =
                "the record of shared randomness failed, so that this site answers nothing"};
  if (const auto* call = std::get_if<wire::RandomnessCall>(&message))
    return on_call(*call, unix_seconds);
  if (const auto* list = std::get_if<wire::RandomnessList>(&message))
    return on_list(*list, unix_seconds);
  if (const auto* proof = std::get_if<wire::RandomnessProof>(&message)) return on_proof(*proof);
  return {.log_line =
              "a message about the shared randomness is not for a participant; the message was "
              "ignored"};
}

RandomnessExchange::Outcome RandomnessExchange::on_call(const wire::RandomnessCall& call,
                                                        std::uint64_t unix_seconds) {
  const std::uint64_t month_ago = unix_seconds - std::min(unix_seconds, kMonthSeconds);
  if (log_->reveals_since(month_ago) >= most_a_month_)
    return {.log_line =
                "this site has revealed for " + std::to_string(most_a_month_) +
                " lists in 30 days, which is the limit; the coordinator begins too many runs"};
  auto commit = member_.commit(call);
  if (!commit.ok()) return {.log_line = commit.error().message};
  return {.answer = std::move(commit).value()};
}

RandomnessExchange::Outcome RandomnessExchange::on_list(const wire::RandomnessList& list,
                                                        std::uint64_t unix_seconds) {
  auto reveal = member_.reveal(list);
  if (!reveal.ok()) return {.log_line = reveal.error().message};
  if (reveal->first)
    if (Status counted = log_->revealed(run_, unix_seconds); !counted.ok()) {
      log_failed_ = true;
      return {.log_line = "the reveal cannot be recorded and is therefore not sent: " +
                          counted.error().message};
    }
  return {.answer = reveal->message};
}

RandomnessExchange::Outcome RandomnessExchange::on_proof(const wire::RandomnessProof& proof) {
  const bool repeated = member_.shared_randomness().has_value();
  auto shared_randomness = member_.accept(proof);
  if (!shared_randomness.ok()) return {.log_line = shared_randomness.error().message};
  if (Status kept = log_->keep(run_, *shared_randomness); !kept.ok())
    return {.log_line = "the shared randomness cannot be recorded and is therefore not used: " +
                        kept.error().message};
  Outcome out{.shared_randomness = *shared_randomness};
  if (!repeated)
    out.log_line = std::to_string(shared_randomness->members.size()) +
                   " members generated the shared randomness of the run, including this one";
  return out;
}

}  // namespace sotto::participant
