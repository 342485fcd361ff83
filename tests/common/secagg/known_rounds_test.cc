// Whole rounds, byte for byte as tests/vectors/secagg/transcripts.json has them: n = 4, C = 1,
// nobody missing, then one member silent from each phase on. Both halves say every message
// themselves from the vector's randomness, in the vector's order. A participant draws b, r, ske;
// then, at M2, the coefficients of b, those of r, and one nonce a holder in ascending id.
#include <map>

#include "common/secagg/client/client.h"
#include "common/secagg/server/server.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"
#include "tests/common/secagg/vectors.h"

namespace sotto::secagg {
namespace {

using vectors::bytes;
using vectors::bytes32;
using vectors::Json;
using vectors::load;
using vectors::ring_update;
using vectors::ScriptedRandom;
using vectors::secret;
using vectors::words_of;

MemberId id_of(const Json& json) {
  return MemberId{json.get<std::uint32_t>()};
}

struct Participant {
  Participant(const Json& values, const Json& u1, const wire::RoundHeader& round_header,
              const Cohort& cohort, std::vector<CohortMember> whole_roster,
              const crypto::VerifyKey& coordinator_key)
      : id(id_of(values["id"])),
        header(round_header),
        roster(std::move(whole_roster)),
        coordinator(coordinator_key),
        input(values["words"]),
        y(values["y"]),
        signing(crypto::SigningKey::from_seed(secret(values["identity"]))) {
    for (const char* name : {"b", "r", "ske"})
      random.say(values[name]);
    PresharedKeys keys;
    for (const Json& key : values["keys"])
      keys.emplace(id_of(key["with"]), secret(key["key"]));
    client.emplace(header, cohort, id, signing, keys, coordinator, random);
    for (const char* name : {"coefficients_b", "coefficients_r"})
      for (const Json& coefficient : values[name])
        random.say(coefficient);
    for (const Json& nonce : values["nonces"])
      if (std::ranges::find(u1, nonce["to"]) != u1.end()) random.say(nonce["nonce"]);
  }

  MemberId id;
  wire::RoundHeader header;
  std::vector<CohortMember> roster;
  crypto::VerifyKey coordinator;
  Json input, y;
  crypto::SigningKey signing;
  ScriptedRandom random;
  std::optional<Client> client;
  Bytes packed;  // y
  bool complained_falsely = false;
  std::vector<wire::Message> in;  // what came from the coordinator

  template <class M>
  const M& latest() const {
    return std::get<M>(in.back());
  }

  Result<wire::Message> advertise() {
    const auto checked = check_offer(latest<wire::Offer>(), coordinator, roster, id,
                                     {.roster_hash = header.roster_hash,
                                      .run = header.run,
                                      .config_hash = header.config_hash,
                                      .min_colluders = header.C,
                                      .min_cohort = header.s_min,
                                      .min_survivors = header.s_min,
                                      .lanes = header.lanes,
                                      .last_round = RoundNumber{header.round.value - 1}});
    if (!checked.ok()) return checked.error();
    EXPECT_EQ(checked->hash(), header.cohort_hash);
    return wire::Message(client->advertise());
  }

  Result<wire::Message> upload() {
    wire::Fix m4u = latest<wire::Fix>();
    if (complained_falsely) m4u.opened.clear();  // it has that share
    if (Status fixed = client->accept_u2(m4u); !fixed.ok()) return fixed.error();
    MaskedUpdate masked = client->mask_job().run(ring_update(header.lanes, input), 1);
    packed = masked.packed();
    EXPECT_EQ(to_hex(packed), y);
    return wire::Message(client->upload_header(masked.hash_y()));
  }

  Result<wire::Message> say(const std::string& kind) {
    const auto message = [](auto result) -> Result<wire::Message> {
      if (!result.ok()) return result.error();
      return wire::Message(std::move(result).value());
    };
    if (kind == "Advertise") return advertise();
    if (kind == "Shares") return message(client->deal(latest<wire::KeyList>(), random));
    if (kind == "ShareCheck") return message(client->check_shares(latest<wire::ShareForward>()));
    if (kind == "Opening") return message(client->open_shares(latest<wire::Complaints>()));
    if (kind == "UploadHeader") return upload();
    if (kind == "Endorse") {
      auto endorsement = client->endorse(latest<wire::Survivors>());
      if (!endorsement.ok()) return endorsement.error();
      return wire::Message(endorsement->message);
    }
    if (kind == "UnmaskResponse") return message(client->unmask(latest<wire::UnmaskRequest>()));
    return Error{"a participant says no " + kind};
  }
};

class Replay {
 public:
  Replay(const Json& known, const Json& round)
      : known_(known),
        round_(round),
        header_(wire::parse_header(bytes(known["header"]["bytes"])).value()),
        signing_(crypto::SigningKey::from_seed(secret(known["coordinator"]))),
        cohort_(cohort_of(round)),
        server_(header_, cohort_, signing_) {
    for (const Json& values : round["members"])
      if (std::ranges::find(round["u1"], values["id"]) != round["u1"].end())
        members_.try_emplace(id_of(values["id"]), values, round["u1"], header_, cohort_, roster(),
                             signing_.verify_key());
  }

  void run() {
    EXPECT_EQ(to_hex(server_.h()), known_["header"]["hash"]);
    for (const Json& step : round_["messages"]) {
      const MemberId from = id_of(step["from"]);
      const std::string kind = step["message"];
      const auto message = from == kCoordinatorId ? coordinator_says(kind, id_of(step["to"][0]))
                                                  : members_.at(from).say(kind);
      ASSERT_TRUE(message.ok()) << kind << ": " << message.error().message;
      if (step.value("lie", false) && kind == "ShareCheck")
        members_.at(from).complained_falsely = true;
      // A member that lies says something else than the code would.
      EXPECT_EQ(to_hex(wire::encode(from, header_.round, *message)) == step["frame"],
                !step.value("lie", false))
          << kind << " from " << raw(from);
      const auto decoded = wire::decode(bytes(step["frame"]));
      ASSERT_TRUE(decoded.ok()) << kind << ": " << decoded.error().message;
      if (from == kCoordinatorId)
        for (const Json& to : step["to"])
          deliver(id_of(to), decoded->message);
      else
        accept(from, decoded->message);
    }
    for (const auto& [id, member] : members_)
      EXPECT_EQ(member.random.used_up(), raw(id) != round_["dropout"] || dealt(id));
  }

 private:
  static Cohort cohort_of(const Json& round) {
    std::vector<CohortMember> members;
    for (const Json& values : round["members"])
      members.push_back({id_of(values["id"]),
                         crypto::SigningKey::from_seed(secret(values["identity"])).verify_key()});
    return Cohort(std::move(members));
  }

  /// The cohort and two members that are not in it.
  [[nodiscard]] std::vector<CohortMember> roster() const {
    std::vector<CohortMember> out;
    for (std::uint32_t id : known_["roster_ids"]) {
      const auto index = cohort_.index_of(MemberId{id});
      out.push_back(index ? cohort_.at(*index) : CohortMember{.id = MemberId{id}});
    }
    return out;
  }

  [[nodiscard]] bool dealt(MemberId id) const {
    return std::ranges::find(round_["v"], Json(raw(id))) != round_["v"].end();
  }

  void deliver(MemberId to, const wire::Message& message) {
    const auto member = members_.find(to);
    if (member == members_.end()) return;  // never advertised
    member->second.in.push_back(message);
    if (const auto* m10 = std::get_if<wire::RoundResult>(&message)) {
      EXPECT_TRUE(member->second.client->accepts_result(*m10));
    }
  }

  void accept(MemberId from, const wire::Message& message) {
    const auto result = [&]() -> MessageResult {
      if (const auto* m = std::get_if<wire::Advertise>(&message)) return server_.accept(*m);
      if (const auto* m = std::get_if<wire::Shares>(&message)) return server_.accept(*m);
      if (const auto* m = std::get_if<wire::ShareCheck>(&message)) return server_.accept(*m);
      if (const auto* m = std::get_if<wire::Opening>(&message)) return server_.accept(*m);
      if (const auto* m = std::get_if<wire::UploadHeader>(&message)) return server_.accept(*m);
      if (const auto* m = std::get_if<wire::Endorse>(&message)) return server_.accept(from, *m);
      return server_.accept(std::get<wire::UnmaskResponse>(message));
    }();
    EXPECT_EQ(result.kind, MessageResult::Kind::kAccepted) << result.reason;
  }

  Result<wire::Message> coordinator_says(const std::string& kind, MemberId to) {
    const bool first = phase_ != kind;
    phase_ = kind;
    if (kind == "Offer") return wire::Message(offer());
    if (kind == "KeyList")
      return after(first ? server_.fix_u1() : Status{}, [&] { return server_.key_list(to); });
    if (kind == "ShareForward")
      return after(first ? server_.fix_v() : Status{}, [&] { return server_.share_forward(to); });
    if (kind == "Complaints")
      return after(first ? server_.fix_complaints() : Status{},
                   [&] { return server_.complaints_about(to); });
    if (kind == "Fix")
      return after(first ? server_.fix_u2() : Status{}, [&] { return server_.fix_message(to); });
    if (kind == "Survivors") return after(take_uploads(), [&] { return server_.survivors(); });
    if (kind == "UnmaskRequest") return wire::Message(server_.unmask_request(to));
    return after(open(), [&] {
      return server_.result(wire::RoundStatus::kDone, aggregate_hash_,
                            bytes32(known_["next_model"]));
    });
  }

  template <class Make>
  static Result<wire::Message> after(const Status& status, const Make& make) {
    if (!status.ok()) return status.error();
    return wire::Message(make());
  }

  [[nodiscard]] wire::Offer offer() const {
    const auto roster = known_["roster_ids"].get<std::vector<std::uint32_t>>();
    std::vector<std::uint32_t> ranks;
    for (std::uint32_t rank = 0; rank < roster.size(); ++rank)
      if (cohort_.index_of(MemberId{roster[rank]})) ranks.push_back(rank);
    wire::Offer m0{.header = header_,
                   .deadline_ms = known_["deadline_ms"],
                   .cohort = wire::to_bitmap(static_cast<std::uint32_t>(roster.size()), ranks),
                   .signature = {}};
    sign_offer(signing_, m0);
    return m0;
  }

  Status take_uploads() {
    sum_ = encoding::RingUpdate::zeros(header_.lanes);
    for (const Json& id : round_["s"]) {
      const Bytes& packed = members_.at(id_of(id)).packed;
      if (Status good = server_.check_upload(id_of(id), packed); !good.ok()) return good;
      if (Status added = sum_.add_packed(packed); !added.ok()) return added;
      server_.upload_complete(id_of(id));
    }
    return server_.fix_s();
  }

  Status open() {
    if (!server_.can_open()) return Error{"the sum cannot be opened"};
    auto job = server_.open();
    if (!job.ok()) return job.error();
    const encoding::RingUpdate plain = std::move(job).value().run(std::move(sum_), 1);
    for (std::size_t i = 0; i < plain.lanes.size(); ++i)
      EXPECT_EQ(words_of(plain.lanes[i]), round_["sum"][i]) << "lane " << i;
    aggregate_hash_ = hash_of_sum(server_.h(), plain);
    EXPECT_EQ(to_hex(aggregate_hash_), round_["aggregate_hash"]);
    return {};
  }

  const Json& known_;
  const Json& round_;
  wire::RoundHeader header_;
  crypto::SigningKey signing_;
  Cohort cohort_;
  Server server_;
  std::map<MemberId, Participant> members_;
  std::string phase_;
  encoding::RingUpdate sum_;
  Bytes32 aggregate_hash_{};
};

void replay(const std::string& name) {
  static const Json known = load("transcripts.json");
  for (const Json& round : known["rounds"])
    if (round["name"] == name) return Replay(known, round).run();
  FAIL() << "no transcript " << name;
}

TEST(SecAggKnownRounds, NobodyMissing) {
  replay("nobody");
}

TEST(SecAggKnownRounds, DropoutAtAdvertise) {
  replay("advertise");
}

TEST(SecAggKnownRounds, DropoutAtShares) {
  replay("shares");
}

TEST(SecAggKnownRounds, DropoutAtCheck) {
  replay("check");
}

TEST(SecAggKnownRounds, DropoutAtUpload) {
  replay("upload");
}

TEST(SecAggKnownRounds, DropoutAtEndorse) {
  replay("endorse");
}

TEST(SecAggKnownRounds, DropoutAtUnmask) {
  replay("unmask");
}

TEST(SecAggKnownRounds, ATrueAndAFalseComplaint) {
  replay("complaints");
}

TEST(SecAggKnownRounds, PresharedKeysAndADropoutAtUpload) {
  replay("keys");
}

}  // namespace
}  // namespace sotto::secagg
