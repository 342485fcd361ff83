// Accounting: one epsilon and one calibration, on one core. Nothing is kept between the runs.
#include <cstdio>
#include <tuple>

#include "common/privacy/accounting/calibration.h"
#include "common/privacy/accounting/pld_accountant.h"
#include "common/privacy/accounting/rdp_accountant.h"
#include "tests/bench/bench.h"

namespace sotto::bench {
namespace {

constexpr int kRuns = 7;
constexpr double kDelta = 1e-5;
constexpr privacy::DpSgdSteps kRun{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 10000};

double milliseconds_of(auto work) {
  return 1e3 * median_of(kRuns, [&] { return cpu_seconds_of(work); });
}

void epsilon(const Report& report) {
  privacy::PldAccountant pld;
  SOTTO_CHECK(pld.add(privacy::SampledGaussian{.rate = kRun.sampling_rate,
                                               .noise_multiplier = kRun.noise_multiplier},
                      kRun.steps)
                  .ok(),
              "a run");
  double found = 0;
  const std::string name = "q0.01_sigma1_steps10000";
  const auto add = [&](const char* metric, double ms) {
    report.add({.name = name, .metric = metric, .value = ms, .unit = "ms"});
  };
  add("pld_interval_1e-4", milliseconds_of([&] { found = pld.epsilon_at(1e-4, kDelta); }));
  add("pld_interval_1e-5", milliseconds_of([&] { found = pld.epsilon_at(1e-5, kDelta); }));
  report.add({.name = name, .metric = "epsilon_interval_1e-5", .value = found, .unit = ""});
  add("pld_chosen_interval", milliseconds_of([&] { found = pld.epsilon(kDelta); }));
  report.add({.name = name, .metric = "epsilon_chosen_interval", .value = found, .unit = ""});
  add("rdp", milliseconds_of([&] {
        found = privacy::epsilon_of({&kRun, 1}, kDelta, privacy::accountants::rdp).value();
      }));
  report.add({.name = name, .metric = "epsilon_rdp", .value = found, .unit = ""});
}

void calibration(const Report& report, const privacy::PrivacyTarget& target) {
  char name[64];
  std::snprintf(name, sizeof name, "calibrate_eps%g_q%g_steps%llu", target.epsilon,
                target.sampling_rate, static_cast<unsigned long long>(target.steps));
  double sigma = 0;
  const double ms = milliseconds_of([&] {
    sigma = privacy::calibrate_noise_multiplier(target, privacy::accountants::pld).value();
  });
  report.add({.name = name, .metric = "pld", .value = ms, .unit = "ms"});
  report.add({.name = name, .metric = "noise_multiplier", .value = sigma, .unit = ""});
}

}  // namespace
}  // namespace sotto::bench

int main(int argc, char** argv) {
  const sotto::bench::Report report("privacy", argc, argv);
  sotto::bench::epsilon(report);
  for (const auto& [epsilon, rate, steps] :
       {std::tuple{2.0, 0.01, 10000U}, {8.0, 0.01, 1000U}, {1.0, 0.001, 60000U}})
    sotto::bench::calibration(
        report,
        {.epsilon = epsilon, .delta = sotto::bench::kDelta, .sampling_rate = rate, .steps = steps});
}
