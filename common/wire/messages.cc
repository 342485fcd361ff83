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

bool is_about_shared_randomness(const Message& message) {
  return std::holds_alternative<RandomnessCall>(message) ||
         std::holds_alternative<RandomnessCommit>(message) ||
         std::holds_alternative<RandomnessList>(message) ||
         std::holds_alternative<RandomnessReveal>(message) ||
         std::holds_alternative<RandomnessProof>(message);
}

}  // namespace sotto::wire
