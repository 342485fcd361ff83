// The genesis of a run at the coordinator (docs/secure-aggregation.md, 2.1): asks for commitments,
// publishes their list, collects the reveals, and hands out what it became. Sans-I/O but for one
// file, `genesis.bin` in the run folder: the proof is in it before any member gets it, so that a
// restarted coordinator never makes a second one. One thread.
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
#include "common/secagg/randomness/genesis.h"
#include "common/wire/messages.h"

namespace sotto::coordinator {

struct GenesisOutput {
  std::vector<wire::Envelope> send;
  std::vector<std::string> notes;
  std::vector<MemberId> silent;  // committed and did not reveal
  std::vector<std::pair<MemberId, std::string>> misdeeds;
  std::optional<std::string> failed;  // the run cannot go on
};

class RunGenesis {
 public:
  /// `signing` and `random` outlive it. `phase`: how long commitments, and then reveals, are waited
  /// for.
  RunGenesis(secagg::GenesisContext context, std::filesystem::path file, Duration phase,
             const crypto::SigningKey& signing, crypto::SecureRandom& random);

  /// What an earlier process made. An Error when the file is damaged or of another run.
  Status load();

  [[nodiscard]] const std::optional<secagg::Genesis>& genesis() const { return genesis_; }

  /// Begins with these members, ascending; does nothing while it is under way.
  GenesisOutput start(std::vector<MemberId> active, TimePoint now);
  GenesisOutput handle(MemberId from, const wire::Message& message, TimePoint now);
  /// The member is there (again): the last thing that was said to it.
  GenesisOutput connected(MemberId member) const;
  GenesisOutput tick(TimePoint now);

 private:
  struct Attempt {
    Bytes32 name{};
    std::vector<MemberId> active;
    std::map<MemberId, wire::GenesisEntry> entries;
    std::optional<wire::GenesisList> list;  // fixed once: then reveals are waited for
    Bytes32 digest{};                       // of the list
    std::map<MemberId, wire::GenesisReveal> reveals;
    TimePoint deadline;
  };

  void begin(std::vector<MemberId> active, TimePoint now, GenesisOutput& out);
  void on_commit(MemberId from, const wire::GenesisCommit& g1, TimePoint now, GenesisOutput& out);
  void on_reveal(MemberId from, const wire::GenesisReveal& g3, GenesisOutput& out);
  void publish_list(TimePoint now, GenesisOutput& out);
  void restart_without_silent(TimePoint now, GenesisOutput& out);
  void complete(GenesisOutput& out);

  secagg::GenesisContext context_;
  std::filesystem::path file_;
  Duration phase_;
  const crypto::SigningKey* signing_;
  crypto::SecureRandom* random_;
  std::uint32_t lists_ = 0;
  std::optional<Attempt> attempt_;
  std::optional<wire::GenesisProof> proof_;
  std::optional<secagg::Genesis> genesis_;
};

}  // namespace sotto::coordinator
