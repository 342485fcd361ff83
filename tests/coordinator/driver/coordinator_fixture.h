// The production coordinator of four members under a host that a test drives: what it sends and
// says is kept, and both clocks move when the test moves them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/config/parse.h"
#include "common/crypto/hash.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"
#include "coordinator/driver/coordinator.h"
#include "tests/coordinator/driver/seen_events.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator {

inline constexpr MemberId kMember{1};

class SendingHost final : public Host {
 public:
  [[nodiscard]] TimePoint now() const override { return time; }

  bool send(MemberId, Bytes frame) override {
    sent.push_back(std::move(frame));
    return true;
  }

  void wake_at(TimePoint) override {}

  void compute(std::function<void()>, std::function<void()>) override {}

  void finish(int exit_code) override { code = exit_code; }

  std::vector<Bytes> sent;
  TimePoint time{};
  std::optional<int> code;
};

class CoordinatorTest : public ::testing::Test {
 protected:
  CoordinatorTest() {
    roster.version = 2;
    roster.expiry_unix_s = unix_time + kYear;
    roster.coordinator_signing_key = signing.verify_key();
    for (std::uint32_t i = 1; i <= 4; ++i)
      roster.members.push_back({.id = MemberId{i},
                                .signing_key = member_key.verify_key(),
                                .transport_key = {static_cast<std::uint8_t>(i)},
                                .name = "site-" + std::to_string(i)});
    events.add(seen);
    app.emplace(CoordinatorOptions{.roster = roster,
                                   .job = job,
                                   .folder = folder / "run",
                                   .initial_model = {.layout = {{"w", {2}}}, .values = {1, 2}},
                                   .unix_now = [this] { return unix_time; }},
                host, signing, random, events);
    app->start();
    host.sent.clear();
    log.clear();
  }

  /// As a member with the roster of this coordinator sends it.
  [[nodiscard]] wire::Hello hello() const {
    return {.roster_version = roster.version, .roster_hash = roster.hash()};
  }

  void pass(Duration time) {
    host.time += time;
    app->on_wake();
  }

  void hear(MemberId member, const wire::Message& message, RoundNumber about = {}) {
    app->on_frame(member, wire::encode(member, about, message));
  }

  /// The member's signed answer to the job that it was offered.
  wire::JobReply answer(MemberId member, wire::JobAnswer what, const std::string& reason = "") {
    hear(member, hello());
    const auto offer = std::get<wire::JobOffer>(wire::decode(host.sent.back())->message);
    wire::JobReply reply{.run = offer.run,
                         .job_hash = crypto::hash("SOTTO job", {view_of(offer.job)}),
                         .id = member,
                         .answer = what,
                         .reason = reason};
    secagg::sign_job_reply(member_key, reply);
    return reply;
  }

  [[nodiscard]] std::size_t lines_with(const std::string& part) const {
    std::size_t found = 0;
    for (const std::string& line : log)
      found += line.find(part) != std::string::npos;
    return found;
  }

  static constexpr std::uint64_t kDay = 86400, kYear = 365 * kDay;

  std::uint64_t unix_time = 1'800'000'000;
  TemporaryDirectory folder;
  crypto::StreamRandom random{7};
  crypto::SigningKey signing = crypto::SigningKey::generate(random);
  crypto::SigningKey member_key = crypto::SigningKey::generate(random);  // of all
  config::JobConfig job =
      config::load_job(std::filesystem::path(SOTTO_SOURCE_DIR) / "configs/quickstart/job.json");
  config::Roster roster;
  SendingHost host;
  SeenEvents seen;
  std::vector<std::string>& log = seen.lines;
  RunStatus& status = seen.status;
  RunEvents events{[this] { return unix_time; }};
  std::optional<Coordinator> app;
};

}  // namespace sotto::coordinator
