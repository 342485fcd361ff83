// The noise of DP-SGD against plain Box and Muller in float32, and distributed noise and the
// rotation at one participant against AES-256-CTR in the same run: no sampler of 128-bit precision
// can be faster than its random bits.
#include <array>
#include <cstdint>
#include <vector>

#include "common/crypto/mask_stream.h"
#include "common/encoding/rotation.h"
#include "common/privacy/mechanisms/discrete_noise.h"
#include "common/privacy/mechanisms/gaussian_block.h"
#include "common/privacy/mechanisms/gaussian_exact.h"
#include "common/privacy/mechanisms/noise.h"
#include "tests/bench/bench.h"
#include "tests/bench/float_box_muller.h"

namespace sotto::bench {
namespace {

constexpr int kRuns = 9;
constexpr std::size_t kValues = std::size_t{1} << 18;
constexpr std::size_t kRandomBytes = 16 * kValues;

void noise(const Report& report, const std::string& name, privacy::NoiseMechanism mechanism,
           std::uint64_t sigma) {
  crypto::StreamRandom random(1);
  const auto sampler =
      privacy::DiscreteNoise::create(mechanism, sigma * sigma * privacy::kVarianceUnit).value();
  std::vector<std::int64_t> values(kValues);
  const crypto::Secret32 key = crypto::Secret32::random(random);
  std::vector<std::uint8_t> stream(kRandomBytes);
  const auto [draw, aes] = medians_of(
      kRuns, [&] { return cpu_seconds_of([&] { sampler.add_to(values, random); }); },
      [&] { return cpu_seconds_of([&] { crypto::keystream(key, 0, 0, stream); }); });
  report.add({.name = name + "/sigma_" + std::to_string(sigma),
              .metric = "values_per_s",
              .value = kValues / draw,
              .unit = "1/s",
              .floor = kValues / aes});
}

double nanoseconds_each(double seconds, std::size_t count) {
  return seconds * 1e9 / static_cast<double>(count);
}

void gaussian(const Report& report) {
  crypto::StreamRandom random(1);
  std::vector<float> values(kValues);
  const auto [grid, plain] = medians_of(
      kRuns,
      [&] { return cpu_seconds_of([&] { privacy::add_gaussian_noise(values, 1, random); }); },
      [&] { return cpu_seconds_of([&] { float_box_muller::add_noise(values, 1, random); }); });
  report.add({.name = "gaussian_on_a_grid",
              .metric = "cpu_per_value",
              .value = nanoseconds_each(grid, kValues),
              .unit = "ns",
              .baseline = nanoseconds_each(plain, kValues)});
}

/// The loops of this processor without the random bits, and a pair from all of its bits.
void gaussian_parts(const Report& report) {
  constexpr int kTurns = 100;
  const privacy::NoiseGrid grid = privacy::noise_grid(1);
  crypto::StreamRandom random(1);
  static privacy::GaussianBlock block;
  random.fill({reinterpret_cast<std::uint8_t*>(block.words.data()), sizeof block.words});
  std::size_t loop_number = 0;
  for (const privacy::GaussianLoop loop : privacy::gaussian_loops()) {
    const double seconds = median_of(kRuns, [&] {
      return cpu_seconds_of([&] {
        for (int i = 0; i < kTurns; ++i)
          loop(block, grid);
      });
    });
    report.add({.name = "gaussian_loop_" + std::to_string(loop_number++),
                .metric = "cpu_per_value",
                .value = nanoseconds_each(seconds, 2 * kTurns * privacy::kGaussianPairs),
                .unit = "ns"});
  }
  double sum = 0;
  const double exact = median_of(kRuns, [&] {
    return cpu_seconds_of([&] {
      for (int i = 0; i < kTurns; ++i)
        sum += static_cast<double>(
            privacy::exact_normal_pair({.radius = random.next_u64(), .angle = random.next_u64()})
                .first);
    });
  });
  SOTTO_CHECK(sum != 0, "no pair was made");
  report.add({.name = "gaussian_exact_pair",
              .metric = "cpu_per_pair",
              .value = nanoseconds_each(exact, kTurns),
              .unit = "ns"});
}

void rotation(const Report& report) {
  constexpr std::size_t kBlock = std::size_t{1} << 20;
  const std::vector<float> values(kBlock, 1.0F);
  std::vector<float> copy(kBlock);
  const auto [rotate, inverse] = medians_of(
      kRuns, [&] { return cpu_seconds_of([&] { copy = encoding::rotate(values, Bytes32{1}); }); },
      [&] { return cpu_seconds_of([&] { encoding::rotate_block_back(copy, 0, Bytes32{1}); }); });
  report.add({.name = "rotate_2^20", .metric = "cpu_ms", .value = rotate * 1e3, .unit = "ms"});
  report.add(
      {.name = "rotate_back_2^20", .metric = "cpu_ms", .value = inverse * 1e3, .unit = "ms"});
}

}  // namespace
}  // namespace sotto::bench

int main(int argc, char** argv) {
  using sotto::privacy::NoiseMechanism;
  const sotto::bench::Report report("noise", argc, argv);
  sotto::bench::gaussian(report);
  sotto::bench::gaussian_parts(report);
  for (const std::uint64_t sigma : {2U, 16U, 364U, 4096U})
    sotto::bench::noise(report, "discrete_gaussian", NoiseMechanism::kDiscreteGaussian, sigma);
  for (const std::uint64_t sigma : {2U, 40U})
    sotto::bench::noise(report, "skellam", NoiseMechanism::kSkellam, sigma);
  sotto::bench::rotation(report);
}
