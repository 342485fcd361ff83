#include "common/simulation/fault_plan.h"

#include <algorithm>

namespace sotto::simulation {

std::string_view name(Moment moment) {
  static constexpr std::string_view kNames[] = {"advertise",    "shares",  "check",  "upload",
                                                "upload_bytes", "endorse", "unmask", "burn_vote"};
  return kNames[static_cast<std::size_t>(moment)];
}

std::optional<Moment> moment_of(const wire::Message& message) {
  if (std::holds_alternative<wire::Advertise>(message)) return Moment::kAdvertise;
  if (std::holds_alternative<wire::Shares>(message)) return Moment::kShares;
  if (std::holds_alternative<wire::ShareCheck>(message)) return Moment::kShareCheck;
  if (std::holds_alternative<wire::UploadHeader>(message)) return Moment::kUpload;
  if (std::holds_alternative<wire::BlobData>(message)) return Moment::kUploadBytes;
  if (std::holds_alternative<wire::Endorse>(message)) return Moment::kEndorse;
  if (std::holds_alternative<wire::UnmaskResponse>(message)) return Moment::kUnmask;
  if (std::holds_alternative<wire::AbortVote>(message)) return Moment::kAbortVote;
  return std::nullopt;
}

const Fault* find_fault(const FaultPlan& plan, MemberId member, std::uint64_t round,
                        const wire::Message& message) {
  const auto moment = moment_of(message);
  if (!moment) return nullptr;
  const auto at = std::ranges::find_if(plan, [&](const Fault& fault) {
    return fault.member == member && fault.round == round && fault.moment == *moment;
  });
  return at == plan.end() ? nullptr : &*at;
}

}  // namespace sotto::simulation
