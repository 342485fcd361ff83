// What no honest member may ever do, watched from outside: every message that members send goes
// through here, whatever the network then does to it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/encoding/lanes.h"
#include "common/wire/messages.h"

namespace sotto::simulation {

class Checker {
 public:
  /// Encoded holds the values that a member encoded for a round, before they were masked.
  struct Encoded {
    Bytes32 input{};  // identifies the trained update
    encoding::RingUpdate lanes;
  };

  /// Section 2.7: one M1, M4C, M5, M7 and M9 a round, repeated to the byte; one kind of share a
  /// dealer; nothing that unmasks before an endorsement. Section 2.6: at most C shares are opened
  /// of a dealer. Together: never t shares of both secrets of one dealer.
  void member_sent(MemberId from, RoundNumber round, const wire::Message& message);
  /// Never both certificates for one round, nor a new S once an abort has begun; a sum that is
  /// announced is that of the plain lanes of exactly the survivors, and a round has one result.
  void coordinator_sent(RoundNumber round, const wire::Message& message);

  /// What a member encodes for a round, before it is masked. A second encoding in a round takes the
  /// place of the first, unless the first was announced.
  void encoded(MemberId member, RoundNumber round, const Bytes32& input,
               const encoding::RingUpdate& lanes);

  void fail(std::string what) { failures_.push_back(std::move(what)); }

  /// The coordinator lies: from now on it may announce several survivor sets and several results of
  /// a round, and send both certificates. What members send is checked as before, and so is each
  /// sum that is announced.
  void expect_lies() { lies_ = true; }

  [[nodiscard]] const std::vector<std::string>& failures() const { return failures_; }

  /// Results that announced a sum, each of which was compared with its survivors' lanes.
  [[nodiscard]] std::uint64_t sums() const { return sums_; }

  [[nodiscard]] const std::set<MemberId>& survivors(RoundNumber round) {
    return announced_[round].survivors;
  }

  /// The header that was offered last in a round.
  [[nodiscard]] const std::optional<wire::RoundHeader>& header(RoundNumber round) {
    return announced_[round].header;
  }

  /// What the coordinator announced of a round; nothing before its end.
  [[nodiscard]] std::optional<wire::RoundStatus> status(RoundNumber round) {
    const auto& m10 = announced_[round].m10;
    return m10 ? std::optional(m10->status) : std::nullopt;
  }

  /// Null when the member never got there.
  [[nodiscard]] const Encoded* encoding(MemberId member, RoundNumber round) const;

  /// Dealers that opened shares in this round.
  [[nodiscard]] std::size_t openings(RoundNumber round) const;
  /// Shares that members revealed in this round, to whomever.
  [[nodiscard]] std::size_t shares_revealed(RoundNumber round) const;
  [[nodiscard]] bool advertised(MemberId member, RoundNumber round) const;
  [[nodiscard]] bool uploaded(MemberId member, RoundNumber round) const;
  [[nodiscard]] bool endorsed(MemberId member, RoundNumber round) const;
  [[nodiscard]] bool voted(MemberId member, RoundNumber round) const;

 private:
  struct Said {
    std::optional<wire::Advertise> m1;
    std::optional<wire::Opening> m4c;
    std::optional<wire::UploadHeader> m5;
    std::optional<wire::Endorse> m7;
    std::optional<wire::AbortVote> vote;
    std::optional<wire::UnmaskResponse> m9;
    std::map<MemberId, wire::ShareKind> kinds;  // by dealer
  };

  struct Announced {
    std::optional<wire::RoundHeader> header;
    std::optional<wire::Survivors> m6;
    std::optional<wire::RoundResult> m10;
    std::set<MemberId> survivors{};  // of the certificate
    bool voting_to_abort = false;
    bool survivor_certificate = false;
    bool abort_certificate = false;
  };

  /// Who has said which share of a dealer, by kind: revealed in M9, or opened in M4C.
  using Known = std::map<std::pair<MemberId, wire::ShareKind>, std::set<MemberId>>;

  void uploaded_input(MemberId from, RoundNumber round);
  void result(RoundNumber round, const wire::RoundResult& m10);
  void opened(RoundNumber round, const wire::Opening& m4c);
  void knows(RoundNumber round, MemberId dealer, wire::ShareKind kind, MemberId holder);

  template <class M>
  void once(std::optional<M>& before, const M& message, MemberId from);

  std::map<std::pair<RoundNumber, MemberId>, Said> said_;
  std::map<RoundNumber, Announced> announced_;
  std::map<RoundNumber, Known> known_;
  std::map<std::pair<RoundNumber, MemberId>, Encoded> encoded_;
  std::uint64_t sums_ = 0;
  bool lies_ = false;
  std::vector<std::string> failures_;
};

}  // namespace sotto::simulation
