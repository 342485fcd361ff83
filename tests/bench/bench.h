// What every benchmark program shares: timing, the median of repeated runs, and a report that is a
// table for a person or, with --json, one JSON object a line.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/check.h"

namespace sotto::bench {

inline double seconds_of(clockid_t clock) {
  timespec t{};
  SOTTO_CHECK(::clock_gettime(clock, &t) == 0, "no such clock");
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

inline double wall_seconds() {
  return seconds_of(CLOCK_MONOTONIC);
}

/// Of all threads of the process: little disturbed by what else the machine does.
inline double cpu_seconds() {
  return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

/// Of each measure the middle one of `runs` results, after one that warms up and does not count.
/// The measures take turns, so that what disturbs the machine disturbs all of them and ratios hold.
template <class... Measures>
std::array<double, sizeof...(Measures)> medians_of(int runs, Measures... measures) {
  SOTTO_CHECK(runs > 0, "a median of nothing");
  std::array<std::vector<double>, sizeof...(Measures)> results;
  for (int i = -1; i < runs; ++i) {
    const std::array<double, sizeof...(Measures)> turn = {measures()...};
    for (std::size_t m = 0; m < turn.size() && i >= 0; ++m)
      results[m].push_back(turn[m]);
  }
  std::array<double, sizeof...(Measures)> middle{};
  for (std::size_t m = 0; m < middle.size(); ++m) {
    std::ranges::nth_element(results[m], results[m].begin() + runs / 2);
    middle[m] = results[m][static_cast<std::size_t>(runs / 2)];
  }
  return middle;
}

template <class Measure>
double median_of(int runs, Measure measure) {
  return medians_of(runs, measure)[0];
}

/// The CPU seconds of one call of `work`.
template <class Work>
double cpu_seconds_of(Work work) {
  const double start = cpu_seconds();
  work();
  return cpu_seconds() - start;
}

/// Takes `--name TEXT` off the command line; `usual` without it.
inline std::string take_text(int& argc, char** argv, std::string_view name, std::string usual) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] != name) continue;
    std::string value = argv[i + 1];
    std::copy(argv + i + 2, argv + argc + 1, argv + i);
    argc -= 2;
    return value;
  }
  return usual;
}

/// Takes `--name N` off the command line; `usual` without it.
inline std::uint64_t take_number(int& argc, char** argv, std::string_view name,
                                 std::uint64_t usual) {
  return std::strtoull(take_text(argc, argv, name, std::to_string(usual)).c_str(), nullptr, 10);
}

struct Figure {
  std::string name;  // of the case; `case` is a keyword
  std::string metric;
  double value = 0;
  std::string unit;
  std::optional<double> floor = {};     // what the hardware or a library alone gives
  std::optional<double> baseline = {};  // what the obvious way gives
};

/// Prints each figure at once.
class Report {
 public:
  /// Takes --json from the command line; anything else is refused with exit code 2.
  Report(std::string suite, int argc, char** argv) : suite_(std::move(suite)) {
    for (int i = 1; i < argc; ++i) {
      if (std::string_view(argv[i]) != "--json") {
        std::fprintf(stderr, "usage: %s [--json]\n", argv[0]);
        std::exit(2);
      }
      json_ = true;
    }
  }

  void add(const Figure& figure) const {
    if (json_)
      print_json(figure);
    else
      print_row(figure);
    std::fflush(stdout);
  }

 private:
  void print_json(const Figure& figure) const {
    nlohmann::ordered_json line = {{"suite", suite_},
                                   {"case", figure.name},
                                   {"metric", figure.metric},
                                   {"value", figure.value},
                                   {"unit", figure.unit}};
    if (figure.floor) line["floor"] = *figure.floor;
    if (figure.baseline) line["baseline"] = *figure.baseline;
    std::printf("%s\n", line.dump().c_str());
  }

  void print_row(const Figure& figure) const {
    std::printf("%-10s %-28s %-24s %12.4g %-8s", suite_.c_str(), figure.name.c_str(),
                figure.metric.c_str(), figure.value, figure.unit.c_str());
    if (figure.floor) std::printf("  floor %.4g", *figure.floor);
    if (figure.baseline) std::printf("  baseline %.4g", *figure.baseline);
    std::printf("\n");
  }

  std::string suite_;
  bool json_ = false;
};

}  // namespace sotto::bench
