// A coordinator that lies to real members. The production coordinator works up to a message that a
// test names. From then on nothing that it sends arrives and nothing that members send reaches it
// (models and uploads excepted); the test sends what it likes, signed with the coordinator's key.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <variant>

#include <gtest/gtest.h>

#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"
#include "tests/federation/federation.h"

namespace sotto::simulation {

class LyingCoordinator {
 public:
  static constexpr std::uint32_t kMembers = 5;
  static constexpr RoundNumber kRound = RoundNumber::of(1, 0);

  LyingCoordinator();

  /// The coordinator is honest until it would send its first message of type M.
  template <class M>
  void honest_until() {
    lies_before_ = [](const wire::Message& message) { return std::holds_alternative<M>(message); };
    ASSERT_TRUE(federation_.run_until([this] { return lies_; })) << federation_.report();
    settle();
  }

  /// Index of a member in the cohort: members 1 to 5 are 0 to 4.
  static MemberId id(std::uint32_t index) { return MemberId{index + 1}; }

  /// Sends the message, and waits for what the members do about it.
  void tell(std::uint32_t member, const wire::Message& message) {
    tell(secagg::IndexSet{member}, message);
  }

  void tell(const secagg::IndexSet& members, const wire::Message& message);

  // ---- signed messages of the round

  [[nodiscard]] wire::Offer offer(const wire::RoundHeader& header) const;
  [[nodiscard]] wire::Fix fix(const secagg::IndexSet& u2) const;
  [[nodiscard]] wire::Survivors survivors(const secagg::IndexSet& u2,
                                          const secagg::IndexSet& s) const;
  /// A certificate of the endorsements that members gave, whatever they endorsed.
  [[nodiscard]] wire::UnmaskRequest certificate(const secagg::IndexSet& u2,
                                                const secagg::IndexSet& s,
                                                const secagg::IndexSet& signers) const;

  [[nodiscard]] const wire::RoundHeader& header() const { return offer_.header; }

  [[nodiscard]] Bytes32 h() const { return secagg::header_hash(header()); }

  [[nodiscard]] const crypto::SigningKey& key() const { return federation_.coordinator_key(); }

  // ---- what members sent

  struct ReceivedMessage {
    std::optional<wire::UploadHeader> m5;
    std::optional<wire::Endorse> m7;
  };

  std::map<std::uint32_t, ReceivedMessage> heard;

  [[nodiscard]] std::size_t shares_revealed() { return checker().shares_revealed(kRound); }

  [[nodiscard]] Checker& checker() { return federation_.checker(); }

 private:
  [[nodiscard]] Messages to_member(MemberId to, const wire::Message& message);
  [[nodiscard]] Messages to_coordinator(MemberId from, const wire::Message& message);

  void settle() { federation_.run_for(Duration(3000)); }

  Federation federation_;
  std::function<bool(const wire::Message&)> lies_before_;
  bool lies_ = false;
  wire::Offer offer_;  // the newest
};

}  // namespace sotto::simulation
