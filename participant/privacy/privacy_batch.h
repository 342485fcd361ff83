// The queries of `sotto-participant privacy --batch`: one JSON object in each line, and one answer
// for each. docs/privacy.md, "What would it cost?", has an example of every kind. The function is
// pure; nothing is charged.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sotto::participant {

/// Returns the answer to a query as one JSON object: {"epsilon":...}, {"delta":...},
/// {"noise_multiplier":...}, {"rdp":[...]}, or {"error":...}, which names the line `number` and the
/// field. A figure without a bound is null.
std::string answer_line(std::string_view line, std::uint64_t number);

}  // namespace sotto::participant
