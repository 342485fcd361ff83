#include "tests/federation/lying_coordinator.h"

namespace sotto::simulation {

namespace {

using secagg::IndexSet;

wire::Bitmap bits(const IndexSet& set) {
  return wire::to_bitmap(LyingCoordinator::kMembers, set);
}

/// Parts of models and uploads: their contents are bound by hashes.
bool is_bulk(const wire::Message& message) {
  return std::holds_alternative<wire::BlobRequest>(message) ||
         std::holds_alternative<wire::BlobData>(message);
}

}  // namespace

LyingCoordinator::LyingCoordinator()
    : federation_({.members = kMembers, .job = small_job({"rounds.phase_timeout_s=3600"})}) {
  federation_.checker().expect_lies();
  federation_.interception = {
      .to_member = [this](MemberId to, RoundNumber,
                          const wire::Message& message) { return to_member(to, message); },
      .to_coordinator =
          [this](MemberId from, RoundNumber, const wire::Message& message) {
            return to_coordinator(from, message);
          }};
}

Messages LyingCoordinator::to_member(MemberId, const wire::Message& message) {
  if (lies_before_ && lies_before_(message)) lies_ = true;
  if (lies_ && !is_bulk(message)) return {};
  if (const auto* m0 = std::get_if<wire::Offer>(&message)) offer_ = *m0;
  return {message};
}

Messages LyingCoordinator::to_coordinator(MemberId from, const wire::Message& message) {
  ReceivedMessage& of = heard[raw(from) - 1];
  if (const auto* m5 = std::get_if<wire::UploadHeader>(&message)) of.m5 = *m5;
  if (const auto* m7 = std::get_if<wire::Endorse>(&message)) of.m7 = *m7;
  if (lies_ && !is_bulk(message)) return {};
  return {message};
}

void LyingCoordinator::tell(const IndexSet& members, const wire::Message& message) {
  for (std::uint32_t member : members)
    federation_.send_as_coordinator(id(member), kRound, message);
  settle();
}

wire::Offer LyingCoordinator::offer(const wire::RoundHeader& header) const {
  wire::Offer m0 = offer_;
  m0.header = header;
  secagg::sign_offer(key(), m0);
  return m0;
}

wire::Fix LyingCoordinator::fix(const IndexSet& u2) const {
  wire::Fix m4u{.u2 = bits(u2), .signature = {}};
  secagg::sign_fix(key(), h(), m4u);
  return m4u;
}

wire::Survivors LyingCoordinator::survivors(const IndexSet& u2, const IndexSet& s) const {
  wire::Survivors m6{.d_u2 = secagg::digest_u2(h(), bits(u2)), .s = bits(s), .signature = {}};
  secagg::sign_survivors(key(), h(), m6);
  return m6;
}

wire::UnmaskRequest LyingCoordinator::certificate(const IndexSet& u2, const IndexSet& s,
                                                  const IndexSet& signers) const {
  wire::UnmaskRequest m8;
  m8.d_u2 = secagg::digest_u2(h(), bits(u2));
  m8.d_s = secagg::digest_s(h(), m8.d_u2, bits(s));
  for (std::uint32_t member : signers)
    m8.certificate.push_back(
        heard.at(member).m7.value_or(wire::Endorse{.id = id(member), .signature = {}}));
  for (std::uint32_t member : s)
    m8.headers.push_back(heard.at(member).m5.value_or(wire::UploadHeader{}));
  return m8;
}

}  // namespace sotto::simulation
