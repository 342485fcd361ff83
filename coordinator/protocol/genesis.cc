#include "coordinator/protocol/genesis.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/secagg/shared/transcript.h"
#include "common/storage/atomic_file.h"
#include "common/wire/codec.h"

namespace sotto::coordinator {

namespace {

constexpr std::uint64_t kMaxProofBytes = std::uint64_t{1} << 26;

}  // namespace

RunGenesis::RunGenesis(secagg::GenesisContext context, std::filesystem::path file, Duration phase,
                       const crypto::SigningKey& signing, crypto::SecureRandom& random)
    : context_(std::move(context)),
      file_(std::move(file)),
      phase_(phase),
      signing_(&signing),
      random_(&random) {}

Status RunGenesis::load() {
  SOTTO_ASSIGN_OR_RETURN(const auto bytes, journal::read_file_if_exists(file_, kMaxProofBytes));
  if (!bytes) return {};
  auto decoded = wire::decode(*bytes);
  const auto* proof = decoded.ok() ? std::get_if<wire::GenesisProof>(&decoded->message) : nullptr;
  if (!proof) return Error{file_.string() + " is damaged: start a new run in another folder"};
  auto genesis = secagg::check_genesis(context_, *proof);
  if (!genesis.ok()) return Error{file_.string() + ": " + genesis.error().message};
  proof_ = *proof;
  genesis_ = std::move(genesis).value();
  return {};
}

GenesisOutput RunGenesis::start(std::vector<MemberId> active, TimePoint now) {
  GenesisOutput out;
  if (!attempt_ && !genesis_) begin(std::move(active), now, out);
  return out;
}

void RunGenesis::begin(std::vector<MemberId> active, TimePoint now, GenesisOutput& out) {
  attempt_.reset();
  if (active.size() < context_.min_members) {
    out.notes.push_back("only " + std::to_string(active.size()) +
                        " members are left to make the genesis of the run; waiting for more");
    return;
  }
  if (lists_ >= secagg::most_reveals(context_.colluders)) {
    out.failed = "the genesis of the run failed " + std::to_string(lists_) +
                 " times, more often than " + std::to_string(context_.colluders) +
                 " colluding members (secure_aggregation.max_colluders) can make it fail: remove "
                 "those that committed and did not reveal, and begin a new run";
    return;
  }
  attempt_.emplace(Attempt{});  // Clang finds no emplace() for a class nested in this one
  random_->fill(attempt_->name);
  attempt_->active = std::move(active);
  attempt_->deadline = now + phase_;
  for (MemberId id : attempt_->active)
    out.send.push_back({id, {}, wire::GenesisCall{context_.run, attempt_->name}});
}

GenesisOutput RunGenesis::handle(MemberId from, const wire::Message& message, TimePoint now) {
  GenesisOutput out;
  if (!attempt_) return out;  // after the end of the attempt
  if (const auto* g1 = std::get_if<wire::GenesisCommit>(&message)) on_commit(from, *g1, now, out);
  if (const auto* g3 = std::get_if<wire::GenesisReveal>(&message)) on_reveal(from, *g3, out);
  return out;
}

void RunGenesis::on_commit(MemberId from, const wire::GenesisCommit& g1, TimePoint now,
                           GenesisOutput& out) {
  if (g1.attempt != attempt_->name || attempt_->list) return;
  const auto member = std::ranges::find(context_.roster, from, &secagg::CohortMember::id);
  if (g1.entry.id != from || member == context_.roster.end() ||
      !std::ranges::binary_search(attempt_->active, from) ||
      !secagg::verify_genesis_entry(member->verify_key, context_.run, g1.entry)) {
    out.misdeeds.emplace_back(from, "a commitment that does not verify; ignored");
    return;
  }
  attempt_->entries[from] = g1.entry;
  if (attempt_->entries.size() == attempt_->active.size()) publish_list(now, out);
}

void RunGenesis::publish_list(TimePoint now, GenesisOutput& out) {
  ++lists_;
  Attempt& attempt = *attempt_;
  wire::GenesisList list{.run = context_.run, .entries = {}, .signature = {}};
  for (const auto& [id, entry] : attempt.entries)
    list.entries.push_back(entry);
  attempt.digest = secagg::genesis_digest(context_.run, context_.roster_hash, list.entries);
  secagg::sign_genesis_list(*signing_, attempt.digest, list);
  attempt.list = std::move(list);
  attempt.deadline = now + phase_;
  for (const auto& [id, entry] : attempt.entries)
    out.send.push_back({id, {}, *attempt.list});
}

void RunGenesis::on_reveal(MemberId from, const wire::GenesisReveal& g3, GenesisOutput& out) {
  const auto entry = attempt_->entries.find(from);
  if (!attempt_->list || entry == attempt_->entries.end() || g3.digest != attempt_->digest) return;
  const auto member = std::ranges::find(context_.roster, from, &secagg::CohortMember::id);
  if (g3.id != from || g3.run != context_.run ||
      !secagg::verify_genesis_reveal(member->verify_key, g3) ||
      secagg::genesis_commitment(context_.run, from, g3.r) != entry->second.commitment) {
    out.misdeeds.emplace_back(from, "a reveal that does not verify; ignored");
    return;
  }
  attempt_->reveals[from] = g3;
  if (attempt_->reveals.size() == attempt_->entries.size()) complete(out);
}

void RunGenesis::complete(GenesisOutput& out) {
  wire::GenesisProof proof{.run = context_.run, .entries = attempt_->list->entries, .reveals = {}};
  for (const auto& [id, reveal] : attempt_->reveals)
    proof.reveals.push_back(reveal);
  auto genesis = secagg::check_genesis(context_, proof);
  SOTTO_CHECK(genesis.ok(), "every part of the genesis was checked when it came");
  const Status saved = journal::write_file_atomically(
      file_, {wire::encode(kCoordinatorId, {}, proof)}, journal::FileAccess::kEveryoneReads);
  if (!saved.ok()) {
    out.failed = "the genesis cannot be saved: " + saved.error().message;
    return;
  }
  for (const wire::GenesisEntry& entry : proof.entries)
    out.send.push_back({entry.id, {}, proof});
  out.notes.push_back("the genesis of the run is made by " + std::to_string(proof.entries.size()) +
                      " members");
  proof_ = std::move(proof);
  genesis_ = std::move(genesis).value();
  attempt_.reset();
}

GenesisOutput RunGenesis::connected(MemberId member) const {
  GenesisOutput out;
  if (proof_) {
    if (std::ranges::binary_search(genesis_->members, member))
      out.send.push_back({member, {}, *proof_});
  } else if (attempt_ && attempt_->list) {
    if (attempt_->entries.contains(member)) out.send.push_back({member, {}, *attempt_->list});
  } else if (attempt_ && std::ranges::binary_search(attempt_->active, member)) {
    out.send.push_back({member, {}, wire::GenesisCall{context_.run, attempt_->name}});
  }
  return out;
}

GenesisOutput RunGenesis::tick(TimePoint now) {
  GenesisOutput out;
  if (!attempt_ || now < attempt_->deadline) return out;
  if (attempt_->list)
    restart_without_silent(now, out);
  else if (attempt_->entries.size() >= context_.min_members)
    publish_list(now, out);  // a member without a commitment is not active and not in the run
  else
    begin(attempt_->active, now, out);
  return out;
}

void RunGenesis::restart_without_silent(TimePoint now, GenesisOutput& out) {
  std::vector<MemberId> rest;
  for (const auto& [id, entry] : attempt_->entries) {
    if (attempt_->reveals.contains(id))
      rest.push_back(id);
    else
      out.silent.push_back(id);
  }
  begin(std::move(rest), now, out);
}

}  // namespace sotto::coordinator
