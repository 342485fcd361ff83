// The tables of fields of the files that participants give to the operator: cards and revocations.
#include "common/config/fields.h"

namespace sotto::config {

namespace {

constexpr Presence kRequired = Presence::kRequired;
constexpr Limits kName{.text = TextRule::kName};
constexpr std::string_view kSigning = "Ed25519 key that signs its messages.";
constexpr std::string_view kTransport = "CURVE key of its socket.";

}  // namespace

std::vector<Field> fields_of(Card& card) {
  constexpr Presence kOptional = Presence::kOptional;
  return {
      {"name", &card.name, kRequired, kName, "Name of the participant."},
      {"signing_key", &card.signing_key, kRequired, {}, kSigning},
      {"transport_key", &card.transport_key, kRequired, {}, kTransport},
      {"signature",
       &card.signature,
       kRequired,
       {},
       "The participant's own: it holds the key that it shows."},
      {"replaces.signing_key",
       &card.replaces.signing_key,
       kOptional,
       {},
       "Of a card made by `keys rotate`: the signing key that it takes the place of."},
      {"replaces.transport_key",
       &card.replaces.transport_key,
       kOptional,
       {},
       "The CURVE key that it takes the place of."},
      {"replaces.signature",
       &card.replaces.signature,
       kOptional,
       {},
       "By replaces.signing_key, over this card."},
  };
}

std::vector<Field> fields_of(Revocation& revocation) {
  return {
      {"name", &revocation.name, kRequired, kName, "Name of the participant."},
      {"signing_key", &revocation.signing_key, kRequired, {}, kSigning},
      {"transport_key", &revocation.transport_key, kRequired, {}, kTransport},
      {"signature",
       &revocation.signature,
       kRequired,
       {},
       "By signing_key: these keys are not to be believed any more."},
  };
}

}  // namespace sotto::config
