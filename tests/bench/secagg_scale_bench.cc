// The largest round that is run whole on one machine: every member's client and the coordinator, in
// memory, with the wall time and the memory that it takes. In the greater one witnesses certify.
#include <fstream>
#include <string>
#include <thread>

#include "tests/bench/bench.h"
#include "tests/bench/secagg_round.h"

namespace sotto::bench {
namespace {

/// The most memory that this process has held so far, in MiB.
double peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

void whole_round(const Report& report, const RoundCase& round_case) {
  RoundBench bench(round_case);
  const double start = wall_seconds();
  const RoundCost cost = bench.run();
  const auto add = [&](const char* metric, double value, const char* unit) {
    report.add({.name = round_case.name, .metric = metric, .value = value, .unit = unit});
  };
  add("wall_s", wall_seconds() - start, "s");
  add("peak_mib", peak_mib(), "MiB");
  add("degree", bench.header().k, "");
  add("survivors", cost.survivors, "");
  add("client_cpu_ms", 1e3 * cost.client, "ms");
  add("coordinator_setup_cpu_s", cost.set_up, "s");
  add("coordinator_uploads_cpu_s", cost.uploads, "s");
  add("coordinator_cpu_s", cost.after, "s");
  add("upload_bytes", static_cast<double>(cost.sent_bytes), "B");
  add("download_bytes", static_cast<double>(cost.received_bytes), "B");
}

}  // namespace
}  // namespace sotto::bench

int main(int argc, char** argv) {
  using sotto::bench::whole_round;
  const sotto::bench::Report report("secagg_scale", argc, argv);
  const auto circulant = sotto::wire::Graph::kCirculant;
  const unsigned threads = std::max(1U, std::thread::hardware_concurrency());
  whole_round(report, {.name = "n1000_d1e6_drop10",
                       .n = 1000,
                       .C = 200,
                       .values = 1'000'000,
                       .drop = 0.1,
                       .graph = circulant,
                       .threads = threads});
  whole_round(report, {.name = "n10000_d1e5_drop10",
                       .n = 10'000,
                       .C = 2'000,
                       .values = 100'000,
                       .drop = 0.1,
                       .graph = circulant,
                       .threads = threads});
}
