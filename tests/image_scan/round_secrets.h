// All secrets of one round of four members, made in a forked child and handed over XORed with a
// pad, so that the process that is searched never holds them but where the code under test puts
// them.
#pragma once

#include <array>
#include <cstring>
#include <deque>
#include <sstream>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "common/crypto/hash.h"
#include "tests/common/secagg/round_fixture.h"
#include "tests/image_scan/memory_search.h"

namespace sotto::image_scan {

using secagg::Client;
using secagg::Cohort;
using secagg::MaskSeed;
using secagg::TestRound;

constexpr std::uint32_t kMembers = 4;
constexpr std::uint32_t kDropout = 2;  // in U2, uploads nothing: its r is opened

inline Masked masked(std::span<const std::uint8_t, 32> raw) {
  Masked out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(raw[i] ^ kPad);
  return out;
}

/// What a member draws in the order of drawing: b, r, ske, coefficients of b and of r, then nonces.
struct Draws {
  std::vector<Masked> scalars;
};

class MaskedRandom final : public crypto::SecureRandom {
 public:
  explicit MaskedRandom(std::vector<Masked> next) : next_(next.begin(), next.end()) {}

  void fill(std::span<std::uint8_t> out) override {
    if (out.size() != 32 || next_.empty()) return others_.fill(out);  // nonces, names: no secrets
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<std::uint8_t>(next_.front()[i] ^ kPad);
    next_.pop_front();
  }

 private:
  std::deque<Masked> next_;
  crypto::StreamRandom others_{9};
};

struct Plan {
  std::vector<Draws> draws{kMembers};
  std::vector<Needle> needles;
};

/// Every secret of a round in which these values are drawn. Runs in the child.
class Planner {
 public:
  Planner() : h_(round_.h) {}

  Plan plan() {
    for (std::uint32_t i = 0; i < kMembers; ++i)
      draw(i);
    for (std::uint32_t i = 0; i < kMembers; ++i)
      derive(i);
    return std::move(plan_);
  }

 private:
  void needle(const std::string& name, std::span<const std::uint8_t, 32> raw) {
    plan_.needles.push_back({name, masked(raw)});
  }

  void draw(std::uint32_t i) {
    const std::string who = "of member " + std::to_string(i);
    const auto take = [&](const std::string& name, crypto::Secret32 secret) {
      plan_.draws[i].scalars.push_back(masked(secret.expose()));
      needle(name + who, secret.expose());
      return secret;
    };
    b_.push_back(take("b ", crypto::random_scalar(random_)));
    r_.push_back(take("r ", crypto::random_scalar(random_)));
    ske_.push_back(take("ske ", crypto::Secret32::random(random_)));
    for (std::uint32_t k = 1; k < round_.header.t; ++k)
      b_coefficients_[i].push_back(take("coefficient of b ", crypto::random_scalar(random_)));
    for (std::uint32_t k = 1; k < round_.header.t; ++k)
      r_coefficients_[i].push_back(take("coefficient of r ", crypto::random_scalar(random_)));
    MaskedRandom random(plan_.draws[i].scalars);
    m1_.push_back(Client(round_.header, Cohort(round_.roster), round_.id(i), round_.keys[i], {},
                         round_.coordinator.verify_key(), random)
                      .advertise());
  }

  void lane_keys(const std::string& name, const MaskSeed& seed) {
    ByteWriter owner;
    owner.bytes(h_);
    owner.u32(raw(seed.self_id));
    for (std::uint8_t lane = 0; lane < 3; ++lane) {
      ByteWriter place;
      place.u8(lane);
      place.u64(0);
      const auto key = seed.kind == MaskSeed::Kind::kPair
                           ? crypto::kdf("SA1 lane", seed.secret, {place.view()})
                           : crypto::kdf("SA1 self", seed.secret, {owner.view(), place.view()});
      needle("lane key of " + name, key.expose());
    }
  }

  void derive(std::uint32_t i) {
    const std::string who = "of member " + std::to_string(i);
    ByteWriter owner;
    owner.bytes(h_);
    owner.u32(raw(round_.id(i)));
    needle("mask key " + who, crypto::kdf("SA1 mkey", r_[i], {owner.view()}).expose());
    lane_keys("own mask " + who,
              {MaskSeed::Kind::kSelf, b_[i].clone(), round_.id(i), crypto::MaskSign::kAdd});
    const auto mask_key = secagg::mask_agreement_key(r_[i], h_, round_.id(i));
    const crypto::AgreementKey seal_key(ske_[i].clone());
    for (std::uint32_t j = 0; j < kMembers; ++j)
      if (j != i) between(i, j, mask_key, seal_key);
    // A share is public when its holder has sent it in M9; the other kind never is.
    const bool alive = i != kDropout;
    const auto hidden = alive
                            ? crypto::share_with_coefficients(r_[i], r_coefficients_[i], kMembers)
                            : crypto::share_with_coefficients(b_[i], b_coefficients_[i], kMembers);
    for (const auto& share : hidden)
      needle("unreleased share " + who, share.expose());
  }

  void between(std::uint32_t i, std::uint32_t j, const crypto::AgreementKey& mask_key,
               const crypto::AgreementKey& seal_key) {
    const std::string who = std::to_string(i) + " and " + std::to_string(j);
    const Bytes context = secagg::pair_context(h_, m1_[std::min(i, j)], m1_[std::max(i, j)]);
    const auto z = mask_key.agree(m1_[j].pk_mask).value();
    needle("X25519 of masks " + who, z.expose());
    auto pair = secagg::pair_secret(mask_key, m1_[j].pk_mask, {}, context).value();
    needle("pair secret " + who, pair.expose());
    lane_keys("pair " + who,
              {MaskSeed::Kind::kPair, std::move(pair), MemberId{}, crypto::MaskSign::kAdd});
    const auto ze = seal_key.agree(m1_[j].pk_enc).value();
    needle("X25519 of seals " + who, ze.expose());
    ByteWriter direction;
    direction.u32(raw(round_.id(i)));
    direction.u32(raw(round_.id(j)));
    needle("sealing key " + who,
           crypto::kdf("SA1 senc", ze, {Bytes32{}, context, direction.view()}).expose());
  }

  TestRound round_{kMembers};
  Bytes32 h_;
  crypto::OsRandom random_;
  Plan plan_;
  std::vector<crypto::Secret32> b_, r_, ske_;
  std::array<std::vector<crypto::Secret32>, kMembers> b_coefficients_, r_coefficients_;
  std::vector<wire::Advertise> m1_;
};

// ---- the plan through the pipe

inline void write_all(int to, const void* from, std::size_t size) {
  const auto* bytes = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t written = ::write(to, bytes, size);
    if (written <= 0) ::_exit(1);
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
}

inline void send_plan(const Plan& plan, int to) {
  std::ostringstream text;
  for (std::uint32_t i = 0; i < kMembers; ++i)
    for (const Masked& scalar : plan.draws[i].scalars)
      text << "draw " << i << ' ' << to_hex(scalar) << '\n';
  for (const Needle& needle : plan.needles)
    text << "needle " << to_hex(needle.bytes) << ' ' << needle.name << '\n';
  const std::string all = text.str();
  write_all(to, all.data(), all.size());
}

inline Masked masked_of(const std::string& hex) {
  Masked out{};
  const Bytes bytes = from_hex(hex).value();
  std::copy_n(bytes.begin(), out.size(), out.begin());
  return out;
}

inline Plan read_plan(int from) {
  std::string all;
  std::array<char, 4096> part{};
  for (ssize_t n = 0; (n = ::read(from, part.data(), part.size())) > 0;)
    all.append(part.data(), static_cast<std::size_t>(n));
  Plan plan;
  std::istringstream lines(all);
  for (std::string kind; lines >> kind;) {
    std::uint32_t member = 0;
    std::string hex;
    if (kind == "draw") {
      lines >> member >> hex;
      plan.draws.at(member).scalars.push_back(masked_of(hex));
    } else {
      Needle needle;
      lines >> hex;
      std::getline(lines, needle.name);
      needle.bytes = masked_of(hex);
      plan.needles.push_back(std::move(needle));
    }
  }
  return plan;
}

/// `make` runs in a child, so that what it makes leaves no trace here.
template <class Make>
Plan plan_in_a_child(const Make& make) {
  std::array<int, 2> ends{};
  SOTTO_CHECK(::pipe(ends.data()) == 0, "a pipe");
  const pid_t child = ::fork();
  SOTTO_CHECK(child >= 0, "a child");
  if (child == 0) {
    send_plan(make(), ends[1]);
    ::_exit(0);
  }
  ::close(ends[1]);
  Plan plan = read_plan(ends[0]);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  SOTTO_CHECK(status == 0 && plan.needles.size() > 5, "the child made the secrets");
  return plan;
}

}  // namespace sotto::image_scan
