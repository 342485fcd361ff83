#include "participant/privacy_questions.h"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sotto::participant {
namespace {

using nlohmann::json;
using privacy::Accounting;

json ask(const std::string& line) {
  return json::parse(answer_line(line));
}

TEST(PrivacyQuestions, AnswersWhatTheAccountantSays) {
  const privacy::DpSgdSteps run{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 1000};
  const std::string fields =
      R"("sampling_rate":0.01,"noise_multiplier":1,"steps":1000,"delta":1e-5})";
  EXPECT_EQ(ask("{" + fields)["epsilon"], privacy::epsilon_of(run, 1e-5).value());
  EXPECT_EQ(ask(R"({"accountant":"pld",)" + fields), ask("{" + fields));
  EXPECT_EQ(ask(R"({"accountant":"rdp",)" + fields)["epsilon"],
            privacy::epsilon_of({&run, 1}, 1e-5, Accounting::kRdp).value());
  EXPECT_NEAR(double{ask("{" + fields)["epsilon"]}, 1.8282, 1e-3) << "the published figure";
}

TEST(PrivacyQuestions, PartsAreComposed) {
  const json found =
      ask(R"({"delta":1e-5,"parts":[{"sampling_rate":0.01,"noise_multiplier":1.0,"steps":500},)"
          R"({"sampling_rate":0.02,"noise_multiplier":1.3,"steps":300},)"
          R"({"sampling_rate":1,"noise_multiplier":10,"steps":1}]})");
  EXPECT_NEAR(double{found["epsilon"]}, 1.8942713159808924, 2e-3) << "row 1 of f_heterogeneous";
}

TEST(PrivacyQuestions, ATargetAsksForTheNoise) {
  for (const char* accountant : {"pld", "rdp"}) {
    const json found = ask(std::string(R"({"accountant":")") + accountant +
                           R"(","sampling_rate":0.01,"steps":1000,"delta":1e-5,)"
                           R"("target_epsilon":2})");
    json back = {{"accountant", accountant},
                 {"sampling_rate", 0.01},
                 {"steps", 1000},
                 {"delta", 1e-5},
                 {"noise_multiplier", found["noise_multiplier"]}};
    const double epsilon = ask(back.dump())["epsilon"];
    EXPECT_LE(epsilon, 2);
    EXPECT_GT(epsilon, 1.995);
  }
}

TEST(PrivacyQuestions, WithoutABoundEpsilonIsNull) {
  EXPECT_TRUE(ask(R"({"sampling_rate":0.01,"noise_multiplier":1e-200,"steps":1,"delta":1e-5})")
                  .at("epsilon")
                  .is_null());
}

TEST(PrivacyQuestions, ABadLineGetsOneErrorThatNamesThePlace) {
  const auto error = [](const std::string& line) {
    const json found = ask(line);
    EXPECT_EQ(found.size(), 1U) << found;
    return found.at("error").get<std::string>();
  };
  const auto names = [&](const std::string& line, const std::string& what) {
    const std::string found = error(line);
    EXPECT_NE(found.find(what), std::string::npos) << found;
  };
  names("", "JSON");
  names("{", "JSON");
  names("[]", "object");
  names("{\"\xff\":1}", "JSON");
  names(R"({"sampling_rate":0.01,"noise_multiplier":1,"steps":9})", "delta");
  names(R"({"sampling_rate":0.01,"noise_multiplier":1,"steps":9,"delta":"x"})", "delta");
  names(R"({"sampling_rate":0.01,"noise_multiplier":1,"steps":9,"delta":1})", "delta");
  names(R"({"sampling_rate":0.01,"noise_multiplier":1,"steps":9.5,"delta":1e-5})", "steps");
  names(R"({"sampling_rate":0.01,"noise_multiplier":1,"steps":-1,"delta":1e-5})", "steps");
  names(R"({"sampling_rate":0.01,"noise_multiplier":1,"steps":1e300,"delta":1e-5})", "steps");
  names(R"({"sampling_rate":2,"noise_multiplier":1,"steps":9,"delta":1e-5})", "sampling rate");
  names(R"({"sampling_rate":0.1,"noise_multiplier":0,"steps":9,"delta":1e-5})", "noise");
  names(R"({"sampling_rate":0.1,"steps":9,"delta":1e-5})", "noise_multiplier");
  names(R"({"sampling_rate":0.1,"noise":1,"steps":9,"delta":1e-5})", "\"noise\"");
  names(R"({"accountant":"gdp","sampling_rate":0.1,"noise_multiplier":1,"steps":9,"delta":1e-5})",
        "accountant");
  names(R"({"sampling_rate":0.1,"noise_multiplier":1,"target_epsilon":1,"steps":9,"delta":1e-5})",
        "target_epsilon");
  names(R"({"delta":1e-5,"parts":[]})", "parts");
  names(R"({"delta":1e-5,"steps":1,"parts":[{}]})", "\"steps\"");
  names(R"({"delta":1e-5,"parts":[{"sampling_rate":1,"noise_multiplier":1,"steps":1},{}]})",
        "parts[1]");
}

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
