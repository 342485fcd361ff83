// The genesis of a run: 32 bytes that nobody chose (docs/secure-aggregation.md, 2.1). Members
// commit to random numbers, hear who committed, and reveal; one honest one among them makes the
// result unpredictable to all who committed before. Here are the checks and a member's half;
// coordinator/protocol/genesis drives it. No files: the caller makes durable what it is told to.
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

/// Lists that a member reveals for in one run in which `colluders` of its members may collude:
/// max(17, C + 1). Each list that comes to nothing lets the coordinator choose between one genesis
/// more, so they are counted; C members that commit and are then silent, one after the other, make
/// C of them come to nothing, so with fewer they would end every run. What it costs is said in the
/// document.
std::uint32_t most_reveals(std::uint32_t colluders);

/// And in all its runs of any 30 days together: max(1024, 4 (C + 1)). Runs are free for the
/// coordinator to begin.
std::uint32_t most_reveals_a_month(std::uint32_t colluders);

/// What everybody in a run knows beforehand.
struct GenesisContext {
  RunId run{};
  Bytes32 roster_hash{};
  std::vector<CohortMember> roster;  // all participants, ascending
  crypto::VerifyKey coordinator{};
  std::uint32_t min_members = 3;  // fewer make no genesis
  std::uint32_t colluders = 1;    // the job's C: how many may commit and be silent
};

/// c = H("SA1 gen", run || id || r).
Bytes32 genesis_commitment(const RunId& run, MemberId id, std::span<const std::uint8_t, 32> r);
/// H("SA1 genl", run || roster hash || u32 count || id and commitment of each, ascending).
Bytes32 genesis_digest(const RunId& run, const Bytes32& roster_hash,
                       const std::vector<wire::GenesisEntry>& entries);

/// All of it: ids of the roster, ascending, enough of them; every commitment and reveal signed, all
/// reveals over the digest of this very list, each opening its commitment.
Result<Genesis> check_genesis(const GenesisContext& context, const wire::GenesisProof& proof);

/// Of one run, from the member's durable record.
struct GenesisMemory {
  std::uint32_t reveals = 0;
  std::optional<Genesis> genesis;
};

class GenesisMember {
 public:
  /// `signing` and `random` outlive it.
  GenesisMember(GenesisContext context, MemberId self, const crypto::SigningKey& signing,
                crypto::SecureRandom& random, GenesisMemory memory);

  /// G1: the same for the same attempt, a fresh one for another. An Error when the run has a
  /// genesis or this member has revealed often enough.
  Result<wire::GenesisCommit> commit(const wire::GenesisCall& call);

  /// G2 -> G3, once a commitment. Before a first answer to this list leaves, the caller makes
  /// durable that this run has one reveal more.
  struct Reveal {
    wire::GenesisReveal message;
    bool first = false;  // not a repetition
  };

  Result<Reveal> reveal(const wire::GenesisList& list);

  /// G4. The genesis, when it is sound and this member is in it; the caller makes it durable before
  /// it is used. A second one is an Error.
  Result<Genesis> accept(const wire::GenesisProof& proof);

  [[nodiscard]] const std::optional<Genesis>& genesis() const { return memory_.genesis; }

 private:
  struct Attempt {
    Bytes32 name{};
    crypto::Secret32 r;
    wire::GenesisCommit commit;
    std::optional<wire::GenesisReveal> reveal;
  };

  GenesisContext context_;
  MemberId self_;
  const crypto::SigningKey* signing_;
  crypto::SecureRandom* random_;
  GenesisMemory memory_;
  std::optional<Attempt> attempt_;
};

}  // namespace sotto::secagg
