#include "participant/protocol/guard.h"

#include <algorithm>
#include <string>

namespace sotto::participant {
namespace {

// The file consists of records of the journal. Each is one of these:
//   u8 version (0x82) || u8 step (1..6) || run[32] || u64 round || h[32] || d_u2[32] || hash_y[32]
//     || d_s[32] || input[32]
//   the same without version and input, in older files: steps 1..5
//   u8 0            closes the newest round of every run up to here (a torn tail was found)
constexpr std::uint8_t kCloseMark = 0;
constexpr std::uint8_t kVersion2 = 0x82;  // not the number of any step

Bytes encode(const GuardRecord& record) {
  return ByteWriter()
      .u8(kVersion2)
      .u8(static_cast<std::uint8_t>(record.step))
      .bytes(record.run)
      .u64(record.round.value)
      .bytes(record.h)
      .bytes(record.d_u2)
      .bytes(record.hash_y)
      .bytes(record.d_s)
      .bytes(record.input)
      .take();
}

Result<GuardRecord> decode(BytesView bytes) {
  ByteReader in(bytes);
  GuardRecord record;
  const std::uint8_t first = in.u8();
  const bool has_input = first == kVersion2;
  const std::uint8_t step = has_input ? in.u8() : first;
  record.step = static_cast<GuardStep>(step);
  record.run = in.array<32>();
  record.round = RoundNumber{in.u64()};
  record.h = in.array<32>();
  record.d_u2 = in.array<32>();
  record.hash_y = in.array<32>();
  record.d_s = in.array<32>();
  if (has_input) record.input = in.array<32>();
  if (!in.finished() || step < 1 || step > (has_input ? 6 : 5))
    return Error{"a record of the guard is malformed"};
  return record;
}

const char* name(GuardStep step) {
  switch (step) {
    case GuardStep::kJoined:
      return "joined";
    case GuardStep::kUploaded:
      return "uploaded";
    case GuardStep::kEndorsed:
      return "endorsed";
    case GuardStep::kVotedAbort:
      return "burned";
    case GuardStep::kUnmasked:
      return "unmasked";
    case GuardStep::kFreed:
      return "freed";
  }
  return "unknown";
}

const GuardRecord* find(const std::vector<GuardRecord>& steps, GuardStep step) {
  const auto at = std::find_if(steps.begin(), steps.end(),
                               [&](const GuardRecord& record) { return record.step == step; });
  return at == steps.end() ? nullptr : &*at;
}

Error refused(const GuardRecord& record, const std::string& why) {
  return Error{"the guard does not permit \"" + std::string(name(record.step)) + "\" in round " +
               std::to_string(record.round.server_round()) + "." +
               std::to_string(record.round.attempt()) + ": " + why};
}

/// Applies the rules within one round to a record, given the steps done before.
Status allows_next(const std::vector<GuardRecord>& steps, const GuardRecord& next) {
  const bool voted_abort = find(steps, GuardStep::kVotedAbort) != nullptr;
  const GuardRecord* endorsed = find(steps, GuardStep::kEndorsed);
  if (next.h != steps.front().h) return refused(next, "the round was joined under another header");
  switch (next.step) {
    case GuardStep::kJoined:
      break;  // the caller has handled a second one
    case GuardStep::kUploaded:
      if (endorsed || voted_abort) return refused(next, "the step is out of order");
      return {};
    case GuardStep::kEndorsed:
      if (voted_abort) return refused(next, "this member voted to abort the round");
      if (!find(steps, GuardStep::kUploaded)) return refused(next, "nothing was uploaded");
      return {};
    case GuardStep::kVotedAbort:
      if (endorsed) return refused(next, "this member endorsed survivors");
      return {};
    case GuardStep::kUnmasked:
      if (!endorsed) return refused(next, "no survivors were endorsed");
      if (endorsed->d_s != next.d_s) return refused(next, "other survivors were endorsed");
      return {};
    case GuardStep::kFreed:
      break;  // concerns an input and not the newest round: allows_freeing()
  }
  return refused(next, "unknown step");
}

}  // namespace

const GuardState::Round* GuardState::newest(const RunId& run) const {
  const auto at = std::find_if(last_.begin(), last_.end(),
                               [&](const Round& round) { return round.run == run; });
  return at == last_.end() ? nullptr : &*at;
}

RoundNumber GuardState::last_round(const RunId& run) const {
  const Round* round = newest(run);
  return round ? round->round : RoundNumber{};
}

bool GuardState::holds(const GuardRecord& record) const {
  const Round* round = newest(record.run);
  return round && std::ranges::find(round->steps, record) != round->steps.end();
}

/// Freeing is allowed at any time: it concerns what left under this h, whatever was joined since.
Status GuardState::allows_freeing(const GuardRecord& record) const {
  const auto at = left_.find(record.input);
  if (at == left_.end())
    return refused(record, "this input did not leave the site, or was freed already");
  if (at->second != record.h)
    return refused(record, "this input left the site under another header");
  return {};
}

Status GuardState::allows(const GuardRecord& record) const {
  if (record.step == GuardStep::kFreed) return allows_freeing(record);
  const Round* round = newest(record.run);
  if (record.round > last_round(record.run)) {
    if (record.step == GuardStep::kJoined) return {};
    return refused(record, "the round was not joined");
  }
  if (!round || record.round < round->round) return refused(record, "a later round was joined");
  if (round->closed)
    return refused(record, "a record of the round was lost, so that the round is closed");
  if (holds(record)) return {};
  if (find(round->steps, record.step))
    return refused(record, "the step was done before with other content");
  if (record.step == GuardStep::kUploaded && is_locked(record.input))
    return refused(record, "its input left the site before, and no abort certificate freed it");
  return allows_next(round->steps, record);
}

void GuardState::apply(const GuardRecord& record) {
  SOTTO_CHECK(allows(record).ok(), "only an allowed record is applied");
  if (record.step == GuardStep::kFreed) {
    left_.erase(record.input);
    std::erase_if(endorsed_, [&](const Endorsed& e) { return e.h == record.h; });
    return;
  }
  if (holds(record)) return;
  if (record.step == GuardStep::kEndorsed) keep_endorsed(record);
  if (record.step == GuardStep::kUploaded && record.input != InputId{})
    left_.emplace(record.input, record.h);
  if (record.step == GuardStep::kJoined) {
    std::erase_if(last_, [&](const Round& round) { return round.run == record.run; });
    std::erase_if(endorsed_, [&](const Endorsed& e) {
      return e.run == record.run && e.server_round < record.round.server_round();
    });
    last_.push_back({.run = record.run, .round = record.round, .closed = false});
  }
  const auto at = std::ranges::find(last_, record.run, &Round::run);
  at->steps.push_back(record);
}

void GuardState::keep_endorsed(const GuardRecord& record) {
  endorsed_.push_back(
      {.run = record.run, .server_round = record.round.server_round(), .h = record.h});
}

bool GuardState::may_be_open(const RunId& run, std::uint64_t server_round) const {
  return std::ranges::any_of(
      endorsed_, [&](const Endorsed& e) { return e.run == run && e.server_round == server_round; });
}

void GuardState::close_newest_rounds() {
  for (Round& round : last_) {
    if (!round.closed && find(round.steps, GuardStep::kUploaded))
      keep_endorsed(round.steps.front());
    round.closed = true;
  }
}

Result<Guard> Guard::open(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(auto opened, storage::AppendLog::open(file));
  GuardState state;
  for (const Bytes& bytes : opened.records) {
    if (bytes == Bytes{kCloseMark}) {
      state.close_newest_rounds();
      continue;
    }
    const auto record = decode(bytes);
    if (!record.ok()) return Error{file.string() + ": " + record.error().message};
    if (Status allowed = state.allows(*record); !allowed.ok())
      return Error{file.string() + " contradicts itself: " + allowed.error().message};
    state.apply(*record);
  }
  if (opened.torn_tail) {
    // The mark replaces the torn record, so that the rounds stay closed after a restart.
    state.close_newest_rounds();
    SOTTO_TRY(opened.log.append(Bytes{kCloseMark}));
  }
  return Guard(std::move(opened.log), std::move(state));
}

Status Guard::record(const GuardRecord& record) {
  SOTTO_TRY(state_.allows(record));
  if (state_.holds(record)) return {};
  SOTTO_TRY(log_.append(encode(record)));
  state_.apply(record);
  return {};
}

}  // namespace sotto::participant
