// `policy explain` and the participant cannot differ: what is explained about a job is what a real
// Participant answers to its offer, over many jobs and sites.
#include "participant/admission/assessment.h"

#include <limits>
#include <map>
#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/config/parse.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"
#include "participant/admission/approvals.h"
#include "participant/admission/explanation.h"
#include "participant/admission/job_kind.h"
#include "participant/driver/participant.h"
#include "tests/participant/driver/fake_models.h"
#include "tests/temporary_directory.h"

namespace sotto::participant {
namespace {

namespace fs = std::filesystem;
using Random = std::mt19937_64;

constexpr std::uint64_t kNow = 1795474740;  // a Monday, 22:59 UTC

/// Keeps what the participant sends.
class ListeningHost final : public Host {
 public:
  [[nodiscard]] TimePoint now() const override { return time; }

  bool send(MemberId, Bytes frame) override {
    ++frames;
    auto decoded = wire::decode(frame);
    EXPECT_TRUE(decoded.ok());
    if (const auto* reply = std::get_if<wire::JobReply>(&decoded->message))
      replies.push_back(*reply);
    if (std::holds_alternative<wire::LeaveRound>(decoded->message)) ++left;
    return true;
  }

  void wake_at(TimePoint at) override { wake = at; }

  void compute(std::function<void()>, std::function<void()>) override {}

  void finish(int) override {}

  TimePoint time{}, wake{};
  std::vector<wire::JobReply> replies;
  int left = 0, frames = 0;
};

bool coin(Random& random) {
  return (random() & 1U) != 0;
}

/// One site on disk, with a clock that a test sets.
class SiteWorld {
 public:
  explicit SiteWorld(std::uint64_t seed, training::FakeSettings settings = {})
      : random_(seed),
        signing_(crypto::SigningKey::generate(random_)),
        coordinator_(crypto::SigningKey::generate(random_)),
        guard_(Guard::open(folder_ / "guard.log").value()),
        randomness_log_(RandomnessLog::open(folder_ / "genesis.log").value()),
        ledger_(privacy::PrivacyLedger::open(folder_ / "ledger.sqlite").value()),
        models_(std::move(settings)) {
    roster_.coordinator_signing_key = coordinator_.verify_key();
    roster_.expiry_unix_s = std::numeric_limits<std::uint64_t>::max();
    for (std::uint32_t i = 1; i <= 4; ++i)
      roster_.members.push_back(
          {.id = MemberId{i},
           .signing_key =
               i == 1 ? signing_.verify_key() : crypto::SigningKey::generate(random_).verify_key(),
           .transport_key = {static_cast<std::uint8_t>(i)},
           .name = "site-" + std::to_string(i)});
    read_examples_ = [this](const config::JobConfig&,
                            const config::SiteConfig&) -> Result<data::SiteExamples> {
      ++readings;
      if (broken) return *broken;
      return data::SiteExamples{
          .training_examples = 2000, .training_persons = 2000, .evaluation_examples = 1};
    };
  }

  [[nodiscard]] fs::path approvals() const { return folder_ / kApprovalsFile; }

  /// What `policy explain` makes of it.
  Assessment explained(const config::JobConfig& job, const config::SiteConfig& site) {
    const auto read = Approvals::read(approvals(), signing_.verify_key()).value();
    return assess(
        job,
        {.site = site,
         .models = models_,
         .read_examples = read_examples_,
         .ledger = ledger_,
         .federation = FederationFacts{.participants = 4, .coordinator = coordinator_.verify_key()},
         .now = config::local_time(now),
         .consent = consent_to(job, coordinator_.verify_key(), read, now)},
        Depth::kWhole);
  }

  std::unique_ptr<Participant> participant(const config::SiteConfig& site) {
    host.replies.clear();
    ParticipantOptions options{.self = MemberId{1},
                               .roster = roster_,
                               .site = site,
                               .models = models_,
                               .read_examples = read_examples_,
                               .unix_now = [this] { return now; },
                               .approvals = approvals(),
                               .approvals_key = signing_.verify_key(),
                               .offered_jobs = folder_ / "offered"};
    ParticipantObserver observer{
        .on_log = [this](const std::string& line) { notes.push_back(line); },
        .on_warning = [this](const std::string& line) { warnings.push_back(line); },
        .on_audit =
            [this](const observability::AuditEvent& event) {
              audited.push_back(event.kind);
              for (const auto& [name, text] : event.fields)
                if (name == "not_sent") not_sent.push_back(text);
            }};
    return std::make_unique<Participant>(std::move(options), host, signing_, random_, guard_,
                                         randomness_log_, ledger_, std::move(observer));
  }

  void offer(Participant& app, const config::JobConfig& job) {
    wire::JobOffer offer{.run = {1, 2}, .job = job.canonical};
    secagg::sign_job_offer(coordinator_, offer);
    app.on_frame(kCoordinatorId, wire::encode(kCoordinatorId, {}, offer));
  }

  void approve_job(const config::JobConfig& job, const Bytes32& digest) {
    ASSERT_TRUE(approve(approvals(), signing_, {.digest = digest, .what = job.name}, now).ok());
  }

  void withdraw_job(const Bytes32& digest) {
    ASSERT_TRUE(withdraw(approvals(), signing_, {.digest = digest}, now).ok());
  }

  [[nodiscard]] Bytes32 kind(const config::JobConfig& job) const {
    return kind_of(job, coordinator_.verify_key());
  }

  std::uint64_t now = kNow;
  ListeningHost host;
  std::vector<std::string> audited, not_sent, warnings, notes;
  std::optional<Error> broken;  // what reading the examples fails with
  int readings = 0;             // of the examples

 private:
  TemporaryDirectory folder_;
  crypto::StreamRandom random_;
  crypto::SigningKey signing_, coordinator_;
  Guard guard_;
  RandomnessLog randomness_log_;
  privacy::PrivacyLedger ledger_;
  config::Roster roster_;
  training::FakeModels models_;
  ReadExamples read_examples_;
};

const fs::path kConfigs = fs::path(SOTTO_SOURCE_DIR) / "configs";

config::JobConfig job_with(std::vector<std::string> overrides) {
  overrides.emplace_back("differential_privacy.noise_multiplier=1");
  return config::load_job(kConfigs / "quickstart/job.json", overrides);
}

config::SiteConfig open_site() {
  config::SiteConfig site;
  site.model_path = kConfigs / "quickstart/model";
  site.data.dataset_id = "ward-7";
  site.data.training_examples = 500;
  site.policy.max_epsilon = site.policy.max_epsilon_per_job = 1000;
  site.policy.allowed_tasks = {"sequence_classification"};
  return site;
}

config::JobConfig random_job(Random& random) {
  std::vector<std::string> o = {"rounds.num_server_rounds=" + std::to_string(1 + random() % 8)};
  if (random() % 8 == 0) o.emplace_back("differential_privacy.enabled=false");
  if (random() % 12 == 0) o.emplace_back("secure_aggregation.enabled=false");
  if (random() % 8 == 0) o.emplace_back("seed=7");
  if (random() % 6 == 0) o.emplace_back("rounds.training_timeout_s=90000");
  if (random() % 12 == 0)
    o.emplace_back("model.path=" + (kConfigs / "distributed-privacy/model").string());
  return job_with(std::move(o));
}

config::SiteConfig random_site(Random& random) {
  config::SiteConfig site = open_site();
  config::SitePolicy& p = site.policy;
  const auto sometimes = [&] { return random() % 5 == 0; };
  if (sometimes()) p.max_epsilon = p.max_epsilon_per_job = 0.5 + static_cast<double>(random() % 20);
  if (sometimes()) p.require_differential_privacy = false;
  if (sometimes()) p.require_secure_aggregation = false;
  if (sometimes()) p.min_noise_multiplier = coin(random) ? 0.5 : 1.5;
  if (sometimes()) p.allowed_models = {coin(random) ? "bert" : "llama"};
  if (sometimes()) p.allowed_modules = {coin(random) ? "all" : "classifier"};
  if (sometimes()) p.allowed_coordinators = {std::string(64, '7')};
  if (sometimes()) p.hours = {coin(random) ? "Mon 20:00-24:00" : "Tue 20:00-24:00"};
  if (sometimes()) p.max_update_mb = coin(random) ? 0.01 : 1;
  if (sometimes()) p.max_run_hours = 10;
  if (sometimes()) p.max_server_rounds = 4;
  if (sometimes()) p.min_cohort = coin(random) ? 4 : 5;
  if (random() % 3 == 0)
    p.require_approval = coin(random) ? config::RequiredApproval::kEveryJob
                                      : config::RequiredApproval::kFirstJobOfAKind;
  return site;
}

TEST(Assessment, WhatIsExplainedIsWhatAParticipantAnswers) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  Random random(7);
  std::map<Answer, int> seen;
  SiteWorld world(1);
  for (int i = 0; i < 150; ++i) {
    const config::JobConfig job = random_job(random);
    const config::SiteConfig site = random_site(random);
    if (random() % 4 == 0) world.approve_job(job, coin(random) ? job.hash : world.kind(job));
    config::JobConfig here = job;
    here.model.path = site.model_path.string();
    const Assessment explained = world.explained(here, site);
    const auto app = world.participant(site);
    world.offer(*app, job);
    ASSERT_EQ(world.host.replies.size(), 1u);
    const wire::JobReply& reply = world.host.replies.front();
    ++seen[explained.answer];
    EXPECT_EQ(reply.answer, explained.answer) << explained.reason;
    EXPECT_EQ(reply.reason, explained.reason);
    const ExplainedJob text{.job = here, .site = site, .assessment = explained};
    const auto object = to_json(text);
    ASSERT_TRUE(object.ok());
    EXPECT_EQ(nlohmann::json::parse(*object)["answer"], name(explained.answer));
    EXPECT_TRUE(describe(text).ok());
  }
  for (const Answer answer : {Answer::kAccept, Answer::kPostpone, Answer::kDecline})
    EXPECT_GT(seen[answer], 10) << name(answer);
}

TEST(Assessment, AJobThatIsRefusedOpensNoFile) {
  SiteWorld world(2);
  config::SiteConfig site = open_site();
  site.policy.max_server_rounds = 1;
  site.model_path = "/nowhere";
  config::JobConfig job = job_with({});
  const auto app = world.participant(site);
  world.offer(*app, job);
  ASSERT_EQ(world.host.replies.size(), 1u);
  EXPECT_NE(world.host.replies[0].reason.find("(policy.max_server_rounds)"), std::string::npos);
  EXPECT_EQ(world.host.replies[0].reason.find("folder"), std::string::npos);
}

TEST(Assessment, AnAcceptedJobStandsOnlyWithinTheHoursAndWhileItIsApproved) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  SiteWorld world(3);
  config::SiteConfig site = open_site();
  site.policy.hours = {"Mon 22:00-23:00"};
  site.policy.require_approval = config::RequiredApproval::kFirstJobOfAKind;
  const config::JobConfig job = job_with({});
  const auto app = world.participant(site);
  const auto newest = [&] { return world.host.replies.back(); };
  world.offer(*app, job);
  EXPECT_TRUE(newest().reason.starts_with("a person at this site"));
  world.offer(*app, job);
  EXPECT_EQ(world.audited, std::vector<std::string>{"job_postponed"}) << "once for both";
  world.approve_job(job, world.kind(job));
  world.offer(*app, job);
  EXPECT_TRUE(newest().answer == Answer::kAccept) << newest().reason;

  world.now += 59;  // still 22:59
  app->on_connected();
  EXPECT_TRUE(newest().answer == Answer::kAccept);
  world.now += 1;
  app->on_connected();
  EXPECT_NE(newest().answer, Answer::kAccept);
  EXPECT_TRUE(newest().reason.ends_with("the next window begins at Mon 22:00 (policy.hours)"))
      << newest().reason;
  world.now -= 60;
  app->on_connected();
  EXPECT_TRUE(newest().answer == Answer::kAccept) << "by itself";

  world.withdraw_job(world.kind(job));
  app->on_connected();
  EXPECT_NE(newest().answer, Answer::kAccept);
  wire::Offer round;
  round.header.round = RoundNumber::of(1, 0);
  app->on_frame(kCoordinatorId, wire::encode(kCoordinatorId, round.header.round, round));
  EXPECT_EQ(world.host.left, 1) << "no round is joined meanwhile";
  EXPECT_EQ(world.audited,
            (std::vector<std::string>{"job_postponed", "job_accepted", "job_postponed",
                                      "job_accepted", "job_postponed"}));
}

TEST(Answers, WhatWasFoundInFilesIsOneSentenceAndItsDetailStaysHere) {
  SiteWorld world(4);
  const auto app = world.participant(open_site());
  for (const char* detail : {"/srv/ward/train.tsv:112: the line has a label",
                             "/srv/ward/train.sotto-records contains texts"}) {
    world.broken = Error{detail};
    world.offer(*app, job_with({}));
    EXPECT_EQ(world.host.replies.back().answer, Answer::kDecline);
    EXPECT_EQ(world.host.replies.back().reason, kFilesDoNotFit);
    EXPECT_EQ(world.warnings.back(), detail);
    world.offer(*app, job_with({}));
  }
  EXPECT_EQ(world.warnings.size(), 2U) << "the same again is not logged again";
  EXPECT_EQ(world.not_sent,
            std::vector<std::string>{"/srv/ward/train.tsv:112: the line has a label"})
      << "in the audit log, once for an answer";
}

TEST(Answers, ASiteThatDeclaresNoSizeDeclinesAndNamesTheLineToAdd) {
  SiteWorld world(5);
  config::SiteConfig site = open_site();
  site.data.training_examples = 0;
  const auto app = world.participant(site);
  world.offer(*app, job_with({}));
  EXPECT_EQ(world.host.replies.back().answer, Answer::kDecline);
  EXPECT_NE(world.warnings.back().find("\"training_examples\": N"), std::string::npos);
  EXPECT_EQ(world.readings, 0) << "no record is looked at";
}

TEST(Answers, ADeclaredLabelThatTheJobDoesNotNameIsRefusedWithoutALookAtRecords) {
  SiteWorld world(6);
  config::SiteConfig site = open_site();
  site.data.labels = {"PlayMusic", "Other"};
  const auto app = world.participant(site);
  world.offer(*app, job_with({}));
  EXPECT_EQ(world.host.replies.back().answer, Answer::kDecline);
  EXPECT_EQ(world.host.replies.back().reason.find("Other"), std::string::npos);
  EXPECT_NE(world.warnings.back().find("Other"), std::string::npos) << "the site's people read it";
  EXPECT_EQ(world.readings, 0);
}

TEST(Answers, CarryTheDeclaredSizesAndTheLeastSum) {
  SiteWorld world(7);
  config::SiteConfig site = open_site();
  site.policy.min_cohort = 4;
  const auto app = world.participant(site);
  world.offer(*app, job_with({}));
  const wire::JobReply& reply = world.host.replies.back();
  EXPECT_EQ(reply.answer, Answer::kAccept) << reply.reason;
  EXPECT_EQ(reply.training_examples, 500U);
  EXPECT_EQ(reply.evaluation_examples, 1U) << "the trainer's";
  EXPECT_EQ(reply.least_sum, 4U);
}

TEST(Answers, AJobThatProtectsPersonsIsAcceptedWithTheirDeclaredNumber) {
  SiteWorld world(9);
  config::SiteConfig site = open_site();
  const config::JobConfig job = job_with({"differential_privacy.unit=person"});
  const auto without = world.participant(site);
  world.offer(*without, job);
  EXPECT_EQ(world.host.replies.back().answer, Answer::kDecline);
  EXPECT_EQ(world.readings, 0);
  site.data.layout.person = "patient";
  site.data.training_persons = 2000;
  const auto with = world.participant(site);
  world.offer(*with, job);
  EXPECT_EQ(world.host.replies.back().answer, Answer::kAccept) << world.host.replies.back().reason;
  EXPECT_EQ(world.host.replies.back().training_examples, 2000U);
}

// A learning library that samples examples would be charged as if it sampled persons.
TEST(Answers, ATrainerOfAnotherUnitIsNotRun) {
  SiteWorld world(10, {.knows_persons = false});
  config::SiteConfig site = open_site();
  site.data.layout.person = "patient";
  site.data.training_persons = 2000;
  const auto app = world.participant(site);
  world.offer(*app, job_with({"differential_privacy.unit=person"}));
  EXPECT_EQ(world.host.replies.back().answer, Answer::kDecline);
  EXPECT_EQ(world.host.replies.back().reason, kFilesDoNotFit);
  EXPECT_EQ(world.warnings.back(), training::kOtherUnit);
}

TEST(Answers, MoreDifferentJobsThanADayAllowsArePostponedWithoutALook) {
  SiteWorld world(8);
  config::SiteConfig site = open_site();
  site.policy.max_jobs_judged_per_day = 3;
  const auto app = world.participant(site);
  world.broken = Error{"no"};
  const auto job = [](int i) { return job_with({"seed=" + std::to_string(i)}); };
  for (int i = 0; i < 3; ++i)
    world.offer(*app, job(i));
  EXPECT_EQ(world.readings, 3);
  world.offer(*app, job(3));
  EXPECT_EQ(world.readings, 3);
  EXPECT_EQ(world.host.replies.back().answer, Answer::kPostpone);
  world.offer(*app, job(1));
  EXPECT_EQ(world.host.replies.back().answer, Answer::kDecline) << "judged before";
  world.now += 86400;
  world.offer(*app, job(3));
  EXPECT_EQ(world.readings, 5);
}

TEST(Answers, LeaveAtFixedTimesWhereTheSiteOrTheJobAsksForIt) {
  for (const bool by_job : {false, true}) {
    SiteWorld world(9);
    config::SiteConfig site = open_site();
    if (!by_job) site.policy.answer_every_s = 60;
    const auto app = world.participant(site);
    world.host.time = TimePoint{Duration(7000)};
    app->start();
    const int hellos = world.host.frames;
    world.offer(*app, by_job ? job_with({"rounds.answer_every_s=60"}) : job_with({}));
    EXPECT_EQ(world.host.frames, hellos) << "nothing is sent before";
    EXPECT_EQ(world.host.wake, TimePoint{Duration(67000)});
    world.host.time = world.host.wake;
    app->on_wake();
    ASSERT_EQ(world.host.replies.size(), 1U);
    EXPECT_EQ(world.host.replies.back().answer, Answer::kAccept) << world.host.replies[0].reason;
  }
}

TEST(Answers, AFrameOfAnotherProtocolIsNamedWithBothNumbersAndNotAnswered) {
  SiteWorld world(10);
  const auto app = world.participant(open_site());
  app->start();
  const int before = world.host.frames;
  Bytes frame = wire::encode(kCoordinatorId, {}, wire::JobOffer{});
  frame[0] = 1;
  for (int i = 0; i < 50; ++i)
    app->on_frame(kCoordinatorId, frame);
  EXPECT_EQ(world.host.frames, before);
  ASSERT_FALSE(world.notes.empty());
  EXPECT_LT(world.notes.size(), 10U);
  EXPECT_NE(world.notes[0].find("protocol 1"), std::string::npos) << world.notes[0];
  EXPECT_NE(world.notes[0].find("protocol 3"), std::string::npos) << world.notes[0];
}

TEST(Answers, ACoordinatorThatOffersNothingIsMentionedOnce) {
  SiteWorld world(11);
  const auto app = world.participant(open_site());
  app->start();
  for (int i = 0; i < 20; ++i) {
    world.host.time += Duration(5000);
    app->on_wake();
  }
  ASSERT_EQ(world.warnings.size(), 1U);
  EXPECT_NE(world.warnings[0].find("use another protocol"), std::string::npos);
}

}  // namespace
}  // namespace sotto::participant
