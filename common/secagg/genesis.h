// The genesis of a run: 32 bytes that nobody chose (docs/secure-aggregation.md, 2.1). Members
// commit to random numbers, hear who committed, and reveal; one honest one among them makes the
// result unpredictable to all who committed before. Here are the checks and a member's half;
// coordinator/genesis drives it. No files: the caller makes durable what it is told to.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/crypto/secret.h"
#include "common/crypto/sign.h"
#include "common/secagg/cohort.h"
#include "common/secagg/draw.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

/// Lists that a member reveals for in one run. A restart lets the coordinator choose between one
/// more genesis, so they are counted: 16 restarts cost 4 bits of sigma.
inline constexpr std::uint32_t kMaxGenesisReveals = 17;

/// What everybody in a run knows beforehand.
struct GenesisContext {
  RunId run{};
  Bytes32 roster_hash{};
  std::vector<CohortMember> roster;  // all participants, ascending
  crypto::VerifyKey coordinator{};
  std::uint32_t min_members = 3;  // fewer make no genesis
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
