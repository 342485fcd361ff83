// What members of a simulation lie about: their honest sessions say something, this changes it and
// signs it again.
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"
#include "tests/simulation/world.h"

namespace sotto::simulation {

void World::lie(MemberId member, wire::Envelope& envelope,
                const crypto::SigningKey& signing) const {
  const auto about = [&](const std::map<MemberId, MemberId>& lies) {
    const auto at = lies.find(member);
    return at == lies.end() ? std::nullopt : std::optional(at->second);
  };
  if (auto* m4a = std::get_if<wire::ShareCheck>(&envelope.message))
    if (const auto dealer = about(config_.false_complaints)) {
      const secagg::Cohort members = cohort(envelope.round);
      m4a->bad_dealers = wire::to_bitmap(members.size(), {*members.index_of(*dealer)});
      secagg::sign_share_check(signing, secagg::header_hash(header(envelope.round)), *m4a);
    }
  if (auto* m3 = std::get_if<wire::Shares>(&envelope.message))
    for (wire::ShareEntry& entry : m3->entries) {
      const bool spoils = entry.to == about(config_.bad_ciphertexts);
      const bool commits_wrongly = entry.to == about(config_.bad_shares);
      if (!spoils && !commits_wrongly) continue;
      if (spoils) entry.ciphertext[7] ^= 1;
      if (commits_wrongly) entry.cr[7] ^= 1;
      secagg::sign_share_entry(signing, secagg::header_hash(header(envelope.round)), m3->id, entry);
    }
}

}  // namespace sotto::simulation
