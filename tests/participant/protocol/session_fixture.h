// One real session as member 0 of a cohort whose other members are plain clients; the test is the
// coordinator, the driver and the clock.
#pragma once

#include <filesystem>

#include "common/privacy/ledger/ledger.h"
#include "common/wire/blob_transfer.h"
#include "participant/protocol/session.h"
#include "tests/common/secagg/round_fixture.h"

namespace sotto::participant {

inline FlatParameters test_model() {
  return {.layout = {{.name = "w", .shape = {5}}}, .values = {1, 2, 3, 4, 5}};
}

/// The messages of one type that an output sends.
template <class M>
std::vector<M> sent(const SessionOutput& out) {
  std::vector<M> found;
  for (const wire::Envelope& envelope : out.send)
    if (const auto* m = std::get_if<M>(&envelope.message)) found.push_back(*m);
  return found;
}

inline bool has_event(const SessionOutput& out, SessionEvent::Kind kind,
                      const std::string& detail = "") {
  return std::ranges::any_of(out.events, [&](const SessionEvent& event) {
    return event.kind == kind && event.detail.find(detail) != std::string::npos;
  });
}

struct SessionTest : ::testing::Test {
  using Kind = SessionEvent::Kind;
  static constexpr std::uint32_t kMembers = 5;

  secagg::TestRound others{kMembers};
  crypto::StreamRandom random{77};
  FlatParameters model = test_model();
  Agreement agreement;
  secagg::PresharedKeys preshared;
  std::optional<ParticipantSession> session;
  TimePoint now{Duration{1000}};
  std::filesystem::path folder;
  std::optional<privacy::PrivacyLedger> ledger;

  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "sotto-session-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    ledger.emplace(privacy::PrivacyLedger::open(folder / "ledger").value());
    agreement.run = others.header.run;
    agreement.config_hash = others.header.config_hash;
    agreement.roster_hash = others.header.roster_hash;
    agreement.num_server_rounds = 3;
    agreement.parameters = model.values.size();
    agreement.encoding.metrics = {"examples"};
    agreement.max_round = Duration{60000};
    others.header.model_hash = model.hash();
    others.header.lanes = encoding::lane_specs(agreement.encoding, agreement.parameters, kMembers);
    others.join();
    start(GuardState());
  }

  void TearDown() override {
    ledger.reset();
    std::filesystem::remove_all(folder);
  }

  void start(const GuardState& guard) {
    session.emplace(agreement, others.id(0), others.roster, others.coordinator.verify_key(),
                    others.keys[0], preshared, random, guard);
  }

  SessionOutput deliver(wire::Message message) {
    return deliver_about(others.header.round, std::move(message));
  }

  SessionOutput deliver_about(RoundNumber round, wire::Message message) {
    return session->handle({kCoordinatorId, round, std::move(message)}, now);
  }

  // ---- honest steps; each returns what the session put out

  SessionOutput offer() {
    SessionOutput out = deliver(others.offer());
    others.m1[0] = sent<wire::Advertise>(out).at(0);
    return out;
  }

  SessionOutput deal() {
    const auto everybody = secagg::all_of(kMembers);
    for (std::uint32_t i = 1; i < kMembers; ++i)
      others.m3[i] = others.clients[i].deal(others.key_list(i, everybody), others.random).value();
    SessionOutput out = deliver(others.key_list(0, everybody));
    others.m3[0] = sent<wire::Shares>(out).at(0);
    return out;
  }

  SessionOutput check() {
    const auto everybody = secagg::all_of(kMembers);
    for (std::uint32_t i = 1; i < kMembers; ++i)
      others.m4a[i] = others.clients[i].check_shares(others.forward(i, everybody)).value();
    SessionOutput out = deliver(others.forward(0, everybody));
    others.m4a[0] = sent<wire::ShareCheck>(out).at(0);
    return out;
  }

  SessionOutput fix() {
    const auto everybody = secagg::all_of(kMembers);
    for (std::uint32_t i = 1; i < kMembers; ++i)
      EXPECT_TRUE(others.clients[i].accept_u2(others.fix(everybody)).ok());
    return deliver(others.fix(everybody));
  }

  /// Serves the model for the requests of an earlier output; the last answer's output.
  SessionOutput serve_model(const SessionOutput& asked) {
    const Bytes bytes = encode_parameters(model);
    SessionOutput out;
    for (const auto& request : sent<wire::BlobRequest>(asked)) {
      EXPECT_EQ(request.blob, others.header.model_hash);
      out = deliver(wire::answer(request, bytes).value());
    }
    return out;
  }

  SessionOutput computed() { return session->computed(others.header.round, Status(), now); }

  Result<privacy::Released<secagg::MaskedUpdate>> release(MaskRequest request) {
    const privacy::Charge charge{.dataset_id = "d",
                                 .run = agreement.run,
                                 .round = request.round,
                                 .job_hash = agreement.config_hash,
                                 .steps = std::nullopt,
                                 .input = request.input,
                                 .without_privacy = false};
    const privacy::Budget budget{.max_epsilon = 1, .delta = 1e-5};
    return ledger->charge_and_release(charge, budget,
                                      std::move(request.job).run(others.input(100), 1));
  }

  SessionOutput masked(SessionOutput& out) {
    return session->masked(others.header.round, release(std::move(out.mask).value()), now);
  }

  /// Everything up to the upload of everybody.
  SessionOutput until_uploaded() {
    serve_model(offer());
    deal();
    check();
    computed();
    SessionOutput fixed = fix();
    SessionOutput out = masked(fixed);
    others.m5[0] = sent<wire::UploadHeader>(out).at(0);
    others.upload({1, 2, 3, 4});
    return out;
  }

  SessionOutput endorse() {
    const auto everybody = secagg::all_of(kMembers);
    for (std::uint32_t i = 1; i < kMembers; ++i)
      others.m7[i] =
          others.clients[i].endorse(others.survivors(everybody, everybody)).value().message;
    SessionOutput out = deliver(others.survivors(everybody, everybody));
    others.m7[0] = sent<wire::Endorse>(out).at(0);
    return out;
  }

  wire::UnmaskRequest certificate() {
    const auto everybody = secagg::all_of(kMembers);
    return others.request(everybody, everybody, {0, 1, 2, 3});
  }

  wire::RoundResult result() {
    wire::RoundResult m10;
    secagg::sign_result(others.coordinator, others.h, m10);
    return m10;
  }

  [[nodiscard]] wire::AbortRequest abort_request() const {
    wire::AbortRequest m6{.header = others.header, .signature = {}};
    secagg::sign_abort_request(others.coordinator, m6);
    return m6;
  }

  [[nodiscard]] wire::AbortCertificate abort_certificate(const secagg::IndexSet& voters) const {
    wire::AbortCertificate m8;
    for (std::uint32_t i : voters) {
      m8.votes.push_back({.id = others.id(i), .signature = {}});
      secagg::sign_abort_vote(others.keys[i], others.h, m8.votes.back());
    }
    return m8;
  }

  /// The guard of a site that has joined the round of `others` and was started again.
  [[nodiscard]] GuardState guard_that_joined() const {
    GuardState guard;
    guard.apply({.run = agreement.run,
                 .round = others.header.round,
                 .step = GuardStep::kJoined,
                 .h = others.h,
                 .d_u2 = {},
                 .hash_y = {},
                 .d_s = {},
                 .input = {}});
    return guard;
  }

  /// Another header of the same run; the session stays as it is.
  void next_round(RoundNumber round) {
    others.header.round = round;
    others.join();
  }
};

}  // namespace sotto::participant
