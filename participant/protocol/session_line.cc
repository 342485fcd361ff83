#include "participant/protocol/session_line.h"

namespace sotto::participant {

namespace {

const char* what(SessionEvent::Kind kind) {
  using Kind = SessionEvent::Kind;
  switch (kind) {
    case Kind::kRoundJoined:
      return "joined";
    case Kind::kSharesOpened:
      return "opened shares";
    case Kind::kUploaded:
      return "released the masked update";
    case Kind::kEndorsed:
      return "endorsed the survivors";
    case Kind::kUnmasked:
      return "sent shares";
    case Kind::kVotedAbort:
      return "voted to abort the round";
    case Kind::kFreed:
      return "burnt";
    case Kind::kRoundClosed:
      return "closed";
    case Kind::kRoundLeft:
      return "left";
    case Kind::kRejected:
      return "rejected a message";
    case Kind::kIgnored:
    case Kind::kModelReceived:
      break;
  }
  return nullptr;
}

}  // namespace

std::optional<std::string> line_for_log(const SessionEvent& event) {
  const char* happened = what(event.kind);
  if (happened == nullptr) return std::nullopt;
  const std::string line = "round " + std::to_string(event.round.server_round()) + ": " + happened;
  return event.detail.empty() ? line : line + " (" + event.detail + ")";
}

}  // namespace sotto::participant
