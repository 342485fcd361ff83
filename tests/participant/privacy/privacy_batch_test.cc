#include "participant/privacy/privacy_batch.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/privacy/accounting/rdp_accountant.h"

namespace sotto::participant {
namespace {

using nlohmann::json;

json ask(const std::string& line) {
  return json::parse(answer_line(line, 7));
}

TEST(PrivacyBatch, AnswersWhatTheAccountantSays) {
  const privacy::DpSgdSteps run{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 1000};
  const std::string fields =
      R"("sampling_rate":0.01,"noise_multiplier":1,"steps":1000,"delta":1e-5})";
  EXPECT_EQ(ask("{" + fields)["epsilon"], privacy::epsilon_of(run, 1e-5).value());
  EXPECT_EQ(ask(R"({"accountant":"pld",)" + fields), ask("{" + fields));
  EXPECT_EQ(ask(R"({"accountant":"rdp",)" + fields)["epsilon"],
            privacy::epsilon_of({&run, 1}, 1e-5, privacy::accountants::rdp).value());
  EXPECT_NEAR(double{ask("{" + fields)["epsilon"]}, 1.8282, 1e-3) << "the published figure";
}

TEST(PrivacyBatch, PartsAreComposed) {
  const json found =
      ask(R"({"delta":1e-5,"parts":[{"sampling_rate":0.01,"noise_multiplier":1.0,"steps":500},)"
          R"({"sampling_rate":0.02,"noise_multiplier":1.3,"steps":300},)"
          R"({"sampling_rate":1,"noise_multiplier":10,"steps":1}]})");
  EXPECT_NEAR(double{found["epsilon"]}, 1.8942713159808924, 2e-3) << "row 1 of f_heterogeneous";
}

TEST(PrivacyBatch, ATargetAsksForTheNoise) {
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

TEST(PrivacyBatch, WithoutABoundEpsilonIsNull) {
  EXPECT_TRUE(ask(R"({"sampling_rate":0.01,"noise_multiplier":1e-200,"steps":1,"delta":1e-5})")
                  .at("epsilon")
                  .is_null());
}

TEST(PrivacyBatch, ABadLineGetsOneErrorThatNamesThePlace) {
  const auto error = [](const std::string& line) {
    const json found = ask(line);
    EXPECT_EQ(found.size(), 1U) << found;
    return found.at("error").get<std::string>();
  };
  const auto names = [&](const std::string& line, const std::string& what) {
    const std::string found = error(line);
    EXPECT_EQ(found.rfind("line 7: ", 0), 0U) << found;
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
  names(R"({"sampling_rate":2,"noise_multiplier":1,"steps":9,"delta":1e-5})", "\"sampling_rate\"");
  names(R"({"sampling_rate":0.1,"noise_multiplier":0,"steps":9,"delta":1e-5})", "noise_multiplier");
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
  names(R"({"delta":1e-5,"epsilon":1,"sampling_rate":1,"noise_multiplier":1,"steps":1})", "delta");
  names(R"({"delta":1e-5,"mechanism":"cauchy","steps":1})", "\"mechanism\"");
  names(R"({"delta":1e-5,"mechanism":"laplace","steps":1})", "\"scale\"");
  names(R"({"delta":1e-5,"mechanism":"laplace","scale":1,"sigma":1,"steps":1})", "\"sigma\"");
  names(R"({"orders":[1],"sampling_rate":1,"noise_multiplier":1,"steps":1})", "\"orders\"");
  names(R"({"orders":[2],"mechanism":"laplace","scale":1,"steps":1})", "\"orders\"");
  names(R"({"delta":1e-5,"sampling_rate":1,"noise_multiplier":1,"steps":1,"examples":65})",
        "\"examples\"");
  names(R"({"delta":1e-5,"sampling_rate":1,"noise_multiplier":1,"steps":1,"examples":2,)"
        R"("adjacency":"replace_one"})",
        "replace_one");
  names(R"({"accountant":"rdp","delta":1e-5,"mechanism":"laplace","scale":1,"steps":1})",
        "accountant");
  names(R"({"target_epsilon":1,"delta":1e-5,"mechanism":"laplace","scale":1,"steps":1})",
        "target_epsilon");
  names(R"({"delta":1e-5,"parts":[{"sampling_rate":1,"noise_multiplier":1,"steps":1},)"
        R"({"mechanism":"distributed_skellam","deviation":20,"unknown_noises":9,)"
        R"("squared_sensitivity":360,"dimension":1024,"steps":1}]})",
        "parts");
}

json rows(const std::string& table) {
  std::ifstream in(SOTTO_SOURCE_DIR "/tests/vectors/dp/" + table + "_public.json");
  return json::parse(in).at("rows");
}

TEST(PrivacyBatch, DeltaAtEpsilonIsTheClosedFormOfOneStep) {
  std::size_t seen = 0;
  for (const json& row : rows("a1_poisson_gaussian_T1_exact")) {
    if (row["kind"] != "delta") continue;
    const double exact = std::max(double{row["delta_remove"]}, double{row["delta_add"]});
    if (!(exact > 1e-10 && exact < 0.5) || ++seen % 6 != 0) continue;
    const json found = ask(json{
        {"sampling_rate", row["q"]},
        {"noise_multiplier", row["sigma"]},
        {"steps", 1},
        {"epsilon",
         row["eps"]}}.dump());
    EXPECT_GE(double{found["delta"]}, exact * (1 - 1e-9)) << row;
    EXPECT_LE(double{found["delta"]}, exact * 1.02) << row << found;
  }
  EXPECT_GE(seen, 30U);
}

TEST(PrivacyBatch, DeltaAtEpsilonGoesBackToEpsilon) {
  const std::string run = R"("sampling_rate":0.01,"noise_multiplier":1,"steps":1000})";
  const json delta = ask(R"({"epsilon":2,)" + run)["delta"];
  EXPECT_NEAR(double{ask(R"({"delta":)" + delta.dump() + "," + run)["epsilon"]}, 2, 1e-5);
}

TEST(PrivacyBatch, TheRenyiCurveIsThatOfTheTable) {
  for (const json& row : rows("b_rdp_curve")) {
    if (!row["rdp_mpmath40"].is_number() || row["q"] == 1) continue;
    const json found = ask(json{
        {"sampling_rate", row["q"]},
        {"noise_multiplier", row["sigma"]},
        {"steps", 3},
        {"orders",
         {row["order"]}}}.dump());
    const double exact = 3 * double{row["rdp_mpmath40"]};
    if (found["rdp"][0].is_number()) {
      EXPECT_NEAR(double{found["rdp"][0]}, exact, 1e-8 * exact) << row;
    }
  }
}

TEST(PrivacyBatch, APersonWithManyExamplesAndReplacementAreThoseOfTheTable) {
  std::size_t seen = 0;
  for (const json& row : rows("h_userlevel_adjacency_tuning")) {
    const bool of_person = row["kind"] == "user_level_poisson_k_examples";
    if (!of_person && row["kind"] != "poisson_replace_one") continue;
    json question = {{"sampling_rate", row["q"]},
                     {"noise_multiplier", row["sigma"]},
                     {"steps", row["T"]},
                     {"delta", row["delta"]}};
    if (of_person)
      question["examples"] = row["k"];
    else
      question["adjacency"] = "replace_one";
    const double reference = row["eps"];
    EXPECT_NEAR(double{ask(question.dump())["epsilon"]}, reference, 1e-3 * reference) << row;
    ++seen;
  }
  EXPECT_EQ(seen, 14U);
}

TEST(PrivacyBatch, LaplaceAndDiscreteNoiseAreThoseOfTheTable) {
  std::size_t at = 0;
  for (const json& row : rows("e_laplace_discrete")) {
    if (++at % 5 != 0) continue;  // pld_accountant_test.cc has all of them
    const std::string kind = row["mechanism"];
    json question = {{"steps", row["count"]}, {"delta", row["delta"]}};
    question["mechanism"] = kind == "poisson_laplace" ? "laplace" : kind;
    for (const auto& [from, to] : {std::pair{"b", "scale"},
                                   {"q", "sampling_rate"},
                                   {"a", "decay"},
                                   {"sigma", "sigma"},
                                   {"sensitivity", "sensitivity"}})
      if (row.contains(from)) question[to] = row[from];
    const double reference = row["eps_pld"];
    EXPECT_NEAR(double{ask(question.dump())["epsilon"]}, reference, 2e-3 * reference + 1e-4) << row;
  }
}

TEST(PrivacyBatch, DistributedNoiseIsWhatALedgerWouldSay) {
  privacy::RdpAccountant accountant;
  ASSERT_TRUE(accountant
                  .add(privacy::NoisyRounds{.mechanism = privacy::NoiseMechanism::kSkellam,
                                            .variance = 400 * privacy::kVarianceUnit,
                                            .unknown_noises = 9,
                                            .squared_sensitivity = 360,
                                            .dimension = 1024,
                                            .rounds = 10})
                  .ok());
  const std::string noise =
      R"("mechanism":"distributed_skellam","deviation":20,"unknown_noises":9,)"
      R"("squared_sensitivity":360,"dimension":1024,"steps":10})";
  EXPECT_EQ(ask(R"({"delta":1e-5,)" + noise)["epsilon"], accountant.epsilon(1e-5));
  EXPECT_NEAR(double{ask(R"({"orders":[2],)" + noise)["rdp"][0]}, accountant.rdp()[9], 1e-12);
  EXPECT_NEAR(
      double{ask(R"({"epsilon":)" + json(accountant.epsilon(1e-5)).dump() + "," + noise)["delta"]},
      1e-5, 2e-10);
}

}  // namespace
}  // namespace sotto::participant
