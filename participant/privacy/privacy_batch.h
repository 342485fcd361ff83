// The questions of `sotto-participant privacy --batch`: one JSON object a line, an answer for each.
// docs/privacy.md, "What would it cost?", has an example of every kind. Pure; nothing is charged.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sotto::participant {

/// The answer to a question as one JSON object: {"epsilon":...}, {"delta":...},
/// {"noise_multiplier":...}, {"rdp":[...]}, or {"error":...}, which names the line `number` and the
/// field. A figure without a bound is null.
std::string answer_line(std::string_view line, std::uint64_t number);

}  // namespace sotto::participant
