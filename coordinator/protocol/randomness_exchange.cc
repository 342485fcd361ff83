#include "coordinator/protocol/randomness_exchange.h"

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

RandomnessExchange::RandomnessExchange(secagg::RandomnessContext context,
                                       std::filesystem::path file, Duration phase,
                                       const crypto::SigningKey& signing,
                                       crypto::SecureRandom& random)
    : context_(std::move(context)),
      file_(std::move(file)),
      phase_(phase),
      signing_(&signing),
      random_(&random) {}

Status RandomnessExchange::load() {
  SOTTO_ASSIGN_OR_RETURN(const auto bytes, storage::read_file_if_exists(file_, kMaxProofBytes));
  if (!bytes) return {};
  auto decoded = wire::decode(*bytes);
  const auto* proof =
      decoded.ok() ? std::get_if<wire::RandomnessProof>(&decoded->message) : nullptr;
  if (!proof) return Error{file_.string() + " is damaged: start a new run in another folder"};
  auto shared_randomness = secagg::check_randomness_proof(context_, *proof);
  if (!shared_randomness.ok())
    return Error{file_.string() + ": " + shared_randomness.error().message};
  proof_ = *proof;
  shared_randomness_ = std::move(shared_randomness).value();
  return {};
}

RandomnessOutput RandomnessExchange::start(std::vector<MemberId> active, TimePoint now) {
  RandomnessOutput out;
  if (!attempt_ && !shared_randomness_) begin(std::move(active), now, out);
  return out;
}

void RandomnessExchange::begin(std::vector<MemberId> active, TimePoint now, RandomnessOutput& out) {
  attempt_.reset();
  if (active.size() < context_.min_members) {
    out.log_lines.push_back("only " + std::to_string(active.size()) +
                            " members are left to generate the shared randomness of the run; the "
                            "coordinator waits for more");
    return;
  }
  if (lists_ >= secagg::most_reveals(context_.colluders)) {
    out.failed = "the generation of the shared randomness failed " + std::to_string(lists_) +
                 " times, more often than " + std::to_string(context_.colluders) +
                 " colluding members (secure_aggregation.max_colluders) can cause. Remove the "
                 "members that committed and did not reveal, and begin a new run";
    return;
  }
  attempt_.emplace(Attempt{});  // Clang finds no emplace() for a class nested in this one
  random_->fill(attempt_->name);
  attempt_->active = std::move(active);
  attempt_->deadline = now + phase_;
  for (MemberId id : attempt_->active)
    out.send.push_back({id, {}, wire::RandomnessCall{context_.run, attempt_->name}});
}

RandomnessOutput RandomnessExchange::handle(MemberId from, const wire::Message& message,
                                            TimePoint now) {
  RandomnessOutput out;
  if (!attempt_) return out;  // after the end of the attempt
  if (const auto* g1 = std::get_if<wire::RandomnessCommit>(&message))
    on_commit(from, *g1, now, out);
  if (const auto* g3 = std::get_if<wire::RandomnessReveal>(&message)) on_reveal(from, *g3, out);
  return out;
}

void RandomnessExchange::on_commit(MemberId from, const wire::RandomnessCommit& g1, TimePoint now,
                                   RandomnessOutput& out) {
  if (g1.attempt != attempt_->name || attempt_->list) return;
  const auto member = std::ranges::find(context_.roster, from, &secagg::CohortMember::id);
  if (g1.entry.id != from || member == context_.roster.end() ||
      !std::ranges::binary_search(attempt_->active, from) ||
      !secagg::verify_randomness_entry(member->verify_key, context_.run, g1.entry)) {
    out.violations.emplace_back(
        from, "it sent a commitment that does not verify; the commitment was ignored");
    return;
  }
  attempt_->entries[from] = g1.entry;
  if (attempt_->entries.size() == attempt_->active.size()) publish_list(now, out);
}

void RandomnessExchange::publish_list(TimePoint now, RandomnessOutput& out) {
  ++lists_;
  Attempt& attempt = *attempt_;
  wire::RandomnessList list{.run = context_.run};
  for (const auto& [id, entry] : attempt.entries)
    list.entries.push_back(entry);
  attempt.digest = secagg::randomness_digest(context_.run, context_.roster_hash, list.entries);
  secagg::sign_randomness_list(*signing_, attempt.digest, list);
  attempt.list = std::move(list);
  attempt.deadline = now + phase_;
  for (const auto& [id, entry] : attempt.entries)
    out.send.push_back({id, {}, *attempt.list});
}

void RandomnessExchange::on_reveal(MemberId from, const wire::RandomnessReveal& g3,
                                   RandomnessOutput& out) {
  const auto entry = attempt_->entries.find(from);
  if (!attempt_->list || entry == attempt_->entries.end() || g3.digest != attempt_->digest) return;
  const auto member = std::ranges::find(context_.roster, from, &secagg::CohortMember::id);
  if (g3.id != from || g3.run != context_.run ||
      !secagg::verify_randomness_reveal(member->verify_key, g3) ||
      secagg::randomness_commitment(context_.run, from, g3.r) != entry->second.commitment) {
    out.violations.emplace_back(from,
                                "it sent a reveal that does not verify; the reveal was ignored");
    return;
  }
  attempt_->reveals[from] = g3;
  if (attempt_->reveals.size() == attempt_->entries.size()) complete(out);
}

void RandomnessExchange::complete(RandomnessOutput& out) {
  wire::RandomnessProof proof{.run = context_.run, .entries = attempt_->list->entries};
  for (const auto& [id, reveal] : attempt_->reveals)
    proof.reveals.push_back(reveal);
  auto shared_randomness = secagg::check_randomness_proof(context_, proof);
  SOTTO_CHECK(shared_randomness.ok(), "every part of the shared randomness was checked on arrival");
  const Status saved = storage::write_file_atomically(
      file_, {wire::encode(kCoordinatorId, {}, proof)}, storage::FileAccess::kEveryoneReads);
  if (!saved.ok()) {
    out.failed = "the shared randomness cannot be saved: " + saved.error().message;
    return;
  }
  for (const wire::RandomnessEntry& entry : proof.entries)
    out.send.push_back({entry.id, {}, proof});
  out.log_lines.push_back("the shared randomness of the run was generated by " +
                          std::to_string(proof.entries.size()) + " members");
  proof_ = std::move(proof);
  shared_randomness_ = std::move(shared_randomness).value();
  attempt_.reset();
}

RandomnessOutput RandomnessExchange::connected(MemberId member) const {
  RandomnessOutput out;
  if (proof_) {
    if (std::ranges::binary_search(shared_randomness_->members, member))
      out.send.push_back({member, {}, *proof_});
  } else if (attempt_ && attempt_->list) {
    if (attempt_->entries.contains(member)) out.send.push_back({member, {}, *attempt_->list});
  } else if (attempt_ && std::ranges::binary_search(attempt_->active, member)) {
    out.send.push_back({member, {}, wire::RandomnessCall{context_.run, attempt_->name}});
  }
  return out;
}

RandomnessOutput RandomnessExchange::tick(TimePoint now) {
  RandomnessOutput out;
  if (!attempt_ || now < attempt_->deadline) return out;
  if (attempt_->list)
    restart_without_silent(now, out);
  else if (attempt_->entries.size() >= context_.min_members)
    publish_list(now, out);  // a member without a commitment is not active and not in the run
  else
    begin(attempt_->active, now, out);
  return out;
}

void RandomnessExchange::restart_without_silent(TimePoint now, RandomnessOutput& out) {
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
