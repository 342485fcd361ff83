// RunGenesis makes the shared randomness of one run at a participant. It combines secagg's
// GenesisMember with the durable record that precedes every answer (docs/secure-aggregation.md,
// 2.1).
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "common/secagg/randomness/genesis.h"
#include "common/wire/messages.h"
#include "participant/protocol/genesis_log.h"

namespace sotto::participant {

class RunGenesis {
 public:
  /// `log`, `signing` and `random` outlive the object.
  RunGenesis(secagg::GenesisContext context, MemberId self, const crypto::SigningKey& signing,
             crypto::SecureRandom& random, GenesisLog& log);

  struct Outcome {
    std::optional<wire::Message> answer;
    std::optional<secagg::Genesis> genesis;  // set when accepted and durable
    std::string note;                        // for the site's log; empty: no line
  };

  /// Handles a message for which wire::is_about_genesis() holds. `unix_seconds` is this site's
  /// clock.
  Outcome handle(const wire::Message& message, std::uint64_t unix_seconds);

  /// The value that an earlier process or this one has accepted, if any.
  [[nodiscard]] const std::optional<secagg::Genesis>& known() const { return member_.genesis(); }

 private:
  Outcome on_call(const wire::GenesisCall& call, std::uint64_t unix_seconds);
  Outcome on_list(const wire::GenesisList& list, std::uint64_t unix_seconds);
  Outcome on_proof(const wire::GenesisProof& proof);

  RunId run_;
  std::uint32_t most_a_month_;
  GenesisLog* log_;
  secagg::GenesisMember member_;
  bool log_failed_ = false;  // no message is answered any more
};

}  // namespace sotto::participant
