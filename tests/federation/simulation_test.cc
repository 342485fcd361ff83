// The simulation itself: one seed is one history, a process that is killed loses its memory and
// keeps its files, and no event of an earlier process reaches a later one.
#include "common/simulation/simulation.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "common/crypto/hash.h"
#include "common/storage/append_log.h"
#include "tests/temporary_directory.h"

namespace sotto::simulation {
namespace {

constexpr MemberId kMember{7};

/// Counts in memory and in a log, and answers each frame until it has had enough of them.
class Counter final : public App {
 public:
  Counter(Host& host, MemberId peer, const std::filesystem::path& file)
      : host_(host), peer_(peer), log_(storage::AppendLog::open(file).value()) {}

  void start() override { host_.wake_at(host_.now() + Duration(100)); }

  void on_frame(MemberId, BytesView) override {
    ++in_memory;
    SOTTO_CHECK(log_.log.append(view_of("x")).ok(), "the log can be written");
    host_.compute([] {}, [this] { host_.send(peer_, Bytes{1}); });
    if (peer_ == kMember && log_.records.size() + in_memory > 50) host_.finish(0);
  }

  void on_wake() override {
    host_.send(peer_, Bytes{2});
    host_.wake_at(host_.now() + Duration(100));
  }

  void on_stop_requested() override {}

  std::size_t in_memory = 0;

 private:
  Host& host_;
  MemberId peer_;
  storage::AppendLog::Opened log_;
};

struct SimulationTest : ::testing::Test {
  struct Outcome {
    Bytes32 history{};
    std::uint64_t kills = 0;
    std::uint64_t operations = 0;
  };

  /// A coordinator and a member that count each other's frames to the end.
  Outcome run(std::uint64_t seed, double kills, const LinkFaults& links) {
    const TemporaryDirectory directory;
    FaultyStorage storage(seed, kills);
    FaultyStorage members;
    Simulation simulation(
        {.seed = seed, .links = links, .min_compute = Duration(1), .max_compute = Duration(5)});
    Outcome out;
    simulation.set_tap([&](MemberId from, MemberId, Bytes frame) {
      ByteWriter event;
      event.u64(static_cast<std::uint64_t>(simulation.now().time_since_epoch().count()));
      event.u32(raw(from));
      out.history = crypto::hash("test history", {out.history, event.view(), frame});
      return std::vector<Bytes>{std::move(frame)};
    });
    simulation.add(
        kCoordinatorId,
        [&](Host& host) {
          return std::make_unique<Counter>(host, kMember, directory / "coordinator");
        },
        &storage);
    simulation.add(
        kMember,
        [&](Host& host) {
          return std::make_unique<Counter>(host, kCoordinatorId, directory / "member");
        },
        &members, kills);
    EXPECT_EQ(simulation.run(), 0);
    out.kills = simulation.kills();
    out.operations = storage.operations();
    return out;
  }
};

TEST_F(SimulationTest, TheSameSeedIsTheSameHistory) {
  const LinkFaults links{
      .loss = 0.1, .duplicate = 0.1, .max_delay = Duration(40), .break_on_delivery = 0.05};
  const Outcome first = run(1, 0.05, links);
  EXPECT_GT(first.kills, 0U);
  EXPECT_EQ(run(1, 0.05, links).history, first.history);
  EXPECT_NE(run(2, 0.05, links).history, first.history);
}

TEST_F(SimulationTest, AKilledProcessKeepsItsFilesAndLosesItsMemory) {
  const Outcome out = run(3, 0.1, {});
  EXPECT_GT(out.kills, 3U);
  EXPECT_GT(out.operations, 50U) << "each frame that counts was written";
}

TEST_F(SimulationTest, WithoutFaultsNothingIsKilled) {
  EXPECT_EQ(run(4, 0, {}).kills, 0U);
}

}  // namespace
}  // namespace sotto::simulation
