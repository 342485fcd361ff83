// The phases of one attempt at a round, in the order in which the coordinator enters them.
#pragma once

#include <cstdint>
#include <string_view>

namespace sotto::coordinator {

enum class Phase : std::uint8_t {
  kAdvertise,
  kShare,
  kCheck,
  kSettle,
  kUpload,
  kEndorse,
  kUnmask,
  kAbort,
  kClosed
};

/// The name of the phase in status.json, metrics.jsonl, the dashboard and the log.
inline std::string_view name(Phase phase) {
  switch (phase) {
    case Phase::kAdvertise:
      return "Advertise";
    case Phase::kShare:
      return "Share";
    case Phase::kCheck:
      return "Check";
    case Phase::kSettle:
      return "Settle";
    case Phase::kUpload:
      return "Upload";
    case Phase::kEndorse:
      return "Endorse";
    case Phase::kUnmask:
      return "Unmask";
    case Phase::kAbort:
      return "Burn";
    case Phase::kClosed:
      return "Closed";
  }
  return "";
}

}  // namespace sotto::coordinator
