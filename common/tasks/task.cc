#include "common/tasks/task.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "common/base/check.h"

namespace sotto::tasks {

double exact(double figure) {
  return figure;
}

double four_decimals(double figure) {
  return std::round(figure * 1e4) / 1e4;
}

std::string shown(const FigureKind& kind, double value) {
  std::array<char, 64> text{};
  if (kind.is_share)
    std::snprintf(text.data(), text.size(), "%.1f %%", 100 * value);
  else
    std::snprintf(text.data(), text.size(), std::abs(value) < 1 ? "%.3g" : "%.2f", value);
  return text.data();
}

double Evaluation::value(std::string_view name) const {
  for (const Figure& figure : figures)
    if (figure.kind.name == name) return figure.value;
  return 0;
}

std::int64_t Task::label_limit() const {
  return std::max<std::int64_t>(static_cast<std::int64_t>(strata()), 1);
}

std::optional<std::int64_t> Task::label_number(std::string_view text) const {
  const std::vector<std::string> names = classes();
  const auto found = std::ranges::find(names, text);
  if (found == names.end()) return std::nullopt;
  return found - names.begin();
}

std::string Task::label_text(std::int64_t number) const {
  return classes().at(static_cast<std::size_t>(number));
}

std::string Task::unknown_label(const std::string& admitted) const {
  return "has a label that the job does not name; it names " + admitted;
}

Status Task::check_relations(std::span<const std::uint64_t> /*counts*/) const {
  return {};
}

Evaluation Task::summarise(std::span<const std::uint64_t> sums, Rounding rounding) const {
  SOTTO_CHECK(sums.size() == counters().size(), "the metrics do not match the job");
  Evaluation out{.units = sums[0], .headline = headline()};
  if (out.units > 0)
    fill(out, sums, rounding);
  else
    for (const FigureKind& kind : figures())
      out.figures.push_back({kind, 0});
  return out;
}

double Task::figure_of_constant(std::span<const std::int64_t> /*train*/,
                                std::span<const std::int64_t> /*evaluation*/) const {
  return 0;
}

std::vector<std::string> Task::counter_names() const {
  std::vector<std::string> names;
  for (Counter& counter : counters())
    names.push_back(std::move(counter.name));
  return names;
}

std::vector<std::uint64_t> Task::in_steps(const CounterSums& sums) const {
  const std::vector<Counter> all = counters();
  SOTTO_CHECK(sums.size() == all.size(), "the metrics do not match the job");
  std::vector<std::uint64_t> out;
  for (std::size_t i = 0; i < all.size(); ++i)
    out.push_back(
        static_cast<std::uint64_t>(std::llround(sums[i] * static_cast<double>(all[i].scale))));
  return out;
}

}  // namespace sotto::tasks
