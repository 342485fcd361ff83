// RandomnessExchange makes the shared randomness of one run at a participant. It combines secagg's
// RandomnessMember with the durable record that precedes every answer (docs/secure-aggregation.md,
// 2.1).
#pragma once

#include <optional>
#include <string>

#include "common/secagg/randomness/shared_randomness.h"
#include "common/wire/messages.h"
#include "participant/protocol/randomness_log.h"

namespace sotto::participant {

class RandomnessExchange {
 public:
  /// `log`, `signing` and `random` outlive the object.
  RandomnessExchange(secagg::RandomnessContext context, MemberId self,
                     const crypto::SigningKey& signing, crypto::SecureRandom& random,
                     RandomnessLog& log);

  struct Outcome {
    std::optional<wire::Message> answer;
    std::optional<secagg::SharedRandomness> shared_randomness;  // set when accepted and durable
    std::string log_line;  // for the site's log; empty: no line
  };

  /// Handles a message for which wire::is_about_shared_randomness() holds. `unix_seconds` is this
  /// site's clock.
  Outcome handle(const wire::Message& message, std::uint64_t unix_seconds);

  /// The value that an earlier process or this one has accepted, if any.
  [[nodiscard]] const std::optional<secagg::SharedRandomness>& known() const {
    return member_.shared_randomness();
  }

 private:
  Outcome on_call(const wire::RandomnessCall& call, std::uint64_t unix_seconds);
  Outcome on_list(const wire::RandomnessList& list, std::uint64_t unix_seconds);
  Outcome on_proof(const wire::RandomnessProof& proof);

  RunId run_;
  std::uint32_t most_a_month_;
  RandomnessLog* log_;
  secagg::RandomnessMember member_;
  bool log_failed_ = false;  // no message is answered any more
};

}  // namespace sotto::participant
