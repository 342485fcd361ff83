// The numbers of a graph, and what a graph promises (docs/secure-aggregation.md, 2.4).
#include <algorithm>
#include <chrono>
#include <cmath>

#include <gtest/gtest.h>

#include "common/secagg/shared/graph.h"
#include "common/secagg/shared/hypergeometric.h"

namespace sotto::secagg {
namespace {

// ---- parameters

struct Row {
  std::uint32_t n, C, dropout_percent;
  std::uint32_t k, t_min, t_max, q;  // k = 0: only the complete graph will do
  std::uint32_t Q;
};

// The specification's table 1 (column GC): C is 1/20, 1/5 and 1/3 of n.
const std::vector<Row> kSigma40Eta40{{10, 0, 5, 2, 2, 2, 0, 6},
                                     {10, 0, 10, 4, 2, 3, 1, 6},
                                     {10, 0, 30, 8, 2, 5, 3, 6},
                                     {10, 2, 5, 4, 3, 4, 0, 7},
                                     {10, 2, 10, 6, 3, 5, 1, 7},
                                     {10, 2, 30, 0, 3, 7, 0, 7},
                                     {10, 3, 5, 4, 4, 4, 0, 7},
                                     {10, 3, 10, 6, 4, 5, 1, 7},
                                     {10, 3, 30, 0, 4, 7, 0, 7},
                                     {50, 2, 5, 8, 3, 6, 2, 27},
                                     {50, 2, 10, 14, 3, 9, 5, 27},
                                     {50, 2, 30, 34, 3, 19, 15, 27},
                                     {50, 10, 5, 16, 11, 14, 2, 31},
                                     {50, 10, 10, 22, 11, 17, 5, 31},
                                     {50, 10, 30, 42, 11, 27, 15, 31},
                                     {50, 16, 5, 22, 17, 20, 2, 34},
                                     {50, 16, 10, 28, 17, 23, 5, 34},
                                     {50, 16, 30, 48, 17, 33, 15, 34},
                                     {100, 5, 5, 16, 6, 11, 5, 53},
                                     {100, 5, 10, 26, 6, 16, 10, 53},
                                     {100, 5, 30, 52, 6, 22, 23, 53},
                                     {100, 20, 5, 32, 21, 27, 5, 61},
                                     {100, 20, 10, 42, 21, 32, 10, 61},
                                     {100, 20, 30, 78, 21, 48, 28, 61},
                                     {100, 33, 5, 44, 32, 39, 5, 67},
                                     {100, 33, 10, 54, 34, 44, 10, 67},
                                     {100, 33, 30, 94, 34, 64, 30, 67},
                                     {500, 25, 5, 48, 19, 30, 14, 263},
                                     {500, 25, 10, 62, 21, 34, 20, 263},
                                     {500, 25, 30, 114, 25, 44, 44, 263},
                                     {500, 100, 5, 84, 47, 62, 17, 301},
                                     {500, 100, 10, 110, 54, 74, 26, 301},
                                     {500, 100, 30, 216, 79, 111, 67, 301},
                                     {500, 166, 5, 118, 76, 94, 19, 334},
                                     {500, 166, 10, 154, 91, 113, 30, 334},
                                     {500, 166, 30, 322, 146, 189, 87, 334},
                                     {1000, 50, 5, 56, 22, 35, 16, 526},
                                     {1000, 50, 10, 70, 24, 39, 22, 526},
                                     {1000, 50, 30, 136, 31, 53, 51, 526},
                                     {1000, 200, 5, 98, 54, 72, 20, 601},
                                     {1000, 200, 10, 128, 64, 85, 30, 601},
                                     {1000, 200, 30, 270, 102, 136, 82, 601},
                                     {1000, 333, 5, 140, 90, 109, 23, 667},
                                     {1000, 333, 10, 188, 111, 136, 36, 667},
                                     {1000, 333, 30, 448, 209, 256, 117, 667},
                                     {5000, 250, 5, 64, 25, 40, 18, 2626},
                                     {5000, 250, 10, 82, 28, 45, 25, 2626},
                                     {5000, 250, 30, 160, 39, 62, 59, 2626},
                                     {5000, 1000, 5, 114, 63, 82, 23, 3001},
                                     {5000, 1000, 10, 150, 75, 99, 35, 3001},
                                     {5000, 1000, 30, 350, 135, 174, 104, 3001},
                                     {5000, 1666, 5, 172, 110, 133, 28, 3334},
                                     {5000, 1666, 10, 236, 140, 169, 45, 3334},
                                     {5000, 1666, 30, 670, 319, 375, 170, 3334},
                                     {10000, 500, 5, 68, 27, 42, 19, 5251},
                                     {10000, 500, 10, 86, 29, 48, 26, 5251},
                                     {10000, 500, 30, 172, 41, 68, 63, 5251},
                                     {10000, 2000, 5, 118, 65, 85, 24, 6001},
                                     {10000, 2000, 10, 156, 78, 103, 36, 6001},
                                     {10000, 2000, 30, 372, 143, 185, 110, 6001},
                                     {10000, 3333, 5, 178, 114, 137, 29, 6667},
                                     {10000, 3333, 10, 244, 145, 174, 46, 6667},
                                     {10000, 3333, 30, 722, 345, 404, 182, 6667}};

// Its table 2.
const std::vector<Row> kSigma64Eta20{{10, 0, 5, 2, 2, 2, 0, 6},
                                     {10, 0, 10, 4, 2, 3, 1, 6},
                                     {10, 0, 30, 8, 2, 5, 3, 6},
                                     {10, 2, 5, 4, 3, 4, 0, 7},
                                     {10, 2, 10, 6, 3, 5, 1, 7},
                                     {10, 2, 30, 0, 3, 7, 0, 7},
                                     {10, 3, 5, 4, 4, 4, 0, 7},
                                     {10, 3, 10, 6, 4, 5, 1, 7},
                                     {10, 3, 30, 0, 4, 7, 0, 7},
                                     {50, 2, 5, 8, 3, 6, 2, 27},
                                     {50, 2, 10, 14, 3, 9, 5, 27},
                                     {50, 2, 30, 28, 3, 13, 12, 27},
                                     {50, 10, 5, 16, 11, 14, 2, 31},
                                     {50, 10, 10, 22, 11, 17, 5, 31},
                                     {50, 10, 30, 40, 11, 25, 14, 31},
                                     {50, 16, 5, 22, 17, 20, 2, 34},
                                     {50, 16, 10, 28, 17, 23, 5, 34},
                                     {50, 16, 30, 48, 17, 33, 15, 34},
                                     {100, 5, 5, 16, 6, 11, 5, 53},
                                     {100, 5, 10, 22, 6, 12, 8, 53},
                                     {100, 5, 30, 38, 6, 14, 16, 53},
                                     {100, 20, 5, 32, 21, 27, 5, 61},
                                     {100, 20, 10, 42, 21, 32, 10, 61},
                                     {100, 20, 30, 66, 21, 36, 22, 61},
                                     {100, 33, 5, 44, 34, 39, 5, 67},
                                     {100, 33, 10, 54, 34, 44, 10, 67},
                                     {100, 33, 30, 84, 34, 54, 25, 67},
                                     {500, 25, 5, 44, 22, 31, 10, 263},
                                     {500, 25, 10, 52, 23, 32, 14, 263},
                                     {500, 25, 30, 90, 26, 38, 32, 263},
                                     {500, 100, 5, 82, 53, 65, 13, 301},
                                     {500, 100, 10, 102, 60, 74, 20, 301},
                                     {500, 100, 30, 192, 82, 104, 54, 301},
                                     {500, 166, 5, 116, 84, 96, 15, 334},
                                     {500, 166, 10, 148, 98, 114, 24, 334},
                                     {500, 166, 30, 292, 146, 175, 72, 334},
                                     {1000, 50, 5, 50, 26, 35, 11, 526},
                                     {1000, 50, 10, 62, 28, 39, 16, 526},
                                     {1000, 50, 30, 112, 35, 49, 38, 526},
                                     {1000, 200, 5, 90, 59, 70, 14, 601},
                                     {1000, 200, 10, 116, 69, 83, 22, 601},
                                     {1000, 200, 30, 242, 106, 130, 66, 601},
                                     {1000, 333, 5, 134, 97, 110, 17, 667},
                                     {1000, 333, 10, 178, 118, 136, 28, 667},
                                     {1000, 333, 30, 410, 210, 243, 98, 667},
                                     {5000, 250, 5, 60, 30, 42, 13, 2626},
                                     {5000, 250, 10, 74, 33, 46, 19, 2626},
                                     {5000, 250, 30, 142, 44, 63, 47, 2626},
                                     {5000, 1000, 5, 108, 70, 84, 17, 3001},
                                     {5000, 1000, 10, 140, 82, 100, 27, 3001},
                                     {5000, 1000, 30, 316, 140, 169, 85, 3001},
                                     {5000, 1666, 5, 164, 117, 134, 21, 3334},
                                     {5000, 1666, 10, 222, 146, 168, 35, 3334},
                                     {5000, 1666, 30, 608, 315, 356, 142, 3334},
                                     {10000, 500, 5, 60, 31, 42, 13, 5251},
                                     {10000, 500, 10, 78, 35, 49, 20, 5251},
                                     {10000, 500, 30, 148, 46, 66, 49, 5251},
                                     {10000, 2000, 5, 112, 72, 87, 18, 6001},
                                     {10000, 2000, 10, 142, 84, 100, 27, 6001},
                                     {10000, 2000, 30, 334, 148, 178, 90, 6001},
                                     {10000, 3333, 5, 172, 122, 140, 22, 6667},
                                     {10000, 3333, 10, 230, 152, 173, 36, 6667},
                                     {10000, 3333, 30, 660, 342, 386, 154, 6667}};

void expect_rows(const std::vector<Row>& rows, const GraphSecurity& security) {
  for (const Row& row : rows) {
    SCOPED_TRACE(testing::Message() << row.n << " " << row.C << " " << row.dropout_percent);
    const auto got = least_circulant(row.n, row.C, row.n * row.dropout_percent / 100, security);
    EXPECT_EQ(complete_graph_thresholds(row.n, row.C)->Q, row.Q);
    if (row.k == 0) {
      EXPECT_FALSE(got.has_value());
      // Every member holds a share: more than C keep the secret, all but the dropouts open it.
      EXPECT_EQ(std::max(2U, row.C + 1), row.t_min);
      EXPECT_EQ(row.n - row.n * row.dropout_percent / 100, row.t_max);
      continue;
    }
    const Circulant expected{.k = row.k, .t_min = row.t_min, .t_max = row.t_max, .q = row.q};
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(*got, expected) << got->k << " / " << got->t_min << "-" << got->t_max << ","
                              << got->q;
  }
}

TEST(GraphParameters, EveryRowOfTable1) {
  ASSERT_EQ(kSigma40Eta40.size(), 63U);
  expect_rows(kSigma40Eta40, {.sigma = 40, .eta = 40});
}

TEST(GraphParameters, EveryRowOfTable2) {
  ASSERT_EQ(kSigma64Eta20.size(), 63U);
  expect_rows(kSigma64Eta20, {.sigma = 64, .eta = 20});
}

TEST(GraphParameters, PracticalDefaults) {
  struct Default {
    std::uint32_t n, k, t, q;
  };

  for (const Default& row : {Default{500, 102, 70, 20}, Default{1000, 116, 79, 22},
                             Default{5000, 140, 95, 27}, Default{10000, 142, 96, 27}}) {
    const auto got = graph_parameters(row.n, row.n / 5, {});
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(got->graph, wire::Graph::kCirculant);
    EXPECT_EQ(got->k, row.k);
    EXPECT_EQ(got->thresholds.t, row.t);
    EXPECT_EQ(got->q, row.q);
    EXPECT_EQ(got->thresholds.s_min, (row.n + row.n / 5) / 2 + 1);
  }
}

TEST(GraphParameters, ACommitteeCertifiesAboveTheFullCertificate) {
  // Section 2.7. 64 more than needed each time would do too; the smallest is taken.
  const auto fifth = least_committee(10000, 2000, 1000);
  EXPECT_EQ(fifth, (Committee{.members = 192, .colluders = 94, .Q = 144}));
  EXPECT_EQ(upper_quantile({10000, 2000, 256}, 64), 114U);
  EXPECT_EQ(upper_quantile({10000, 3333, 384}, 64), 213U);
  EXPECT_FALSE(least_committee(10000, 2000, 3000)) << "no committee of 512 is safe and alive";
  for (const std::uint32_t n : {4096U, 4097U, 10000U}) {
    const auto got = graph_parameters(n, n / 5, {});
    ASSERT_TRUE(got.ok());
    const std::uint32_t everybody = (n + n / 5) / 2 + 1;
    EXPECT_EQ(got->thresholds.s_min, everybody) << "a sum is as large as ever";
    EXPECT_EQ(got->thresholds.witnesses, n == 4096 ? n : 192) << n;
    EXPECT_EQ(got->thresholds.Q == everybody, n == 4096) << n;
  }
  const auto complete = graph_parameters(5000, 1000, {.full_graph_max = 5000});
  ASSERT_TRUE(complete.ok());
  EXPECT_EQ(complete->thresholds.witnesses, 5000U) << "ids are no order that nobody chose";
}

TEST(GraphParameters, CompleteUpToTheBoundOfTheJobAndWhereNothingElseWillDo) {
  const auto at = graph_parameters(256, 51, {});
  ASSERT_TRUE(at.ok());
  EXPECT_EQ(at->graph, wire::Graph::kComplete);
  EXPECT_EQ(at->k, 255U);
  EXPECT_EQ(at->q, 0U);
  EXPECT_EQ(at->thresholds, *complete_graph_thresholds(256, 51));
  EXPECT_EQ(graph_parameters(257, 51, {})->graph, wire::Graph::kCirculant);
  // Everybody but two colludes: no sparse graph holds.
  EXPECT_EQ(graph_parameters(300, 298, {})->graph, wire::Graph::kComplete);
  EXPECT_FALSE(graph_parameters(300, 299, {}).ok());
}

TEST(GraphParameters, TenThousandMembersTakeWellUnderASecond) {
  const auto start = std::chrono::steady_clock::now();
  for (std::uint32_t percent : {10U, 30U, 60U})
    ASSERT_TRUE(
        graph_parameters(10000, 3333, {.full_graph_max = 256, .dropout_percent = percent}).ok());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(3));
}

// ---- hypergeometric tails

double exact_tail(std::uint32_t population, std::uint32_t marked, std::uint32_t sample,
                  std::uint32_t at_least) {
  // Pascal's triangle: the numbers stay below 2^53, so every one is exact.
  std::vector<std::vector<double>> choose(population + 1, std::vector<double>(population + 1));
  for (std::uint32_t n = 0; n <= population; ++n)
    for (std::uint32_t k = 0; k <= n; ++k)
      choose[n][k] = k == 0 || k == n ? 1 : choose[n - 1][k - 1] + choose[n - 1][k];
  double favourable = 0;
  for (std::uint32_t x = at_least; x <= std::min(marked, sample); ++x)
    if (sample - x <= population - marked)
      favourable += choose[marked][x] * choose[population - marked][sample - x];
  return favourable / choose[population][sample];
}

TEST(Hypergeometric, TailsAreThoseOfExactArithmetic) {
  std::size_t below = 0;
  for (std::uint32_t marked : {0U, 3U, 20U, 33U, 50U})
    for (std::uint32_t sample : {1U, 7U, 25U, 50U})
      for (std::uint32_t at_least = 1; at_least <= sample; ++at_least)
        for (std::uint32_t bits : {16U, 20U, 30U, 40U}) {
          const double tail = exact_tail(50, marked, sample, at_least) * 7;
          const bool expected = tail <= std::ldexp(1.0, -static_cast<int>(bits));
          below += expected ? 1U : 0U;
          EXPECT_EQ(tail_is_below({50, marked, sample}, at_least, 7, bits), expected)
              << marked << " " << sample << " " << at_least << " " << bits;
        }
  EXPECT_GT(below, 100U);
}

TEST(Hypergeometric, JustAboveAndJustBelowAPowerOfTwo) {
  // No sample of one holds two.
  EXPECT_TRUE(tail_is_below({16384, 1, 1}, 2, 1, 60));
  EXPECT_FALSE(tail_is_below({16384, 2, 2}, 2, 1, 27));  // 1 / (8192 * 16383), just above 2^-27
  EXPECT_TRUE(tail_is_below({16384, 2, 2}, 2, 1, 26));
}

TEST(Hypergeometric, ColludersInASampledCohort) {
  // Section 2.1: N = 10,000 with 2000 colluders, sigma + 2 = 66.
  EXPECT_EQ(upper_quantile({10000, 2000, 1000}, 66), 317U);
  EXPECT_EQ(upper_quantile({10000, 2000, 500}, 66), 187U);
  EXPECT_EQ(upper_quantile({100, 0, 50}, 66), 0U);
  EXPECT_EQ(upper_quantile({40, 10, 40}, 66), 10U);  // everybody is in the sample
}

// ---- the graph

wire::RoundHeader header(wire::Graph graph, std::uint32_t n, std::uint32_t k, std::uint32_t t,
                         std::uint32_t q) {
  wire::RoundHeader out;
  out.graph = graph;
  out.n = n;
  out.k = k;
  out.t = t;
  out.q = q;
  return out;
}

MaskGraph circulant(std::uint32_t n, std::uint32_t k, std::uint32_t t = 2, std::uint32_t q = 1) {
  return MaskGraph(header(wire::Graph::kCirculant, n, k, t, q));
}

IndexSet members_of(std::uint32_t n, std::uint64_t bits) {
  IndexSet out;
  for (std::uint32_t i = 0; i < n; ++i)
    if ((bits >> i & 1) != 0) out.push_back(i);
  return out;
}

TEST(MaskGraph, SymmetricAndKRegular) {
  for (std::uint32_t n = 5; n <= 40; ++n)
    for (std::uint32_t k = 2; k < n - 1; k += 2) {
      const MaskGraph graph = circulant(n, k);
      for (std::uint32_t i = 0; i < n; ++i) {
        const IndexSet neighbours = graph.neighbours(i);
        ASSERT_EQ(neighbours.size(), k);
        EXPECT_TRUE(std::ranges::is_sorted(neighbours));
        EXPECT_EQ(graph.holders(i), neighbours);
        for (std::uint32_t j = 0; j < n; ++j) {
          ASSERT_EQ(graph.are_neighbours(i, j), contains(neighbours, j));
          ASSERT_EQ(graph.are_neighbours(i, j), graph.are_neighbours(j, i));
          ASSERT_EQ(graph.holds_share_of(j, i), contains(neighbours, j));
        }
      }
    }
}

TEST(MaskGraph, InTheCompleteGraphEverybodyHoldsAlsoItsOwn) {
  const MaskGraph graph(header(wire::Graph::kComplete, 5, 4, 3, 0));
  EXPECT_EQ(graph.neighbours(2), (IndexSet{0, 1, 3, 4}));
  EXPECT_EQ(graph.holders(2), (IndexSet{0, 1, 2, 3, 4}));
  EXPECT_TRUE(graph.holds_share_of(2, 2));
  EXPECT_FALSE(graph.are_neighbours(2, 2));
  EXPECT_TRUE(graph.short_of_holders({0, 2, 4}).empty());
  EXPECT_EQ(graph.short_of_holders({0, 2}), (IndexSet{0, 2}));
  EXPECT_TRUE(graph.windows_are_full({0}));
}

TEST(MaskGraph, WindowRuleAgreesWithCountingEveryWindow) {
  constexpr std::uint32_t kN = 11;
  for (std::uint32_t k : {2U, 4U, 6U, 8U})
    for (std::uint32_t q = 0; q <= k / 2; ++q) {
      const MaskGraph graph = circulant(kN, k, 2, q);
      for (std::uint64_t bits = 0; bits < 1U << kN; ++bits) {
        bool full = true;
        for (std::uint32_t first = 0; first < kN; ++first) {
          std::uint32_t missing = 0;
          for (std::uint32_t step = 0; step < k / 2; ++step)
            missing += (bits >> ((first + step) % kN) & 1) == 0 ? 1U : 0U;
          full = full && missing <= q;
        }
        ASSERT_EQ(graph.windows_are_full(members_of(kN, bits)), full)
            << k << " " << q << " " << bits;
      }
    }
}

TEST(MaskGraph, NeighbourRuleNamesWhoIsShort) {
  const MaskGraph graph = circulant(10, 4, 3);
  EXPECT_TRUE(graph.short_of_holders({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).empty());
  // Without 1 and 2: 0 keeps 8 and 9, 3 keeps 4 and 5; 4 keeps 3, 5, 6.
  EXPECT_EQ(graph.short_of_holders({0, 3, 4, 5, 6, 7, 8, 9}), (IndexSet{0, 3}));
}

bool is_connected(const MaskGraph& graph, const IndexSet& alive) {
  IndexSet reached{alive.front()};
  for (std::size_t at = 0; at < reached.size(); ++at)
    for (std::uint32_t other : alive)
      if (graph.are_neighbours(reached[at], other) &&
          std::ranges::find(reached, other) == reached.end())
        reached.push_back(other);
  return reached.size() == alive.size();
}

/// Places at which `run` consecutive members are gone, wholly inside one gap, counted once a gap.
std::uint32_t gaps_of(std::uint32_t n, std::uint32_t run, const IndexSet& alive) {
  std::uint32_t gaps = 0;
  for (std::size_t i = 0; i < alive.size(); ++i) {
    const std::uint32_t next = alive[(i + 1) % alive.size()];
    gaps += (next + n - alive[i] - 1) % n >= run ? 1U : 0U;
  }
  return gaps;
}

TEST(MaskGraph, OnlyTwoRunsOfHalfTheDegreeSplitIt) {
  // Claim B, for every set of survivors.
  for (const auto& [n, k] : {std::pair{8U, 2U}, {9U, 4U}, {10U, 4U}, {11U, 6U}, {13U, 4U}}) {
    const MaskGraph graph = circulant(n, k);
    std::size_t split = 0;
    for (std::uint64_t bits = 1; bits < 1U << n; ++bits) {
      const IndexSet alive = members_of(n, bits);
      const bool connected = is_connected(graph, alive);
      split += connected ? 0U : 1U;
      ASSERT_EQ(connected, alive.size() < 2 || gaps_of(n, k / 2, alive) < 2) << n << " " << bits;
    }
    EXPECT_GT(split, 0U);
  }
}

TEST(MaskGraph, UnderTheWindowRuleOnlyColludersSplitTheHonest) {
  // Without two disjoint windows of k/2 - q colluders, no accepted set of survivors separates the
  // honest ones: every choice of colluders and survivors at n = 9.
  constexpr std::uint32_t kN = 9;
  std::size_t separated = 0;
  for (const auto& [k, q] : {std::pair{4U, 0U}, {4U, 1U}, {6U, 1U}}) {
    const MaskGraph graph = circulant(kN, k, 2, q);
    for (std::uint64_t colluding = 0; colluding < 1U << kN; ++colluding) {
      IndexSet windows;  // where one begins that colluders could nearly fill
      for (std::uint32_t first = 0; first < kN; ++first) {
        std::uint32_t inside = 0;
        for (std::uint32_t step = 0; step < k / 2; ++step)
          inside += static_cast<std::uint32_t>(colluding >> ((first + step) % kN) & 1);
        if (inside + q >= k / 2) windows.push_back(first);
      }
      bool two = false;
      for (std::uint32_t a : windows)
        for (std::uint32_t b : windows)
          two = two || ((a + kN - b) % kN >= k / 2 && (b + kN - a) % kN >= k / 2);
      for (std::uint64_t s = 0; s < 1U << kN; ++s) {
        const IndexSet honest = members_of(kN, s & ~colluding);
        if (honest.size() < 2 || !graph.windows_are_full(members_of(kN, s))) continue;
        const bool connected = is_connected(graph, honest);
        ASSERT_TRUE(connected || two) << k << " " << q << " " << colluding << " " << s;
        separated += connected ? 0U : 1U;
      }
    }
  }
  EXPECT_GT(separated, 0U);  // the bound is not empty: enough colluders do separate them
}

TEST(MaskGraphDeathTest, AnOddOrTooLargeDegreeIsOurBug) {
  EXPECT_DEATH(circulant(10, 3), "even degree");
  EXPECT_DEATH(circulant(10, 0), "even degree");
  EXPECT_DEATH(circulant(10, 10), "even degree");
}

}  // namespace
}  // namespace sotto::secagg
