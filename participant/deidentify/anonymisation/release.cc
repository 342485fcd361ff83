#include "participant/deidentify/anonymisation/release.h"

#include <algorithm>

namespace sotto::anonymisation {

Utility utility_of(const Release& release, const Microdata& data) {
  const auto rows = static_cast<double>(data.rows);
  const auto suppressed = static_cast<double>(release.suppressed.size());
  Utility out{.ncp = std::vector<double>(data.quasi.size(), suppressed / rows),
              .discernibility = suppressed * rows};
  for (const ReleasedClass& c : release.classes) {
    const auto size = static_cast<double>(c.rows.size());
    out.discernibility += size * size;
    for (std::size_t i = 0; i < out.ncp.size(); ++i)
      out.ncp[i] += c.labels[i].loss * size / rows;
  }
  for (const double ncp : out.ncp)
    out.gcp += ncp / static_cast<double>(out.ncp.size());
  if (!release.classes.empty())
    out.mean_class_over_k =
        (rows - suppressed) / static_cast<double>(release.classes.size()) / data.k;
  return out;
}

std::string released_text(const Release& release, const tables::Table& table,
                          const AnonymisationPlan& plan) {
  constexpr std::size_t kAsItIs = SIZE_MAX;
  // Indexes in the table and in the labels.
  std::vector<std::pair<std::size_t, std::size_t>> columns;
  std::vector<std::string_view> header;
  std::size_t quasi = 0;
  for (std::size_t at = 0; at < table.columns().size(); ++at) {
    const std::string& name = table.columns()[at].name;
    const Role role = plan.columns.at(name).role;
    if (role == Role::kRemoved) continue;
    columns.emplace_back(at, role == Role::kQuasiIdentifier ? quasi++ : kAsItIs);
    header.push_back(name);
  }
  std::vector<std::string> lines;
  for (const ReleasedClass& c : release.classes) {
    for (const std::uint32_t row : c.rows) {
      std::vector<std::string_view> cells;
      for (const auto& [at, label] : columns)
        cells.push_back(label == kAsItIs ? table.cell(row, at) : c.labels[label].text);
      lines.push_back(tables::line_of(cells, table.format()));
    }
  }
  std::ranges::sort(lines);
  std::string text = tables::line_of(header, table.format());
  for (const std::string& line : lines)
    text += line;
  return text;
}

}  // namespace sotto::anonymisation
