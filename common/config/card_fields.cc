// The tables of fields of the files that participants give to the operator: cards and revocations.
#include "common/config/field_limits.h"
#include "common/config/fields.h"

namespace sotto::config {

namespace {

constexpr Limits kName{.text = TextRule::kName};
constexpr std::string_view kSigning = "Ed25519 key with which the participant signs its messages.";
constexpr std::string_view kTransport = "CURVE key of the participant's socket.";

}  // namespace

std::vector<Field> fields_of(Card& card) {
  return {
      {"name", &card.name, kRequired, kName, "Name of the participant."},
      {"signing_key", &card.signing_key, kRequired, kNoLimits, kSigning},
      {"transport_key", &card.transport_key, kRequired, kNoLimits, kTransport},
      {"signature", &card.signature, kRequired, kNoLimits,
       "Signature of this card by signing_key. It proves that the participant holds that key."},
      {"replaces.signing_key", &card.replaces.signing_key, kOptional, kNoLimits,
       "In a card made by `keys rotate`: the signing key that signing_key replaces."},
      {"replaces.transport_key", &card.replaces.transport_key, kOptional, kNoLimits,
       "The CURVE key that transport_key replaces."},
      {"replaces.signature", &card.replaces.signature, kOptional, kNoLimits,
       "Signature of this card by replaces.signing_key."},
  };
}

std::vector<Field> fields_of(Revocation& revocation) {
  return {
      {"name", &revocation.name, kRequired, kName, "Name of the participant."},
      {"signing_key", &revocation.signing_key, kRequired, kNoLimits, kSigning},
      {"transport_key", &revocation.transport_key, kRequired, kNoLimits, kTransport},
      {"signature", &revocation.signature, kRequired, kNoLimits,
       "Signature by signing_key. It states that these keys are not to be trusted any more."},
  };
}

}  // namespace sotto::config
