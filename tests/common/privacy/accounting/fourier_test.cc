#include "common/privacy/accounting/fourier.h"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

namespace sotto::privacy {
namespace {

/// Few values of which any is not zero, so that the sum by definition is quick.
struct Spikes {
  std::vector<std::int64_t> at;
  std::vector<double> value;
};

Spikes spikes(std::size_t length) {
  Spikes out;
  for (std::size_t i = 0; i < 40; ++i) {
    out.at.push_back(static_cast<std::int64_t>((i * i * 7919 + 13 * i) % length));
    out.value.push_back(std::sin(static_cast<double>(i)) + 0.1);
  }
  return out;
}

void expect_equal(std::size_t length, std::size_t frequencies) {
  const Spikes in = spikes(length);
  RealSequence sequence(length, frequencies);
  for (std::size_t i = 0; i < in.at.size(); ++i)
    sequence.add(in.at[i] - 3 * static_cast<std::int64_t>(length), {&in.value[i], 1});
  const auto found = sequence.transform();
  ASSERT_EQ(found.size(), frequencies);
  double squares = 0;
  const std::size_t stride = 1 + frequencies / 977;
  for (std::size_t k = 0; k < frequencies;
       k = k + stride < frequencies || k + 1 == frequencies ? k + stride : frequencies - 1) {
    std::complex<double> expected = 0;
    for (std::size_t i = 0; i < in.at.size(); ++i) {
      const auto turns = static_cast<std::size_t>(in.at[i]) * k % length;
      expected += in.value[i] * std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(turns) /
                                                    static_cast<double>(length));
    }
    squares += std::norm(found[k] - expected);
    EXPECT_LT(std::abs(found[k] - expected), 1e-12) << length << " " << k;
  }
  EXPECT_LE(std::sqrt(squares), sequence.error_of_transform());
}

TEST(Fourier, EqualsTheSumByDefinitionAtEveryKindOfLength) {
  for (const std::size_t least :
       {1U, 32U, 33U, 41U, 50U, 60U, 5000U, 16384U, 20000U, 25000U, 30000U, 32768U, 40000U, 49000U,
        57000U, 65536U, 100000U, 1300000U}) {
    const std::size_t length = RealSequence::length_for(least);
    EXPECT_GE(length, least);
    EXPECT_LE(length, std::max<std::size_t>(32, least + least / 4));
    expect_equal(length, length / 2 + 1);
  }
}

TEST(Fourier, LowFrequenciesAloneAreTheSame) {
  for (const std::size_t length : {40U, 20480U, 40960U, 57344U, 65536U, 114688U, 1310720U})
    for (const std::size_t frequencies : {1U, 7U, 20U, 1000U, 3000U, 4097U, 5000U})
      if (frequencies <= length / 2 + 1) expect_equal(length, frequencies);
}

TEST(Fourier, ValuesAddedAcrossTheEndGoOnAtTheBeginning) {
  RealSequence whole(40960, 10);
  RealSequence parts(40960, 10);
  const std::vector<double> values(1000, 0.5);
  whole.add(-500, values);
  parts.add(40460, std::span(values).first(500));
  parts.add(0, std::span(values).first(500));
  EXPECT_EQ(whole.transform(), parts.transform());
}

}  // namespace
}  // namespace sotto::privacy
