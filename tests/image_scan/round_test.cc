// After a round nothing of its secrets is left in the process, and during it they are nowhere but
// in the arena: not in a freed block, not on a dead stack frame (docs/secure-aggregation.md, 2.5
// and 2.7).
#include <memory>

#include "common/secagg/server/server.h"
#include "tests/image_scan/round_secrets.h"

namespace sotto::image_scan {
namespace {

/// A round with a dropout after U2, both sides in this process, with everything it needs gone at
/// the end.
void play(const Plan& plan, Search& search) {
  TestRound others(kMembers);
  others.clients.clear();
  std::deque<MaskedRandom> randoms;
  for (std::uint32_t i = 0; i < kMembers; ++i)
    randoms.emplace_back(plan.draws[i].scalars);
  secagg::Server server(others.header, Cohort(others.roster), others.coordinator);
  for (std::uint32_t i = 0; i < kMembers; ++i) {
    others.clients.emplace_back(others.header, Cohort(others.roster), others.id(i), others.keys[i],
                                secagg::PresharedKeys{}, others.coordinator.verify_key(),
                                randoms[i]);
    others.m1[i] = others.clients[i].advertise();
    search.outside_of_the_arena();
    ASSERT_EQ(server.accept(others.m1[i]).reason, "");
  }
  ASSERT_TRUE(server.fix_u1().ok());
  const secagg::IndexSet all = secagg::all_of(kMembers);
  for (std::uint32_t i : all) {
    others.m3[i] = others.clients[i].deal(server.key_list(others.id(i)), randoms[i]).value();
    search.outside_of_the_arena();
    ASSERT_EQ(server.accept(*others.m3[i]).reason, "");
  }
  ASSERT_TRUE(server.fix_v().ok());
  for (std::uint32_t i : all) {
    const auto m4a = others.clients[i].check_shares(server.share_forward(others.id(i))).value();
    search.outside_of_the_arena();
    ASSERT_EQ(server.accept(m4a).reason, "");
  }
  ASSERT_TRUE(server.fix_u2().ok());
  encoding::RingUpdate sum = encoding::RingUpdate::zeros(others.header.lanes);
  const secagg::IndexSet survivors = secagg::without(all, kDropout);
  for (std::uint32_t i : all)
    ASSERT_TRUE(others.clients[i].accept_u2(server.fix_message(others.id(i))).ok());
  for (std::uint32_t i : survivors) {
    others.upload(i);
    search.outside_of_the_arena();
    ASSERT_EQ(server.accept(*others.m5[i]).reason, "");
    ASSERT_TRUE(server.check_upload(others.id(i), others.y[i]).ok());
    ASSERT_TRUE(sum.add_packed(others.y[i]).ok());
    server.upload_complete(others.id(i));
  }
  ASSERT_TRUE(server.fix_s().ok());
  for (std::uint32_t i : survivors) {
    const auto m7 = others.clients[i].endorse(server.survivors()).value().message;
    ASSERT_EQ(server.accept(others.id(i), m7).reason, "");
  }
  for (std::uint32_t i : survivors)
    ASSERT_EQ(
        server.accept(others.clients[i].unmask(server.unmask_request(others.id(i))).value()).reason,
        "");
  search.outside_of_the_arena();
  ASSERT_TRUE(server.can_open());
  secagg::SumJob job = server.open().value();
  search.outside_of_the_arena();
  const auto plain = std::move(job).run(std::move(sum), 2);
  search.outside_of_the_arena();
  const auto expected = others.plain_sum(survivors);
  for (std::size_t lane = 0; lane < expected.size(); ++lane)
    ASSERT_EQ(plain.lanes[lane].words(), expected[lane].words());
}

void expect_nothing(const Search& search) {
  for (const std::string& what : search.found())
    ADD_FAILURE() << "left behind: " << what;
}

std::array<std::uint8_t, 32> unmasked(const Needle& needle) {
  std::array<std::uint8_t, 32> out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(needle.bytes[i] ^ kPad);
  return out;
}

TEST(ImageScan, FindsWhatIsLeftInAFreedBlockOrInMemory) {
  const Plan plan = plan_in_a_child([] { return Planner().plan(); });
  Search search(plan.needles);
  {
    std::vector<std::uint8_t> left(33);
    const auto secret = unmasked(plan.needles[3]);
    std::ranges::copy(secret, left.begin() + 1);
  }
  EXPECT_TRUE(search.found().contains(plan.needles[3].name + " in a freed block"));
  auto kept = std::make_unique<std::array<std::uint8_t, 32>>(unmasked(plan.needles[5]));
  search.outside_of_the_arena();
  EXPECT_TRUE(search.found().contains(plan.needles[5].name + " in writable memory"));
  EXPECT_FALSE(search.found().contains(plan.needles[7].name + " in writable memory"));
  crypto::wipe(*kept);
}

TEST(ImageScan, NothingOfARoundsSecretsIsLeftInTheProcess) {
  const Plan plan = plan_in_a_child([] { return Planner().plan(); });
  Search search(plan.needles);
  play(plan, search);
  if (HasFatalFailure()) return;
  search.everywhere();
  expect_nothing(search);
}

}  // namespace
}  // namespace sotto::image_scan
