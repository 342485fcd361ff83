// A round machine and the scripted members that answer it, for tests of the coordinator.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "coordinator/protocol/round.h"
#include "tests/coordinator/protocol/scripted_members.h"

namespace sotto::coordinator {
using secagg::IndexSet;
using testing::ScriptedMembers;
using wire::RoundStatus;

inline constexpr Duration kPhase{1000};
inline constexpr Duration kTraining{10000};

/// The round and scripted members that answer it, one message after the other, at a time that
/// stands still until a test moves it.
class Play {
 public:
  using History = secagg::WhoLeft<MemberId>;

  explicit Play(std::uint32_t n, std::uint32_t C, std::uint64_t values = 20,
                const History& earlier_keys = {}, std::shared_ptr<UploadStore> store = nullptr)
      : members(n, C, values),
        uploads(std::move(store)),
        machine(make_plan(earlier_keys), members.coordinator) {}

  RoundPlan make_plan(const History& earlier_keys) {
    RoundPlan plan;
    plan.header = members.header;
    plan.deadline_ms = {1000, 1000, 1000, 10000, 1000, 1000};
    plan.roster = members.roster;
    for (const auto& member : members.roster)
      plan.cohort.push_back(member.id);
    plan.encoding = members.encoding;
    plan.earlier_keys = earlier_keys;
    plan.model = {.head = Bytes(1000, 9)};
    plan.uploads = uploads;
    plan.fetch = {.chunk_bytes = 64, .in_flight = 2, .retry_after = Duration(500)};
    return plan;
  }

  MemberId id(std::uint32_t i) const { return members.members[i].id; }

  std::uint32_t index(MemberId member) const { return *members.cohort().index_of(member); }

  /// Member i never sends a message of this name.
  void mute(std::uint32_t i, const std::string& message) { muted.insert({i, message}); }

  void start() { absorb(machine.start(now)); }

  void wait(Duration time) {
    now += time;
    absorb(machine.tick(now));
  }

  void say(std::uint32_t i, wire::Message message) {
    absorb(machine.handle({id(i), members.header.round, std::move(message)}, now));
  }

  /// Carries out an Output: members answer, the sum is computed, until nobody has more to say.
  void absorb(RoundOutput output) {
    take(std::move(output));
    while (!inbox.empty()) {
      const wire::Envelope envelope = inbox.front();
      inbox.pop_front();
      take(machine.handle(envelope, now));
    }
  }

  [[nodiscard]] std::size_t count(const std::string& message, std::uint32_t i) const {
    std::size_t found = 0;
    for (const auto& envelope : sent)
      found += envelope.peer == id(i) && wire::name_of(envelope.message) == message;
    return found;
  }

  [[nodiscard]] bool saw(RoundEvent::Kind kind, std::uint32_t i) const {
    return std::ranges::any_of(events,
                               [&](const auto& e) { return e.kind == kind && e.member == id(i); });
  }

  [[nodiscard]] bool done_with(const IndexSet& s) const {
    if (!outcome || outcome->status != RoundStatus::kDone) return false;
    std::vector<MemberId> expected;
    for (std::uint32_t i : s)
      expected.push_back(id(i));
    return outcome->survivors == expected && outcome->sum->count == s.size() && sum &&
           testing::same_words(*sum, members.plain_sum(s));
  }

  ScriptedMembers members;
  std::shared_ptr<UploadStore> uploads;
  RoundStateMachine machine;
  TimePoint now{Duration(50000)};
  std::set<std::pair<std::uint32_t, std::string>> muted;
  std::deque<wire::Envelope> inbox;
  std::vector<wire::Envelope> sent;
  std::vector<RoundEvent> events;
  std::vector<RoundFact> facts;
  std::vector<secagg::Evidence> evidence;
  std::vector<secagg::Conflict> conflicts;
  std::map<std::uint32_t, IndexSet> complains;   // about whose shares
  std::map<std::uint32_t, IndexSet> other_keys;  // with whom its pre-shared key differs, it says
  std::map<std::uint32_t, IndexSet> with_key;    // to whom it deals with a key
  std::set<std::uint32_t> opens_wrongly;
  std::optional<RoundOutcome> outcome;
  std::optional<encoding::RingUpdate> sum;
  std::optional<TimePoint> wake_at;
  std::function<void(wire::Message&)> distort = [](wire::Message&) {};

 private:
  void take(RoundOutput output) {
    wake_at = output.wake_at;
    for (auto& event : output.events)
      events.push_back(std::move(event));
    std::ranges::move(output.facts, std::back_inserter(facts));
    std::ranges::move(output.evidence, std::back_inserter(evidence));
    std::ranges::move(output.conflicts, std::back_inserter(conflicts));
    for (auto& envelope : output.send) {
      sent.push_back(envelope);
      reply(index(envelope.peer), envelope.message);
    }
    if (output.outcome) {
      EXPECT_FALSE(outcome.has_value()) << "one outcome";
      outcome = std::move(output.outcome);
    }
    if (output.sum) {
      sum = std::move(output.sum->job).run(std::move(output.sum->masked_sum), 1);
      encoding::RingUpdate copy;
      for (const auto& lane : sum->lanes)
        copy.lanes.push_back(lane.clone());
      take(machine.summed(std::move(copy), now));
    }
  }

  void answer(std::uint32_t i, wire::Message message) {
    if (muted.contains({i, std::string(wire::name_of(message))})) return;
    distort(message);
    inbox.push_back({id(i), members.header.round, std::move(message)});
  }

  void reply(std::uint32_t i, const wire::Message& message) {
    const auto set = [&](const wire::Bitmap& bits) {
      return wire::from_bitmap(members.n(), bits).value();
    };
    if (std::holds_alternative<wire::Offer>(message)) {
      answer(i, members.members[i].m1);
    } else if (const auto* m2 = std::get_if<wire::KeyList>(&message)) {
      answer(i, members.shares(i, set(m2->u1), with_key[i]));
    } else if (const auto* m4 = std::get_if<wire::ShareForward>(&message)) {
      answer(i, members.check(i, set(m4->v), complains[i], other_keys[i]));
    } else if (const auto* m4b = std::get_if<wire::Complaints>(&message)) {
      wire::Opening m4c = members.opening(i, *m4b);
      if (opens_wrongly.contains(i)) {
        m4c.shares[0].r[0] ^= 1;
        secagg::sign_opening(members.members[i].signing, members.h, m4c);
      }
      answer(i, m4c);
    } else if (const auto* m4u = std::get_if<wire::Fix>(&message)) {
      u2_ = set(m4u->u2);
      packed_[i] = members.masked_input(i, u2_);
      answer(i, members.upload_header(i, u2_, packed_[i]));
    } else if (const auto* request = std::get_if<wire::BlobRequest>(&message)) {
      answer(i, wire::answer(*request, packed_[i]).value());
    } else if (const auto* m6 = std::get_if<wire::Survivors>(&message)) {
      s_ = set(m6->s);
      answer(i, members.endorse(i, u2_, s_));
      endorsed_.insert(i);
    } else if (std::holds_alternative<wire::UnmaskRequest>(message)) {
      answer(i, members.unmask(i, u2_, s_));
    } else if (std::holds_alternative<wire::AbortRequest>(message)) {
      if (!endorsed_.contains(i)) answer(i, members.abort_vote(i));
    }
  }

  IndexSet u2_, s_;
  std::map<std::uint32_t, Bytes> packed_;
  std::set<std::uint32_t> endorsed_;  // their endorsement left, whether it arrived or not
};

}  // namespace sotto::coordinator
