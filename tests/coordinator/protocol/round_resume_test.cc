// A round goes on from what was kept of it, whole, cut off anywhere or not at all; never from what
// was bent (docs/operations.md, "Recovery").
#include <csignal>
#include <fstream>

#include <sys/resource.h>

#include "common/secagg/shared/transcript.h"
#include "coordinator/storage/round_journal.h"
#include "tests/coordinator/protocol/round_play.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

constexpr std::uint32_t kMembers = 5;
constexpr std::uint32_t kSilent = 3;  // never deals shares: a dropout in the middle of the facts

/// A whole round over a spool, and its facts.
class RoundResume : public ::testing::Test {
 protected:
  RoundResume() {
    play.mute(kSilent, "Shares");
    play.start();
    play.wait(kPhase);
    SOTTO_CHECK(play.done_with({0, 1, 2, 4}), "the round is done");
  }

  [[nodiscard]] std::vector<RoundFact> first(std::size_t count) const {
    return {play.facts.begin(), play.facts.begin() + static_cast<std::ptrdiff_t>(count)};
  }

  /// What a new process makes of the facts: the phase, or why not.
  std::string resumed(const std::vector<RoundFact>& facts) {
    RoundStateMachine machine(play.make_plan({}), play.members.coordinator);
    const auto output = machine.resume(facts, play.now);
    if (!output.ok()) return output.error().message;
    return std::string(name(machine.progress().phase));
  }

  [[nodiscard]] AttemptBegun begun() const {
    AttemptBegun attempt{.run = play.members.header.run,
                         .round = play.members.header.round,
                         .counters = EvaluationCounters::kLeftOut,
                         .header_hash = secagg::header_hash(play.members.header)};
    for (const auto& member : play.members.roster)
      attempt.cohort.push_back(member.id);
    attempt.declared.assign(attempt.cohort.size(), 7000);
    return attempt;
  }

  void write_journal(const std::filesystem::path& folder) {
    auto journal = std::move(RoundJournal::open(folder)->journal);
    ASSERT_TRUE(journal.begin(begun()).ok());
    for (const RoundFact& fact : play.facts) {
      journal.append({fact});
      if (std::holds_alternative<Decided>(fact)) {
        ASSERT_TRUE(journal.commit().ok());
      }
    }
    ASSERT_TRUE(journal.commit().ok());
    EXPECT_FALSE(journal.has_uncommitted());
  }

  TemporaryDirectory directory;
  Play play{kMembers, 1, 20, {}, UploadSpool::open(directory / "spool").value()};
};

TEST_F(RoundResume, EveryPrefixOfTheFactsIsAPlaceToGoOnFrom) {
  std::string phase = "Advertise";
  for (std::size_t count = 0; count <= play.facts.size(); ++count) {
    if (count > 0)
      if (const auto* decided = std::get_if<Decided>(&play.facts[count - 1]))
        phase = name(decided->entered);
    const std::string now = resumed(first(count));
    // What only waited for time goes on at once when it is complete.
    const bool complete =
        count == play.facts.size() || std::holds_alternative<Decided>(play.facts[count]);
    EXPECT_TRUE(complete || now == phase) << count << ": " << now;
    EXPECT_EQ(now.find(' '), std::string::npos) << count << ": " << now;
  }
  EXPECT_EQ(phase, "Unmask");
}

TEST_F(RoundResume, WhatDoesNotComeOutAsItWasAnnouncedIsRefused) {
  for (std::size_t i = 0; i < play.facts.size(); ++i) {
    const bool last_unmasking = i + kMembers > play.facts.size();
    std::vector<RoundFact> without = play.facts;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    const std::string answer = resumed(without);
    EXPECT_TRUE(last_unmasking || answer.starts_with("fact ")) << "without " << i << ": " << answer;
    if (auto* decided = std::get_if<Decided>(&play.facts[i])) {
      decided->digest[7] ^= 1;
      EXPECT_NE(resumed(play.facts).find("has another result than announced"), std::string::npos);
      decided->digest[7] ^= 1;
    }
  }
  std::vector<RoundFact> more = play.facts;
  more.emplace_back(EndedWithoutSum{});
  EXPECT_NE(resumed(more).find("the round is over"), std::string::npos);
  more = play.facts;
  std::get<ReceivedMessage>(more[0]).envelope.round.value += 1;
  EXPECT_NE(resumed(more).find("does not belong to this round"), std::string::npos);
}

TEST_F(RoundResume, AStoreThatLostAnUploadThatCountsIsRefused) {
  std::ofstream(directory / "spool", std::ios::binary | std::ios::trunc);
  EXPECT_NE(resumed(play.facts).find("the store lacks an upload that was complete"),
            std::string::npos);
}

TEST_F(RoundResume, TheJournalGivesBackWhatItWasGiven) {
  const TemporaryDirectory folder;
  write_journal(folder.path());
  const auto opened = RoundJournal::open(folder.path());
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  ASSERT_TRUE(opened->unfinished.has_value());
  EXPECT_EQ(opened->unfinished->begun.cohort, begun().cohort);
  EXPECT_EQ(opened->unfinished->begun.header_hash, begun().header_hash);
  EXPECT_EQ(opened->unfinished->begun.counters, EvaluationCounters::kLeftOut);
  EXPECT_EQ(opened->unfinished->begun.declared, begun().declared);
  EXPECT_EQ(opened->unfinished->facts.size(), play.facts.size());
  EXPECT_EQ(resumed(opened->unfinished->facts), "Unmask");
}

TEST_F(RoundResume, AJournalCutOffAnywhereIsAShorterOne) {
  const TemporaryDirectory folder;
  write_journal(folder.path());
  const auto file = folder / "round.log";
  std::size_t facts = play.facts.size();
  const auto whole = std::filesystem::file_size(file);
  for (auto size = whole; size > 12; size -= std::min<std::uintmax_t>(size - 12, 97)) {
    std::filesystem::resize_file(file, size);
    const auto opened = RoundJournal::open(folder.path());
    ASSERT_TRUE(opened.ok()) << size << ": " << opened.error().message;
    if (!opened->unfinished) {
      facts = 0;
      continue;
    }
    ASSERT_LE(opened->unfinished->facts.size(), facts);
    facts = opened->unfinished->facts.size();
    EXPECT_EQ(resumed(opened->unfinished->facts).find("fact"), std::string::npos) << size;
  }
  EXPECT_EQ(facts, 0U);
}

TEST_F(RoundResume, ADamagedJournalSaysWhatToDo) {
  const TemporaryDirectory folder;
  write_journal(folder.path());
  const auto file = folder / "round.log";
  const Bytes good = storage::read_file(file, 1 << 24).value();
  const auto put = [&](BytesView bytes) {
    SOTTO_CHECK(storage::write_file_atomically(file, {bytes}, storage::FileAccess::kOwnerOnly).ok(),
                "");
  };
  for (std::size_t at : {std::size_t{3}, std::size_t{9}, std::size_t{60}, good.size() / 2}) {
    Bytes bent = good;
    bent[at] ^= 1;
    put(bent);
    const auto opened = RoundJournal::open(folder.path());
    ASSERT_FALSE(opened.ok()) << at;
    EXPECT_NE(opened.error().message.find(file.string()), std::string::npos);
    EXPECT_NE(opened.error().message.find("move this file away"), std::string::npos);
  }
}

TEST_F(RoundResume, AnAttemptThatEndedOrWasReplacedIsNotTakenUp) {
  const TemporaryDirectory folder;
  write_journal(folder.path());
  {
    auto journal = std::move(RoundJournal::open(folder.path())->journal);
    journal.append({EndedWithoutSum{}});
    ASSERT_TRUE(journal.commit().ok());
    ASSERT_TRUE(journal.end().ok());
  }
  EXPECT_FALSE(RoundJournal::open(folder.path())->unfinished.has_value());
  {
    auto journal = std::move(RoundJournal::open(folder.path())->journal);
    AttemptBegun next = begun();
    next.round.value += 1;
    ASSERT_TRUE(journal.begin(next).ok());
    journal.append({Left{MemberId{9}}});  // never committed
  }
  const auto opened = RoundJournal::open(folder.path());
  ASSERT_TRUE(opened->unfinished.has_value());
  EXPECT_EQ(opened->unfinished->begun.round.value, begun().round.value + 1);
  EXPECT_TRUE(opened->unfinished->facts.empty());
}

TEST(UploadSpool, KeepsUploadsApartAndOverAProcess) {
  const TemporaryDirectory folder;
  const Bytes one(10000, 1), two(10000, 2);
  {
    auto spool = UploadSpool::open(folder / "spool").value();
    ASSERT_TRUE(spool->begin(3, one.size()).ok());
    ASSERT_TRUE(spool->write(0, 0, one).ok());
    ASSERT_TRUE(spool->write(2, 5000, BytesView(two).subspan(5000)).ok());
    ASSERT_TRUE(spool->write(2, 0, BytesView(two).first(5000)).ok());
    ASSERT_TRUE(spool->sync().ok());
  }
  auto spool = UploadSpool::open(folder / "spool").value();
  ASSERT_TRUE(spool->begin(3, one.size()).ok());
  const auto same = [](BytesView read, const Bytes& written) {
    return std::equal(read.begin(), read.end(), written.begin(), written.end());
  };
  EXPECT_TRUE(same(spool->read(0, 0, 10000).value(), one));
  EXPECT_TRUE(same(spool->read(2, 0, 10000).value(), two));
  EXPECT_TRUE(same(spool->read(2, 4000, 1500).value(), Bytes(1500, 2)));
  EXPECT_TRUE(same(spool->read(1, 0, 10000).value(), Bytes(10000, 0)));
  ASSERT_TRUE(spool->clear().ok());
  EXPECT_EQ(std::filesystem::file_size(folder / "spool"), 0U);
}

TEST(UploadSpool, AFullDiskIsAnErrorThatNamesTheFile) {
  const TemporaryDirectory folder;
  auto spool = UploadSpool::open(folder / "spool").value();
  ASSERT_TRUE(spool->begin(2, 8192).ok());
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{.rlim_cur = 4096, .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status written = spool->write(1, 0, Bytes(4096, 7));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, before);
  ASSERT_FALSE(written.ok());
  EXPECT_NE(written.error().message.find((folder / "spool").string()), std::string::npos);
}

}  // namespace
}  // namespace sotto::coordinator
