// The Gaussian noise on a grid against its definition: a released value is the multiple of the
// spacing that is nearest to value + standard deviation * normal, with the normal from all bits of
// the uniforms.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include <gtest/gtest.h>

#include "common/crypto/mask_stream.h"
#include "common/privacy/mechanisms/gaussian_block.h"
#include "common/privacy/mechanisms/gaussian_exact.h"
#include "common/privacy/mechanisms/noise.h"

namespace sotto::privacy {
namespace {

constexpr std::size_t kValues = 2 * kGaussianPairs;

double normal_cdf(double z) {
  return 0.5 * std::erfc(-z / std::numbers::sqrt2);
}

/// The sum of three doubles, 159 bits of a number.
struct Parts {
  double high;
  double middle;
  double low;
};

double relative_error(Binary128 value, const Parts& expected) {
  const Binary128 difference = value - expected.high - expected.middle - expected.low;
  return std::abs(static_cast<double>(difference) / expected.high);
}

// Made with mpmath at 600 bits.
TEST(GaussianExact, IsBoxAndMullerTo108Bits) {
  struct Case {
    std::array<std::uint64_t, 4> words;  // radius, angle; the high halves first
    Parts first;
    Parts second;
  };

  const std::array<Case, 10> cases = {{
      {{0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000},
       {0x1.abee0960ffbacp+3, -0x1.3206338c23cdbp-51, 0x1.a855bc17a7742p-106},
       {0x1.501865c76deffp-123, -0x1.5d62d9067304dp-179, 0x1.1cbd52b5ef008p-233}},
      {{0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff},
       {0x1.0000000000000p-64, 0x1.0000000000000p-195, -0x1.39a921f139b34p-318},
       {-0x1.921fb54442d18p-191, -0x1.1a62633145c07p-245, 0x1.f1975eeddb51ap-301}},
      {{0x8000000000000000, 0x0000000000000000, 0x4000000000000000, 0x0000000000000000},
       {-0x1.d976f421bde0bp-127, 0x1.2278495c3e9ddp-183, -0x1.3c68129c6940ap-238},
       {0x1.2d6abe44afc43p+0, 0x1.fb5e9fb2b55bbp-56, -0x1.36ee51c15c210p-110}},
      {{0x7fffffffffffffff, 0xffffffffffffffff, 0x2000000000000000, 0x0000000000000000},
       {0x1.aa4499161cd48p-1, -0x1.8b74b178039d8p-55, 0x1.13ee87ead1c2ep-111},
       {0x1.aa4499161cd48p-1, -0x1.8b74b178039d8p-55, 0x1.13f1257f564a5p-111}},
      {{0x0000000000000000, 0x0000000000000001, 0xc000000000000000, 0x0000000000003039},
       {0x1.f7617dfdb38e1p-109, 0x1.e86d2375b7726p-163, 0x1.81ce741f1b1a7p-221},
       {-0x1.a94af630eb989p+3, -0x1.ea742de226025p-52, 0x1.987d9c09c6cc6p-110}},
      {{0xffffffffffffffc0, 0x0000000000000000, 0x1fffffffffffffff, 0xffffffffffffffff},
       {0x1.0000000000000p-29, 0x1.ffe0000000000p-90, 0x1.16cf74ca99982p-148},
       {0x1.0000000000000p-29, 0x1.ffe0000000000p-90, 0x1.13ab356011128p-148}},
      {{0x0000000100000000, 0x0000000000000000, 0xe000000000000000, 0x0000000000000000},
       {0x1.2d6abe44afc43p+2, 0x1.fb5e9fb2b5584p-54, 0x1.5beb8551152ccp-108},
       {-0x1.2d6abe44afc43p+2, -0x1.fb5e9fb2b5584p-54, -0x1.5be9abda210b0p-108}},
      {{0x5bc8fbbcbde5c099, 0x4164d8399f767c45, 0xd76d4330f1446bea, 0xb0c11fdecb91ce37},
       {0x1.8eccb6b0123cap-1, 0x1.ae75cde5e2396p-55, -0x1.247bd68a9cb48p-110},
       {-0x1.33b51b023a8f6p+0, -0x1.e514c8bc348a3p-54, -0x1.f713b8f3463c8p-109}},
      {{0x87b0b125ec1d7da0, 0xa6eb8c9ebd69fe29, 0xc6a5387777330bdb, 0xd7210dff076ce2ef},
       {0x1.76b64f0475830p-3, 0x1.a36f2455ae4e4p-60, 0x1.73d0a78ff675dp-114},
       {-0x1.1c9fd4c5d1f0ep+0, 0x1.5d506f957354fp-54, -0x1.bf2e9adfe4075p-109}},
      {{0x0d464138a6233255, 0x3fc1ea36f17fd374, 0x5f2dd97f1cfb10f6, 0x2827688de6a16a3b},
       {-0x1.af6d94c3921f7p+0, -0x1.bb153c963ef29p-54, -0x1.3f691d9fc98cap-109},
       {0x1.c12c37a86250ep+0, -0x1.980df3ddf0e0bp-55, 0x1.6499f54e17807p-109}},
  }};
  for (const Case& c : cases) {
    const NormalPair pair = exact_normal_pair({.radius = Uint128{c.words[0]} << 64 | c.words[1],
                                               .angle = Uint128{c.words[2]} << 64 | c.words[3]});
    EXPECT_LT(relative_error(pair.first, c.first), 0x1p-108) << c.words[0];
    EXPECT_LT(relative_error(pair.second, c.second), 0x1p-108) << c.words[0];
  }
}

// P(radius > r) = exp(-r^2 / 2), to 13 standard deviations.
TEST(GaussianExact, HasItsTailsToThirteenDeviations) {
  for (int bit = 1; bit < 128; ++bit) {
    const NormalPair pair = exact_normal_pair({.radius = Uint128{1} << bit});
    const double radius =
        std::hypot(static_cast<double>(pair.first), static_cast<double>(pair.second));
    const double uniform = std::ldexp(1.0, bit - 128) + 0x1p-129;
    EXPECT_NEAR(radius * radius / 2, -std::log(uniform), 1e-12) << bit;
  }
  EXPECT_GT(static_cast<double>(exact_normal_pair({}).first), 13.3);
}

GaussianBlock random_block(crypto::StreamRandom& random, const NoiseGrid& grid) {
  GaussianBlock block;
  random.fill({reinterpret_cast<std::uint8_t*>(block.words.data()), sizeof block.words});
  for (float& value : block.values)
    value = static_cast<float>((random.unit() - 0.5) * 1e3 * grid.spacing);
  return block;
}

UniformPair uniforms_of(const GaussianBlock& block, std::size_t i, Uint128 further) {
  return {.radius = Uint128{block.words[i]} << 96 | further,
          .angle = Uint128{block.words[kGaussianPairs + i]} << 96 | further};
}

constexpr Uint128 kAllOnes = (Uint128{1} << 96) - 1;

/// Moves the values of a block so that their sums with the noise lie next to where the rounding
/// changes: there the loops must leave values undecided or be exact. Within 2^-17 of a spacing for
/// radii as they come, nearer ones as often as farther ones; for rare radii, beyond 3 deviations,
/// within one and a half times what the further bits change.
void put_next_to_ties(GaussianBlock& block, const NoiseGrid& grid, bool rare,
                      crypto::StreamRandom& random) {
  for (std::size_t i = 0; rare && i < kGaussianPairs; ++i)
    block.words[i] = 4096U | block.words[i] >> (7 + random.below(12));
  const auto move = [&](float& value, Binary128 low, Binary128 high) {
    const double noise = static_cast<double>(low + high) / 2 * grid.deviation;
    const double reach = rare ? 1.5 * static_cast<double>(high - low) * grid.deviation
                              : std::exp2(-16 - 7 * random.unit());
    const double tie = std::floor(noise) + 0.5 - noise;  // in [-1/2, 1/2]
    value = static_cast<float>((tie + (random.unit() - 0.5) * 2 * reach) * grid.spacing);
  };
  for (std::size_t i = 0; i < kGaussianPairs; ++i) {
    const NormalPair low = exact_normal_pair(uniforms_of(block, i, 0));
    const NormalPair high = exact_normal_pair(uniforms_of(block, i, kAllOnes));
    float& first = block.values[i];
    float& second = block.values[kGaussianPairs + i];
    if (i % 2 == 0)
      move(first, low.first, high.first);
    else
      move(second, low.second, high.second);
    // The other value goes where it is certain, so that it does not leave the pair undecided.
    const auto centre = [&](Binary128 n) {
      const double noise = static_cast<double>(n) * grid.deviation;
      return static_cast<float>((std::nearbyint(noise) - noise) * grid.spacing);
    };
    if (i % 2 == 0)
      second = centre(low.second);
    else
      first = centre(low.first);
  }
}

struct Agreement {
  std::size_t decided = 0;
  std::size_t undecided = 0;
  std::size_t wrong = 0;
};

/// A decided value must be the exact one whatever the further bits are; the extremes are 0 and 1.
void compare_with_exact(const GaussianBlock& block, const NoiseGrid& grid, Agreement& seen) {
  for (std::size_t i = 0; i < kGaussianPairs; ++i) {
    ++(block.undecided[i] != 0 ? seen.undecided : seen.decided);
    if (block.undecided[i] != 0) continue;
    for (const Uint128 further : {Uint128{0}, kAllOnes}) {
      const NormalPair exact = exact_normal_pair(uniforms_of(block, i, further));
      const std::size_t j = kGaussianPairs + i;
      seen.wrong += static_cast<std::size_t>(
          block.noisy[i] !=
          static_cast<float>(round_to_grid(double{block.values[i]}, exact.first, grid)));
      seen.wrong += static_cast<std::size_t>(
          block.noisy[j] !=
          static_cast<float>(round_to_grid(double{block.values[j]}, exact.second, grid)));
    }
  }
}

TEST(GaussianBlock, DecidesOnlyWhatNoFurtherBitCanChange) {
  crypto::StreamRandom random(1);
  for (const double deviation : {1.0, 1.99999, 0.0137, 3e20}) {
    const NoiseGrid grid = noise_grid(deviation);
    Agreement anywhere;
    Agreement at_ties;
    for (int turn = 0; turn < 4; ++turn) {
      GaussianBlock block = random_block(random, grid);
      for (const GaussianLoop loop : gaussian_loops()) {
        loop(block, grid);
        compare_with_exact(block, grid, anywhere);
      }
      put_next_to_ties(block, grid, turn % 2 == 1, random);
      for (const GaussianLoop loop : gaussian_loops()) {
        loop(block, grid);
        compare_with_exact(block, grid, at_ties);
      }
    }
    EXPECT_EQ(anywhere.wrong, 0U) << deviation;
    EXPECT_LT(anywhere.undecided, 5U) << deviation;
    EXPECT_EQ(at_ties.wrong, 0U) << deviation;
    EXPECT_GT(at_ties.undecided, at_ties.decided / 4) << "the ties were not reached " << deviation;
    EXPECT_GT(at_ties.decided, at_ties.undecided / 20) << "nothing was decided " << deviation;
  }
}

// The first word of the radius does not determine it next to 0 and 1.
TEST(GaussianBlock, LeavesTheEndsOfTheRadiusOpen) {
  const NoiseGrid grid = noise_grid(1);
  GaussianBlock block{};
  for (std::size_t i = 0; i < kGaussianPairs; ++i) {
    block.words[i] = static_cast<std::uint32_t>(i % 2 == 0 ? i : 0U - i);
    block.words[kGaussianPairs + i] = 0x12345678U * static_cast<std::uint32_t>(i);
  }
  for (const GaussianLoop loop : gaussian_loops()) {
    EXPECT_TRUE(loop(block, grid));
    for (std::size_t i = 0; i < kGaussianPairs; ++i)
      if (i % 2 == 0 || i < 255) {
        EXPECT_EQ(block.undecided[i], 1U) << i;
      }
  }
}

// A bounded share is computed the slow way, or the cost would not be bounded.
TEST(GaussianBlock, LeavesFewPairsUndecided) {
  crypto::StreamRandom random(2);
  const NoiseGrid grid = noise_grid(1.99);
  std::size_t undecided = 0;
  constexpr std::size_t kTurns = 4000;
  GaussianBlock block = random_block(random, grid);
  for (std::size_t turn = 0; turn < kTurns; ++turn) {
    random.fill({reinterpret_cast<std::uint8_t*>(block.words.data()), sizeof block.words});
    gaussian_loop()(block, grid);
    for (const std::uint32_t pair : block.undecided)
      undecided += pair;
  }
  EXPECT_LT(static_cast<double>(undecided), 2e-5 * kTurns * kGaussianPairs);
}

TEST(GaussianGrid, IsAPowerOfTwoOfWhich64To128AreADeviation) {
  for (const double deviation : {1.0, 0.9999, 1e-9, 2.5, 700.0, 9e29}) {
    const NoiseGrid grid = noise_grid(deviation);
    EXPECT_EQ(std::exp2(std::round(std::log2(grid.spacing))), grid.spacing);
    EXPECT_GE(grid.deviation, 64) << deviation;
    EXPECT_LT(grid.deviation, 128) << deviation;
    EXPECT_EQ(grid.deviation * grid.spacing, deviation) << "rounded";
    EXPECT_EQ(grid.per_spacing * grid.spacing, 1);
  }
  EXPECT_EQ(noise_grid(1e-60).spacing, 0x1p-149);
}

TEST(GaussianGrid, EveryReleasedValueIsOnIt) {
  crypto::StreamRandom random(3);
  for (const double deviation : {1.0, 0.003, 37.0}) {
    const NoiseGrid grid = noise_grid(deviation);
    for (const double size : {0.0, 1e-20, 1e-3, 1.0, 1e3}) {
      std::vector<float> values(5000);
      for (float& value : values)
        value = static_cast<float>(deviation * size * (random.unit() - 0.5));
      add_gaussian_noise(values, deviation, random);
      for (const float value : values) {
        const double scaled = double{value} * grid.per_spacing;
        EXPECT_EQ(scaled, std::nearbyint(scaled)) << value;
      }
    }
  }
}

// Beyond 2^24 spacings a float has no room for the grid: the multiple is rounded to the nearest
// float, and a value that needs no more bits keeps its noise.
TEST(GaussianGrid, LargeValuesKeepTheirNoiseAndRoundToFloat) {
  crypto::StreamRandom random(4);
  for (const float large : {3e6F, -1e9F, 1e30F}) {
    std::vector<float> values(20000, large);
    add_gaussian_noise(values, 1, random);
    double sum = 0;
    double squares = 0;
    for (const float value : values) {
      sum += double{value} - double{large};
      squares += (double{value} - double{large}) * (double{value} - double{large});
    }
    if (std::abs(large) < 1e7F) {
      EXPECT_NEAR(squares / 20000, 1 + 0.25 * 0.25 / 12, 0.05);
    }
    EXPECT_NEAR(sum / 20000, 0, 0.05);
  }
  std::vector<float> odd = {std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN(), 1.0F};
  add_gaussian_noise(odd, 1, random);
  EXPECT_FALSE(std::isfinite(odd[0]));
  EXPECT_FALSE(std::isfinite(odd[1]));
  EXPECT_TRUE(std::isfinite(odd[2]));
}

// Chi-square of every multiple against the Gaussian mass of its cell, for values at different
// places between two multiples. 5 standard deviations of the chi-square.
TEST(GaussianGrid, EveryMultipleHasTheMassOfItsCell) {
  crypto::StreamRandom random(5);
  for (const double deviation : {1.0, 1.97})
    for (const double place : {0.0, 0.25, 0.5, 0.71, 100.3}) {
      const NoiseGrid grid = noise_grid(deviation);
      const auto centre = static_cast<float>(place * grid.spacing);
      constexpr std::size_t kCount = std::size_t{1} << 22;
      std::vector<float> values(kCount, centre);
      add_gaussian_noise(values, deviation, random);
      constexpr int kReach = 1200;
      std::vector<double> counts(2 * kReach + 1);
      for (const float value : values)
        ++counts.at(static_cast<std::size_t>(double{value} * grid.per_spacing + kReach));
      double chi_square = 0;
      int cells = 0;
      for (int k = -kReach; k <= kReach; ++k) {
        const double at = k * grid.spacing - double{centre};
        const double expected = kCount * (normal_cdf((at + grid.spacing / 2) / deviation) -
                                          normal_cdf((at - grid.spacing / 2) / deviation));
        if (expected < 20) continue;
        const double difference = counts[static_cast<std::size_t>(k + kReach)] - expected;
        chi_square += difference * difference / expected;
        ++cells;
      }
      EXPECT_GT(cells, 450);
      EXPECT_NEAR(chi_square, cells, 5 * std::sqrt(2.0 * cells)) << deviation << ' ' << place;
    }
}

// Counter-based: each result is a function of the key, the value's index and the value.
TEST(GaussianGrid, AResultDependsOnKeyIndexAndValueAlone) {
  std::vector<float> values(10000);
  crypto::StreamRandom draw(6);
  for (float& value : values)
    value = static_cast<float>(draw.unit());
  const auto noisy = [](std::vector<float> v) {
    crypto::StreamRandom random(7);
    add_gaussian_noise(v, 1, random);
    return v;
  };
  const std::vector<float> whole = noisy(values);
  const std::vector<float> part = noisy({values.begin(), values.begin() + 3000});
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin()));
  std::vector<float> changed = values;
  changed[5000] += 10;
  const std::vector<float> other = noisy(changed);
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(other[i] == whole[i], i != 5000) << i;
}

/// All bits of the uniforms that add_gaussian_noise takes under this key, as docs/privacy.md
/// defines.
UniformPair uniforms_under(const crypto::Secret32& key, std::uint64_t block, std::uint64_t pair) {
  std::array<std::uint8_t, 8192> first{};
  std::array<std::uint8_t, 32> further{};
  crypto::keystream(key, 0, 512 * block, first);
  crypto::keystream(key, 1, 2 * (1024 * block + pair), further);
  const auto number = [](std::span<const std::uint8_t> bytes) {
    Uint128 out = 0;
    for (std::size_t i = bytes.size(); i-- > 0;)
      out = out << 8 | bytes[i];
    return out;
  };
  const auto all = [&](std::size_t word, std::size_t cell) {
    const std::span<const std::uint8_t> bits(further.data() + 16 * cell, 16);
    return number({first.data() + 4 * word, 4}) << 96 |
           (number(bits.first(8)) << 64 | number(bits.last(8))) >> 32;
  };
  return {.radius = all(pair, 0), .angle = all(1024 + pair, 1)};
}

// Every value is put where the first 32 bits of its uniforms leave two multiples open.
TEST(GaussianGrid, FurtherBitsDecideWhereTheFirstOnesLeaveItOpen) {
  constexpr std::size_t kBlocks = 3;
  const NoiseGrid grid = noise_grid(1.5);
  crypto::StreamRandom same(10);
  const crypto::Secret32 key = crypto::Secret32::random(same);
  std::vector<float> values(kBlocks * kValues);
  std::vector<float> expected(values.size());
  crypto::StreamRandom draw(11);
  for (std::size_t pair = 0; pair < kBlocks * kGaussianPairs; ++pair) {
    const std::size_t block = pair / kGaussianPairs;
    const NormalPair normal = exact_normal_pair(uniforms_under(key, block, pair % kGaussianPairs));
    const auto place = [&](std::size_t index, Binary128 n) {
      const double noise = static_cast<double>(n) * grid.deviation;
      const double tie = std::floor(noise) + 0.5 - noise + (draw.unit() - 0.5) * 0x1p-21;
      values[index] = static_cast<float>(tie * grid.spacing);
      expected[index] = static_cast<float>(round_to_grid(double{values[index]}, n, grid));
    };
    const std::size_t index = block * kValues + pair % kGaussianPairs;
    place(index, normal.first);
    place(index + kGaussianPairs, normal.second);
  }
  crypto::StreamRandom random(10);
  add_gaussian_noise(values, 1.5, random);
  EXPECT_EQ(values, expected);
}

std::uint64_t fnv1a(std::span<const float> values) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const float value : values) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    for (int shift = 0; shift < 32; shift += 8)
      hash = (hash ^ (bits >> shift & 0xffU)) * 0x100000001b3U;
  }
  return hash;
}

// The four values were computed apart, with OpenSSL's ChaCha20 and AES and mpmath at 300 bits.
TEST(GaussianGrid, IsTheSameToTheBitOnEveryMachine) {
  crypto::StreamRandom random(8);
  std::vector<float> values(1'000'000, 0.1F);
  add_gaussian_noise(values, 1.25, random);
  EXPECT_EQ(values[0], -0.4375F);
  EXPECT_EQ(values[1], -1.71875F);
  EXPECT_EQ(values[2047], -1.0F);
  EXPECT_EQ(values[999'999], -1.09375F);
  EXPECT_EQ(fnv1a(values), 10980532382270318202U);
}

// The loops' registers differ, their results do not.
TEST(GaussianBlock, EveryLoopMakesTheSameBits) {
  crypto::StreamRandom random(9);
  const NoiseGrid grid = noise_grid(0.7);
  for (int turn = 0; turn < 50; ++turn) {
    GaussianBlock first = random_block(random, grid);
    gaussian_loops().front()(first, grid);
    for (const GaussianLoop loop : gaussian_loops()) {
      GaussianBlock other = first;
      other.noisy.fill(0);
      loop(other, grid);
      EXPECT_EQ(other.noisy, first.noisy);
      EXPECT_EQ(other.undecided, first.undecided);
    }
  }
}

}  // namespace
}  // namespace sotto::privacy
