// The worked example in configs/adult, as docs/site.md gives it.
#include <filesystem>

#include <gtest/gtest.h>

#include "participant/deidentify/anonymisation/findings.h"
#include "participant/deidentify/anonymisation/full_domain.h"
#include "participant/deidentify/anonymisation/mondrian.h"
#include "participant/deidentify/anonymisation/release.h"

namespace sotto::anonymisation {
namespace {

const std::filesystem::path kExample = std::filesystem::path(SOTTO_SOURCE_DIR) / "configs/adult";

const tables::Table& adult() {
  static const tables::Table kTable = tables::Table::read(kExample / "data/train.csv").value();
  return kTable;
}

AnonymisationPlan plan_of(const std::vector<std::string>& overrides) {
  return load_plan(kExample / "anonymise.json", overrides);
}

TEST(Adult, HasItsKnownUniqueRowsBefore) {
  const Findings found = check(adult(), plan_of({})).value();
  EXPECT_EQ(found.rows, 32561U);
  EXPECT_EQ(found.classes, 2382U);
  EXPECT_EQ(found.unique_rows, 1330U);
  EXPECT_EQ(found.rows_below_five, 3035U);
  EXPECT_EQ(found.k, 1U);
}

struct Outcome {
  Findings found;
  Utility utility;
  std::size_t suppressed = 0;
};

Outcome run(const std::vector<std::string>& overrides) {
  const AnonymisationPlan plan = plan_of(overrides);
  const Microdata data = microdata_of(adult(), plan).value();
  Release release;
  if (plan.method == Method::kMondrian) {
    auto algorithm = Mondrian::start(data).value();
    while (algorithm.advance()) {
    }
    release = algorithm.take();
  } else {
    auto algorithm = FullDomain::start(data, plan.max_suppressed).value();
    while (algorithm.advance()) {
    }
    release = algorithm.take().value();
  }
  const auto written =
      tables::Table::parse(released_text(release, adult(), plan), "out.csv", tables::Format::kCsv);
  return {check(written.value(), plan).value(), utility_of(release, data),
          release.suppressed.size()};
}

TEST(Adult, MondrianHidesEveryRowAtASmallLoss) {
  const Outcome outcome = run({});
  EXPECT_EQ(outcome.found.k, 5U);
  EXPECT_EQ(outcome.found.unique_rows, 0U);
  EXPECT_EQ(outcome.found.rows, 32561U) << "nothing is left out";
  EXPECT_EQ(outcome.found.classes, 791U);
  EXPECT_NEAR(outcome.utility.gcp, 0.005, 5e-4);
  EXPECT_EQ(run({"k=25"}).found.classes, 307U);
}

TEST(Adult, FullDomainLosesMoreAndLeavesFewRowsOut) {
  const Outcome outcome = run({"method=full_domain"});
  EXPECT_EQ(outcome.found.k, 5U);
  EXPECT_EQ(outcome.suppressed, 316U);
  EXPECT_EQ(outcome.found.rows + outcome.suppressed, 32561U);
  EXPECT_EQ(outcome.found.classes, 234U);
  EXPECT_NEAR(outcome.utility.gcp, 0.054, 5e-4);
}

TEST(Adult, DiversityAndClosenessAreReached) {
  const Outcome diverse = run({"columns.occupation.distinct_l=3"});
  EXPECT_EQ(diverse.found.sensitive[0].worst.distinct, 3U);
  EXPECT_EQ(diverse.found.classes, 776U);
  const Outcome entropy = run({"columns.occupation.entropy_l=5"});
  EXPECT_GE(entropy.found.sensitive[0].worst.entropy_l, 5 - 1e-9);
  const Outcome close = run({"columns.occupation.t=0.3"});
  EXPECT_LE(close.found.sensitive[0].worst.t, 0.3 + 1e-9);
  EXPECT_EQ(close.found.k, 17U);
  EXPECT_EQ(close.found.classes, 118U);
}

}  // namespace
}  // namespace sotto::anonymisation
