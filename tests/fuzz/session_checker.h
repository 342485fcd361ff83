// What must hold of everything that a session puts out, whatever the coordinator says. Written from
// docs/secure-aggregation.md (2.4, 2.7), not from the session: it sees only what goes in and out.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/session_world.h"

namespace sotto::fuzz {

class SessionChecker {
 public:
  explicit SessionChecker(const World& world) : world_(world) {}

  /// `incoming` is what the session was just given, if it was a message.
  void see(const participant::SessionOutput& out, const wire::Message* incoming) {
    for (const participant::GuardRecord& record : out.persist)
      see_record(record, incoming);
    for (const wire::Envelope& envelope : out.send) {
      require(envelope.peer == kCoordinatorId, "a participant speaks to the coordinator alone");
      const auto decoded =
          wire::decode(wire::encode(world_.roster[0].id, envelope.round, envelope.message));
      require(decoded.ok() && decoded->message == envelope.message, "what it says can be decoded");
      see_message(envelope, incoming);
    }
    for (const participant::SessionEvent& event : out.events)
      if (event.kind == participant::SessionEvent::Kind::kFreed)
        check_freed(rounds_[event.round], incoming);
  }

  [[nodiscard]] const participant::GuardState& guard() const { return guard_; }

  /// A restart loses every secret of the round: nothing new may be said in it.
  void restarted() { restarted_at_ = newest_; }

 private:
  struct Round {
    wire::RoundHeader header;
    Bytes32 h{};
    std::optional<wire::Advertise> m1;
    std::optional<wire::Shares> m3;
    std::optional<wire::ShareCheck> m4a;
    std::optional<wire::Opening> m4c;
    std::optional<wire::UploadHeader> m5;
    std::optional<wire::Endorse> m7;
    std::optional<wire::UnmaskResponse> m9;
    std::optional<Bytes32> endorsed;
    std::set<participant::GuardStep> steps;
    std::map<MemberId, wire::ShareKind> revealed;
  };

  void see_record(const participant::GuardRecord& record, const wire::Message* incoming) {
    require(guard_.allows(record).ok(), "a guard record is one that the guard allows");
    if (guard_.holds(record)) return;  // a repeated abort request repeats the record
    guard_.apply(record);
    Round& round = rounds_[record.round];
    if (record.step == participant::GuardStep::kJoined) {
      require(record.round > newest_, "rounds are joined once, in ascending order");
      newest_ = record.round;
      round.h = record.h;
    }
    require(record.h == round.h, "all records of a round are about its header");
    using participant::GuardStep;
    if (record.step == GuardStep::kFreed) {
      check_freed(round, incoming);
      require(left_.erase(record.input) == 1, "an input is freed that had left");
    } else {
      require(record.step == GuardStep::kJoined || record.step == GuardStep::kVotedAbort ||
                  restarted_at_ < record.round,
              "after a restart a round can only be burnt");
      require(!round.steps.contains(GuardStep::kVotedAbort) &&
                  (record.step != GuardStep::kVotedAbort ||
                   !round.steps.contains(GuardStep::kEndorsed)),
              "nothing follows a vote to burn, and no such vote follows an endorsement");
    }
    require(record.step != GuardStep::kUploaded || left_.insert(record.input).second,
            "an input leaves once, and again only after it was freed");
    require(round.steps.insert(record.step).second, "no step is recorded twice");
    if (record.step == participant::GuardStep::kEndorsed) round.endorsed = record.d_s;
  }

  /// The same bytes at each repetition, and never without the guard's record.
  template <class M>
  bool first_time(std::optional<M>& held, const M& message, Round& round,
                  participant::GuardStep step) {
    require(round.steps.contains(step), "a message leaves after its guard record");
    if (held) {
      require(*held == message, "a message of a kind is said in one way only");
      return false;
    }
    held = message;
    return true;
  }

  void see_message(const wire::Envelope& envelope, const wire::Message* incoming) {
    Round& round = rounds_[envelope.round];
    using participant::GuardStep;
    const wire::Message& message = envelope.message;
    if (const auto* m1 = std::get_if<wire::Advertise>(&message))
      first_time(round.m1, *m1, round, GuardStep::kJoined);
    if (const auto* m3 = std::get_if<wire::Shares>(&message))
      first_time(round.m3, *m3, round, GuardStep::kJoined);
    if (const auto* m4a = std::get_if<wire::ShareCheck>(&message))
      first_time(round.m4a, *m4a, round, GuardStep::kJoined);
    if (const auto* m4c = std::get_if<wire::Opening>(&message))
      if (first_time(round.m4c, *m4c, round, GuardStep::kJoined)) check_opening(round, incoming);
    if (const auto* m5 = std::get_if<wire::UploadHeader>(&message))
      if (first_time(round.m5, *m5, round, GuardStep::kUploaded)) check_upload(round);
    if (const auto* m7 = std::get_if<wire::Endorse>(&message))
      if (first_time(round.m7, *m7, round, GuardStep::kEndorsed)) check_endorsement(round);
    if (const auto* m9 = std::get_if<wire::UnmaskResponse>(&message))
      if (first_time(round.m9, *m9, round, GuardStep::kUnmasked)) check_answer(round, incoming);
    require(!std::holds_alternative<wire::AbortVote>(message) ||
                round.steps.contains(GuardStep::kVotedAbort),
            "a vote leaves after its guard record");
    require(!std::holds_alternative<wire::BlobData>(message) || round.m5 ||
                std::get<wire::BlobData>(message).total == 0,
            "no byte of an update leaves before its head");
  }

  // ---- the sets behind the digests, by trying all of them

  template <class Digest>
  [[nodiscard]] static std::optional<secagg::IndexSet> find_set(const Bytes32& digest,
                                                                const Digest& digest_of) {
    for (std::uint32_t bits = 0; bits < 1U << kMembers; ++bits) {
      secagg::IndexSet set;
      for (std::uint32_t i = 0; i < kMembers; ++i)
        if ((bits >> i & 1) != 0) set.push_back(i);
      if (digest_of(wire::to_bitmap(kMembers, set)) == digest) return set;
    }
    return std::nullopt;
  }

  static bool good(const std::optional<secagg::IndexSet>& set) {
    constexpr std::size_t kSmallest = 3;  // max(Q, s_min) of n = 4, C = 1
    return set && secagg::contains(*set, 0) && set->size() >= kSmallest;
  }

  [[nodiscard]] std::optional<secagg::IndexSet> u2_of(const Round& round) const {
    return find_set(round.m5->d_u2,
                    [&](const wire::Bitmap& bits) { return secagg::digest_u2(round.h, bits); });
  }

  void check_upload(const Round& round) const {
    require(round.m4a.has_value(), "an upload follows the check of the shares");
    const auto v = find_set(
        round.m4a->d_v, [&](const wire::Bitmap& bits) { return secagg::digest_v(round.h, bits); });
    const auto u2 = u2_of(round);
    require(good(v) && good(u2), "V and U2 hold this member and enough others");
    require(secagg::is_subset(*u2, *v), "U2 lies inside V");
    const auto bad = wire::from_bitmap(kMembers, round.m4a->bad_dealers).value();
    for (std::uint32_t dealer : bad)
      require(!secagg::contains(*u2, dealer), "no upload together with a dealer of a bad share");
    const auto other_keys = wire::from_bitmap(kMembers, round.m4a->other_keys).value();
    for (std::uint32_t dealer : other_keys)
      require(!secagg::contains(*u2, dealer), "no upload together with a dealer of another key");
  }

  void check_opening(const Round& round, const wire::Message* incoming) const {
    const auto* m4b = incoming ? std::get_if<wire::Complaints>(incoming) : nullptr;
    require(m4b != nullptr && round.m4a && !round.m5, "shares are opened between M4A and M5");
    require(round.m4c->shares.size() <= 1, "at most C shares are opened in a round");
    require(m4b->checks.size() == round.m4c->shares.size(), "one share for each complaint");
    for (std::size_t i = 0; i < m4b->checks.size(); ++i) {
      const wire::ShareCheck& check = m4b->checks[i];
      const auto holder = secagg::Cohort(world_.roster).index_of(check.id);
      require(holder && *holder != 0 && round.m4c->shares[i].member == check.id &&
                  secagg::verify_share_check(world_.roster[*holder].verify_key, round.h, check) &&
                  check.d_v == round.m4a->d_v && (check.bad_dealers[0] & 1) != 0,
              "a share is opened to the holder that complained about it");
    }
  }

  void check_endorsement(const Round& round) const {
    require(round.m5.has_value(), "an endorsement follows the upload");
    const auto u2 = u2_of(round);
    const auto s = find_set(*round.endorsed, [&](const wire::Bitmap& bits) {
      return secagg::digest_s(round.h, round.m5->d_u2, bits);
    });
    require(good(s) && secagg::is_subset(*s, *u2), "S holds this member, enough others, all of U2");
    require(secagg::verify_endorse(world_.keys[0].verify_key(), round.h, round.m5->d_u2,
                                   *round.endorsed, *round.m7),
            "the endorsement is of the recorded S");
  }

  /// An uploaded input is free again only when Q members aborted the round under which it was
  /// uploaded.
  void check_freed(const Round& round, const wire::Message* incoming) const {
    const auto* m8 = incoming ? std::get_if<wire::AbortCertificate>(incoming) : nullptr;
    require(m8 != nullptr && round.m5.has_value(), "a burn certificate frees an upload");
    std::set<std::uint32_t> voters;
    for (const wire::AbortVote& vote : m8->votes) {
      const auto index = secagg::Cohort(world_.roster).index_of(vote.id);
      if (index && secagg::verify_abort_vote(world_.roster[*index].verify_key, round.h, vote))
        voters.insert(*index);
    }
    require(voters.size() >= 3, "Q distinct members voted to burn this very round");
  }

  void check_answer(Round& round, const wire::Message* incoming) const {
    const auto* m8 = incoming ? std::get_if<wire::UnmaskRequest>(incoming) : nullptr;
    require(m8 != nullptr && round.m7.has_value(), "M9 answers M8, after an endorsement");
    const wire::UnmaskResponse& m9 = *round.m9;
    require(m9.d_s == *round.endorsed && m9.d_u2 == round.m5->d_u2 && m8->d_s == m9.d_s,
            "R1: it answers for the S that it endorsed");
    require(signers_of(*m8, round) >= 3, "R2: Q distinct members endorsed this S");
    const auto u2 = u2_of(round);
    const auto s = find_set(
        m9.d_s, [&](const wire::Bitmap& bits) { return secagg::digest_s(round.h, m9.d_u2, bits); });
    require(heads_are_whole(*m8, round, *s), "R3: all of S uploaded under this U2");
    require(m9.shares.size() == u2->size(), "one share a member of U2");
    for (const wire::RevealedShare& share : m9.shares) {
      const auto dealer = secagg::Cohort(world_.roster).index_of(share.dealer);
      require(dealer && secagg::contains(*u2, *dealer), "a share of a member of U2");
      require(round.revealed.emplace(share.dealer, share.kind).second, "one share a dealer");
      require((share.kind == wire::ShareKind::kSelfMask) == secagg::contains(*s, *dealer),
              "the self mask of a survivor, the mask key of a dropout, never both");
    }
  }

  [[nodiscard]] std::size_t signers_of(const wire::UnmaskRequest& m8, const Round& round) const {
    std::set<std::uint32_t> signers;
    for (const wire::Endorse& m7 : m8.certificate) {
      const auto index = secagg::Cohort(world_.roster).index_of(m7.id);
      if (index && secagg::verify_endorse(world_.roster[*index].verify_key, round.h, round.m5->d_u2,
                                          *round.endorsed, m7))
        signers.insert(*index);
    }
    return signers.size();
  }

  [[nodiscard]] bool heads_are_whole(const wire::UnmaskRequest& m8, const Round& round,
                                     const secagg::IndexSet& s) const {
    return std::ranges::all_of(s, [&](std::uint32_t i) {
      return std::ranges::any_of(m8.headers, [&](const wire::UploadHeader& head) {
        return head.id == world_.roster[i].id && head.d_u2 == round.m5->d_u2 &&
               secagg::verify_upload(world_.roster[i].verify_key, round.h, head);
      });
    });
  }

  const World& world_;
  participant::GuardState guard_;
  std::map<RoundNumber, Round> rounds_;
  std::set<participant::InputId> left_;
  RoundNumber newest_;
  RoundNumber restarted_at_;
};

}  // namespace sotto::fuzz
