#include "common/secagg/randomness/shared_randomness.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/crypto/hash.h"
#include "common/secagg/shared/transcript.h"

namespace sotto::secagg {
namespace {

Error refused(const std::string& why) {
  return Error{"shared randomness rejected: " + why};
}

std::string name_of(MemberId id) {
  return "member " + std::to_string(raw(id));
}

const CohortMember* find(const std::vector<CohortMember>& roster, MemberId id) {
  const auto at = std::ranges::lower_bound(roster, id, {}, &CohortMember::id);
  return at != roster.end() && at->id == id ? &*at : nullptr;
}

Status check_entries(const RandomnessContext& context,
                     const std::vector<wire::RandomnessEntry>& entries) {
  if (entries.size() < context.min_members)
    return refused(std::to_string(entries.size()) + " members, at least " +
                   std::to_string(context.min_members) + " are needed");
  const wire::RandomnessEntry* previous = nullptr;
  for (const wire::RandomnessEntry& entry : entries) {
    if (previous && previous->id >= entry.id) return refused("its members are not in order");
    const CohortMember* member = find(context.roster, entry.id);
    if (!member) return refused(name_of(entry.id) + " is not in the roster");
    if (!verify_randomness_entry(member->verify_key, context.run, entry))
      return refused("the commitment of " + name_of(entry.id) + " is not signed by it");
    previous = &entry;
  }
  return {};
}

const wire::RandomnessEntry* find(const std::vector<wire::RandomnessEntry>& entries, MemberId id) {
  const auto at = std::ranges::find(entries, id, &wire::RandomnessEntry::id);
  return at == entries.end() ? nullptr : &*at;
}

constexpr std::uint32_t kFewestReveals = 17, kFewestRevealsAMonth = 1024;

}  // namespace

std::uint32_t most_reveals(std::uint32_t colluders) {
  return std::max(kFewestReveals, colluders + 1);
}

std::uint32_t most_reveals_a_month(std::uint32_t colluders) {
  return std::max(kFewestRevealsAMonth, 4 * (colluders + 1));
}

Bytes32 randomness_commitment(const RunId& run, MemberId id, std::span<const std::uint8_t, 32> r) {
  ByteWriter who;
  who.u32(raw(id));
  return crypto::hash("SA1 gen", {run, who.view(), r});
}

Bytes32 randomness_digest(const RunId& run, const Bytes32& roster_hash,
                          const std::vector<wire::RandomnessEntry>& entries) {
  ByteWriter list;
  list.u32(static_cast<std::uint32_t>(entries.size()));
  for (const wire::RandomnessEntry& entry : entries) {
    list.u32(raw(entry.id));
    list.bytes(entry.commitment);
  }
  return crypto::hash("SA1 genl", {run, roster_hash, list.view()});
}

Result<SharedRandomness> check_randomness_proof(const RandomnessContext& context,
                                                const wire::RandomnessProof& proof) {
  if (proof.run != context.run) return refused("it is of another run");
  SOTTO_TRY(check_entries(context, proof.entries));
  if (proof.reveals.size() != proof.entries.size())
    return refused("not every member that committed has revealed");
  const Bytes32 digest = randomness_digest(context.run, context.roster_hash, proof.entries);
  crypto::Hasher value("SA1 gens");
  value.update(context.run);
  value.update(context.roster_hash);
  SharedRandomness shared_randomness;
  for (std::size_t i = 0; i < proof.entries.size(); ++i) {
    const wire::RandomnessEntry& entry = proof.entries[i];
    const wire::RandomnessReveal& reveal = proof.reveals[i];
    if (reveal.id != entry.id || reveal.run != context.run)
      return refused("the reveals are not those of the members that committed, in order");
    if (reveal.digest != digest) return refused(name_of(entry.id) + " revealed for another list");
    if (!verify_randomness_reveal(find(context.roster, entry.id)->verify_key, reveal))
      return refused("the reveal of " + name_of(entry.id) + " is not signed by it");
    if (randomness_commitment(context.run, entry.id, reveal.r) != entry.commitment)
      return refused("the reveal of " + name_of(entry.id) + " does not open its commitment");
    ByteWriter one;
    one.u32(raw(entry.id));
    one.bytes(reveal.r);
    value.update(one.view());
    shared_randomness.members.push_back(entry.id);
  }
  shared_randomness.value = value.finish();
  return shared_randomness;
}

RandomnessMember::RandomnessMember(RandomnessContext context, MemberId self,
                                   const crypto::SigningKey& signing, crypto::SecureRandom& random,
                                   RandomnessMemory memory)
    : context_(std::move(context)),
      self_(self),
      signing_(&signing),
      random_(&random),
      memory_(std::move(memory)) {}

Result<wire::RandomnessCommit> RandomnessMember::commit(const wire::RandomnessCall& call) {
  if (call.run != context_.run) return refused("the request is for another run");
  if (memory_.shared_randomness) return refused("this run already has its shared randomness");
  if (attempt_ && attempt_->name == call.attempt) return attempt_->commit;
  if (memory_.reveals >= most_reveals(context_.colluders))
    return refused("this member has revealed for " + std::to_string(memory_.reveals) +
                   " lists of this run, which is the limit");
  Attempt attempt{.name = call.attempt,
                  .r = crypto::Secret32::random(*random_),
                  .commit = {.run = context_.run, .attempt = call.attempt}};
  wire::RandomnessEntry& entry = attempt.commit.entry;
  entry.id = self_;
  entry.commitment = randomness_commitment(context_.run, self_, attempt.r.expose());
  sign_randomness_entry(*signing_, context_.run, entry);
  attempt_ = std::move(attempt);
  return attempt_->commit;
}

Result<RandomnessMember::Reveal> RandomnessMember::reveal(const wire::RandomnessList& list) {
  if (list.run != context_.run) return refused("the list is of another run");
  if (memory_.shared_randomness) return refused("this run already has its shared randomness");
  if (!attempt_) return refused("this member has not committed");
  const Bytes32 digest = randomness_digest(context_.run, context_.roster_hash, list.entries);
  if (attempt_->reveal) {
    if (attempt_->reveal->digest == digest) return Reveal{*attempt_->reveal};
    return refused("a second list for one commitment");
  }
  if (!verify_randomness_list(context_.coordinator, digest, list))
    return refused("the coordinator's signature of the list does not verify");
  SOTTO_TRY(check_entries(context_, list.entries));
  const wire::RandomnessEntry* own = find(list.entries, self_);
  if (!own || *own != attempt_->commit.entry)
    return refused("the commitment of this member is not in the list");
  wire::RandomnessReveal reveal{.run = context_.run, .id = self_, .digest = digest};
  std::ranges::copy(attempt_->r.expose(), reveal.r.begin());
  sign_randomness_reveal(*signing_, reveal);
  ++memory_.reveals;
  attempt_->reveal = reveal;
  return Reveal{.message = reveal, .first = true};
}

Result<SharedRandomness> RandomnessMember::accept(const wire::RandomnessProof& proof) {
  SOTTO_ASSIGN_OR_RETURN(auto shared_randomness, check_randomness_proof(context_, proof));
  if (!std::ranges::binary_search(shared_randomness.members, self_))
    return refused("this member is not in the list");
  if (memory_.shared_randomness && *memory_.shared_randomness != shared_randomness)
    return refused("this run already has different shared randomness");
  memory_.shared_randomness = shared_randomness;
  return shared_randomness;
}

}  // namespace sotto::secagg
