// PrometheusText writes the text format of Prometheus, version 0.0.4: gauge() or counter() begins a
// family of metrics with its help and type, and sample() adds to it.
// https://prometheus.io/docs/instrumenting/exposition_formats/
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coordinator/observability/run_report.h"

namespace sotto::coordinator::dashboard {

class PrometheusText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  PrometheusText& gauge(std::string_view name, std::string_view help);
  PrometheusText& counter(std::string_view name, std::string_view help);

  PrometheusText& sample(double value) { return sample({}, value); }

  PrometheusText& sample(Labels labels, double value);

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  PrometheusText& begin(std::string_view type, std::string_view name, std::string_view help);

  std::string family_;
  std::string text_;
};

/// Adds the numbers of members by answer, by connection and by part in the round.
void add_members(PrometheusText& out, const std::vector<MemberStatus>& members);
/// Adds the evaluation and the privacy spent, where there are any.
void add_results(PrometheusText& out, const RunStatus& status);

}  // namespace sotto::coordinator::dashboard
