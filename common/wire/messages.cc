#include "common/wire/messages.h"

namespace sotto::wire {

namespace {

// The names by index in the variant.
constexpr std::array<std::string_view, std::variant_size_v<Message>> kNames = {
    "Offer",         "Advertise",       "KeyList",       "Shares",
    "ShareForward",  "ShareCheck",      "Complaints",    "Opening",
    "Fix",           "UploadHeader",    "Survivors",     "Endorse",
    "UnmaskRequest", "UnmaskResponse",  "RoundResult",   "BurnRequest",
    "BurnVote",      "BurnCertificate", "Hello",         "JobOffer",
    "JobReply",      "LeaveRound",      "BlobRequest",   "BlobData",
    "RunFinished",   "GenesisCall",     "GenesisCommit", "GenesisList",
    "GenesisReveal", "GenesisProof"};

}  // namespace

std::string_view name_of(const Message& message) {
  return kNames[message.index()];
}

bool is_about_genesis(const Message& message) {
  return std::holds_alternative<GenesisCall>(message) ||
         std::holds_alternative<GenesisCommit>(message) ||
         std::holds_alternative<GenesisList>(message) ||
         std::holds_alternative<GenesisReveal>(message) ||
         std::holds_alternative<GenesisProof>(message);
}

}  // namespace sotto::wire
