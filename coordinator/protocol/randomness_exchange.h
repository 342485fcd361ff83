// RandomnessExchange makes the shared randomness of a run at the coordinator
// (docs/secure-aggregation.md, 2.1): it asks for commitments, publishes their list, collects the
// reveals and distributes the result. It does no I/O except for one file, `genesis.bin` in the run
// folder. The proof is written to that file before any member receives it, so that a restarted
// coordinator never makes a second one. One thread.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/crypto/secure_random.h"
#include "common/crypto/sign.h"
#include "common/secagg/randomness/shared_randomness.h"
#include "common/wire/messages.h"

namespace sotto::coordinator {

struct RandomnessOutput {
  std::vector<wire::Envelope> send;
  std::vector<std::string> log_lines;
  std::vector<MemberId> silent;  // members that committed and did not reveal
  std::vector<std::pair<MemberId, std::string>> violations;
  std::optional<std::string> failed;  // why the run cannot continue
};

class RandomnessExchange {
 public:
  /// `signing` and `random` outlive the object. `phase` is how long it waits for the commitments,
  /// and again for the reveals.
  RandomnessExchange(secagg::RandomnessContext context, std::filesystem::path file, Duration phase,
                     const crypto::SigningKey& signing, crypto::SecureRandom& random);

  /// Reads the proof that an earlier process made, if there is one. An Error when the file is
  /// damaged or belongs to another run.
  Status load();

  [[nodiscard]] const std::optional<secagg::SharedRandomness>& shared_randomness() const {
    return shared_randomness_;
  }

  /// Begins with these members, in ascending order. Does nothing while an attempt is under way or
  /// when the shared randomness exists.
  RandomnessOutput start(std::vector<MemberId> active, TimePoint now);
  RandomnessOutput handle(MemberId from, const wire::Message& message, TimePoint now);
  /// The member has connected, for the first time or again: sends it the newest message that
  /// concerns it.
  RandomnessOutput connected(MemberId member) const;
  RandomnessOutput tick(TimePoint now);

 private:
  struct Attempt {
    Bytes32 name{};
    std::vector<MemberId> active;
    std::map<MemberId, wire::RandomnessEntry> entries;
    std::optional<wire::RandomnessList> list;  // fixed once; the reveals are awaited from then on
    Bytes32 digest{};                          // of the list
    std::map<MemberId, wire::RandomnessReveal> reveals;
    TimePoint deadline;
  };

  void begin(std::vector<MemberId> active, TimePoint now, RandomnessOutput& out);
  void on_commit(MemberId from, const wire::RandomnessCommit& g1, TimePoint now,
                 RandomnessOutput& out);
  void on_reveal(MemberId from, const wire::RandomnessReveal& g3, RandomnessOutput& out);
  void publish_list(TimePoint now, RandomnessOutput& out);
  void restart_without_silent(TimePoint now, RandomnessOutput& out);
  void complete(RandomnessOutput& out);

  secagg::RandomnessContext context_;
  std::filesystem::path file_;
  Duration phase_;
  const crypto::SigningKey* signing_;
  crypto::SecureRandom* random_;
  std::uint32_t lists_ = 0;
  std::optional<Attempt> attempt_;
  std::optional<wire::RandomnessProof> proof_;
  std::optional<secagg::SharedRandomness> shared_randomness_;
};

}  // namespace sotto::coordinator
