#include "coordinator/noise_account.h"

#include <utility>

#include "common/base/bytes.h"

namespace sotto::coordinator {

namespace {

Bytes record_of(RoundNumber round, const privacy::NoisyRounds& noise) {
  ByteWriter out;
  out.u64(round.value);
  out.u8(static_cast<std::uint8_t>(noise.mechanism));
  out.u64(noise.variance);
  out.u32(noise.unknown_noises);
  out.u64(noise.squared_sensitivity);
  out.u64(noise.dimension);
  out.u64(noise.rounds);
  return out.take();
}

struct Charged {
  RoundNumber round;
  privacy::NoisyRounds noise;
};

Result<Charged> charge_in(BytesView record) {
  ByteReader in(record);
  const RoundNumber round{in.u64()};
  const std::uint8_t mechanism = in.u8();
  privacy::NoisyRounds noise;
  noise.mechanism = static_cast<privacy::NoiseMechanism>(mechanism);
  noise.variance = in.u64();
  noise.unknown_noises = in.u32();
  noise.squared_sensitivity = in.u64();
  noise.dimension = in.u64();
  noise.rounds = in.u64();
  if (!in.finished() || mechanism > static_cast<std::uint8_t>(privacy::NoiseMechanism::kSkellam))
    return Error{"an unknown record"};
  return Charged{.round = round, .noise = noise};
}

}  // namespace

Result<NoiseAccount> NoiseAccount::open(const std::filesystem::path& file) {
  auto opened = journal::AppendLog::open(file);
  if (!opened.ok()) return opened.error();
  // A torn last record was written before anything could leave, so it counts for nothing.
  NoiseAccount out(std::move(opened->log));
  for (const Bytes& record : opened->records) {
    const auto charge = charge_in(record);
    const Status added = charge.ok() ? out.accountant_.add(charge->noise) : Status(charge.error());
    if (!added.ok()) return Error{file.string() + ": " + added.error().message};
    out.charged_.insert(charge->round);
  }
  return out;
}

Status NoiseAccount::charge(RoundNumber round, const privacy::NoisyRounds& noise) {
  if (charged_.contains(round)) return {};
  if (Status fits = privacy::check(noise); !fits.ok()) return fits;
  if (Status written = log_.append(record_of(round, noise)); !written.ok()) return written;
  charged_.insert(round);
  return accountant_.add(noise);
}

}  // namespace sotto::coordinator
