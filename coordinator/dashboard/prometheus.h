// The text format of Prometheus, version 0.0.4: a family of metrics is begun with its help and its
// type, then come its samples. https://prometheus.io/docs/instrumenting/exposition_formats/
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

/// How many members answered what, are connected, and do what in the round.
void add_members(PrometheusText& out, const std::vector<MemberStatus>& members);
/// The evaluation and the privacy spent, where there are any.
void add_results(PrometheusText& out, const RunStatus& status);

}  // namespace sotto::coordinator::dashboard
