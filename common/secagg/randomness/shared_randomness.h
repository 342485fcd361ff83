// The shared randomness of a run: 32 bytes that no party chose
// (docs/secure-aggregation.md, 2.1). Members commit to random numbers, receive the list of
// commitments, and reveal. One honest member among them makes the result unpredictable to all who
// committed before. This file has the checks and a member's part;
// coordinator/protocol/randomness_exchange runs the exchange. No files: the caller makes durable
// what the functions ask for.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/crypto/secret.h"
#include "common/crypto/sign.h"
#include "common/secagg/randomness/draw.h"
#include "common/secagg/shared/cohort.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

/// Returns the number of lists for which a member reveals in one run in which `colluders` of its
/// members may collude: max(17, C + 1). The lists are counted because each list that gives no
/// result gives the coordinator one more value to choose from. C members that commit and do not
/// reveal, one after the other, can spoil C lists, so with a smaller number they would end every
/// run. docs/secure-aggregation.md, 2.1, states the cost.
std::uint32_t most_reveals(std::uint32_t colluders);

/// Returns the number for all runs of a member in any 30 days together: max(1024, 4 (C + 1)). It
/// exists because the coordinator may begin as many runs as it likes.
std::uint32_t most_reveals_a_month(std::uint32_t colluders);

/// The values that every party of a run knows beforehand.
struct RandomnessContext {
  RunId run{};
  Bytes32 roster_hash{};
  std::vector<CohortMember> roster;  // all participants, ascending
  crypto::VerifyKey coordinator{};
  std::uint32_t min_members = 3;  // fewest members that contribute
  std::uint32_t colluders = 1;    // the job's C: members that may commit and not reveal
};

/// Returns c = H("SA1 gen", run || id || r).
Bytes32 randomness_commitment(const RunId& run, MemberId id, std::span<const std::uint8_t, 32> r);
/// Returns H("SA1 genl", run || roster hash || u32 count || id and commitment of each, ascending).
Bytes32 randomness_digest(const RunId& run, const Bytes32& roster_hash,
                          const std::vector<wire::RandomnessEntry>& entries);

/// Checks the whole proof: the ids are in the roster, ascending and enough; every commitment and
/// reveal is signed; all reveals are over the digest of this list, and each opens its commitment.
/// Returns the shared randomness.
Result<SharedRandomness> check_randomness_proof(const RandomnessContext& context,
                                                const wire::RandomnessProof& proof);

/// The part of a member's durable record that is about one run.
struct RandomnessMemory {
  std::uint32_t reveals = 0;
  std::optional<SharedRandomness> shared_randomness;
};

class RandomnessMember {
 public:
  /// `signing` and `random` outlive the object.
  RandomnessMember(RandomnessContext context, MemberId self, const crypto::SigningKey& signing,
                   crypto::SecureRandom& random, RandomnessMemory memory);

  /// Returns G1: the same for the same attempt, a new one for another attempt. Errors: the run has
  /// shared randomness already, or this member has revealed most_reveals() times.
  Result<wire::RandomnessCommit> commit(const wire::RandomnessCall& call);

  /// Answers G2 with G3, for one list per commitment. Before the first answer to a list is sent,
  /// the caller makes durable that this run has one more reveal.
  struct Reveal {
    wire::RandomnessReveal message;
    bool first = false;  // not a repetition
  };

  Result<Reveal> reveal(const wire::RandomnessList& list);

  /// Takes G4 and returns the shared randomness when the proof is sound and this member is in it.
  /// The caller makes it durable before it is used. Error: another one was accepted before.
  Result<SharedRandomness> accept(const wire::RandomnessProof& proof);

  [[nodiscard]] const std::optional<SharedRandomness>& shared_randomness() const {
    return memory_.shared_randomness;
  }

 private:
  struct Attempt {
    Bytes32 name{};
    crypto::Secret32 r;
    wire::RandomnessCommit commit;
    std::optional<wire::RandomnessReveal> reveal;
  };

  RandomnessContext context_;
  MemberId self_;
  const crypto::SigningKey* signing_;
  crypto::SecureRandom* random_;
  RandomnessMemory memory_;
  std::optional<Attempt> attempt_;
};

}  // namespace sotto::secagg
