#include "participant/privacy/privacy_questions.h"

#include <gtest/gtest.h>

namespace sotto::participant {
namespace {

PrivacyAnswer mixed() {
  return answer({.parts = {{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 500},
                           {.sampling_rate = 0.02, .noise_multiplier = 1.5, .steps = 7}},
                 .delta = 1e-5})
      .value();
}

TEST(PrivacyQuestions, TheCurveRisesToTheAnswer) {
  const auto found = curve(mixed(), 1e-5, 10);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->points.size(), 10U);
  EXPECT_EQ(found->steps, 507);
  for (std::size_t i = 1; i < found->points.size(); ++i)
    EXPECT_GT(found->points[i].epsilon, found->points[i - 1].epsilon);
  EXPECT_EQ(found->points.back().epsilon, mixed().epsilon);
  EXPECT_GT(found->points.back().epsilon_rdp, mixed().epsilon);
}

TEST(PrivacyQuestions, ThePlotsShowTheCurve) {
  const PrivacyCurve found = curve(mixed(), 1e-5, 10).value();
  const std::string text = plot_text(found);
  std::size_t stars = 0;
  for (std::size_t at = text.find('|'); at < text.rfind('+'); ++at)
    stars += text[at] == '*' ? 1U : 0U;
  EXPECT_EQ(stars, 10U);
  const std::string svg = plot_svg(found);
  EXPECT_EQ(svg.rfind("<svg", 0), 0U);
  EXPECT_NE(svg.find("</svg>"), std::string::npos);
  EXPECT_NE(svg.find("add or remove one example"), std::string::npos);
  // Both lines begin at nothing and end at the right.
  EXPECT_NE(svg.find("points=\"60,270 110.0"), std::string::npos);
  EXPECT_NE(svg.find(" 560.0,"), std::string::npos);
}

}  // namespace
}  // namespace sotto::participant
