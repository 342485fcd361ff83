#include "coordinator/driver/noise_account.h"

#include <utility>

#include "common/base/bytes.h"

namespace sotto::coordinator {

namespace {

/// Encodes an attempt: its number, followed by the noise if there is any inside the sum.
Bytes record_of(RoundNumber round, const std::optional<privacy::NoisyRounds>& noise) {
  ByteWriter out;
  out.u64(round.value);
  if (!noise) return out.take();
  out.u8(static_cast<std::uint8_t>(noise->mechanism));
  out.u64(noise->variance);
  out.u32(noise->unknown_noises);
  out.u64(noise->squared_sensitivity);
  out.u64(noise->dimension);
  out.u64(noise->rounds);
  return out.take();
}

struct Charged {
  RoundNumber round;
  std::optional<privacy::NoisyRounds> noise;
};

Result<Charged> charge_in(BytesView record) {
  ByteReader in(record);
  Charged out{.round = RoundNumber{in.u64()}};
  if (in.finished()) return out;
  const std::uint8_t mechanism = in.u8();
  privacy::NoisyRounds noise;
  noise.mechanism = static_cast<privacy::NoiseMechanism>(mechanism);
  noise.variance = in.u64();
  noise.unknown_noises = in.u32();
  noise.squared_sensitivity = in.u64();
  noise.dimension = in.u64();
  noise.rounds = in.u64();
  if (!in.finished() || mechanism > static_cast<std::uint8_t>(privacy::NoiseMechanism::kSkellam))
    return Error{"a record of the noise account is of an unknown kind"};
  out.noise = noise;
  return out;
}

}  // namespace

Result<NoiseAccount> NoiseAccount::open(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(auto opened, storage::AppendLog::open(file));
  // An incomplete last record counts for nothing: no update could leave before it was complete.
  NoiseAccount out(std::move(opened.log));
  for (const Bytes& record : opened.records) {
    const auto charge = charge_in(record);
    Status added = charge.ok() ? Status{} : Status(charge.error());
    if (charge.ok() && charge->noise) added = out.accountant_.add(*charge->noise);
    if (!added.ok()) return Error{file.string() + ": " + added.error().message};
    out.charged_.insert(charge->round);
  }
  return out;
}

Status NoiseAccount::charge(RoundNumber round, const std::optional<privacy::NoisyRounds>& noise) {
  if (charged_.contains(round)) return {};
  if (noise) SOTTO_TRY(privacy::check(*noise));
  SOTTO_TRY(log_.append(record_of(round, noise)));
  charged_.insert(round);
  return noise ? accountant_.add(*noise) : Status{};
}

}  // namespace sotto::coordinator
