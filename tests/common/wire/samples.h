// One value of every message, the same as in tests/vectors/wire/make_frames.py.
#pragma once

#include <vector>

#include "common/wire/messages.h"

namespace sotto::wire::samples {

inline constexpr RoundNumber kRound = RoundNumber::of(2, 1);
inline constexpr MemberId kSender{2};

/// first, first + 1, ... as often as fits.
template <std::size_t N>
std::array<std::uint8_t, N> fill(unsigned first) {
  std::array<std::uint8_t, N> out{};
  for (std::size_t i = 0; i < N; ++i)
    out[i] = static_cast<std::uint8_t>(first + i);
  return out;
}

inline Bytes32 h32(unsigned first) {
  return fill<32>(first);
}

inline crypto::Signature sig(unsigned first) {
  return fill<64>(first);
}

inline RoundHeader header() {
  using encoding::LaneKind;
  RoundHeader h;
  h.run = h32(0x10);
  h.round = kRound;
  h.roster_hash = h32(0x20);
  h.cohort_hash = h32(0x30);
  h.n = 5;
  h.C = 1;
  h.k = 4;
  h.t = 3;
  h.q = 0;
  h.Q = 4;
  h.s_min = 4;
  h.witnesses = 5;
  h.model_hash = h32(0x40);
  h.config_hash = h32(0x50);
  h.lanes = {{32, 20, LaneKind::kUpdate, 1000000, 65536},
             {64, 64, LaneKind::kCounters, 9, 65536},
             {32, 32, LaneKind::kCheck, 16, 65536}};
  return h;
}

inline Advertise advertise() {
  return {MemberId{2}, h32(1), h32(2), h32(3), sig(4)};
}

inline ShareEntry entry(std::uint32_t to) {
  ShareEntry out{MemberId{to}, fill<24>(0x11), fill<80>(0x22), h32(0x33),
                 h32(0x44),    std::nullopt,   sig(0x55)};
  if (to == 4) out.escrow = {h32(0x66), fill<48>(0x77)};
  return out;
}

inline UploadHeader upload() {
  return {MemberId{3}, h32(7), h32(8), sig(9)};
}

inline ShareCheck share_check() {
  return {MemberId{2}, h32(0x2e), {0x08}, {0x10}, sig(0x2f)};
}

inline RandomnessEntry randomness_entry() {
  return {MemberId{2}, h32(0x71), sig(0x72)};
}

inline RandomnessReveal randomness_reveal() {
  return {h32(0x70), MemberId{2}, h32(0x73), h32(0x74), sig(0x75)};
}

/// In the variant's order.
inline std::vector<Message> all() {
  return {
      Offer{header(), {1000, 2000, 3000, 4000, 5000, 6000}, {0xb6, 0x01}, sig(0x60)},
      advertise(),
      KeyList{{0x1f}, sig(5), {advertise()}},
      Shares{MemberId{2}, {entry(1), entry(4)}},
      ShareForward{{0x1d}, sig(6), {{MemberId{5}, entry(2)}}},
      share_check(),
      Complaints{{share_check()}},
      Opening{MemberId{3}, h32(0x81), {{MemberId{2}, h32(0x82), h32(0x83)}}, sig(0x84)},
      Fix{{0x1e}, sig(0x3a), {{MemberId{3}, h32(0x85), h32(0x86)}}},
      upload(),
      Survivors{h32(0x0a), {0x17}, sig(0x0b)},
      Endorse{MemberId{4}, sig(0x0c)},
      UnmaskRequest{
          {{MemberId{1}, sig(0x0d)}, {MemberId{4}, sig(0x0e)}}, h32(0x0f), h32(0x1a), {upload()}},
      UnmaskResponse{MemberId{2},
                     h32(0x1b),
                     h32(0x1c),
                     {{MemberId{1}, ShareKind::kSelfMask, h32(0x1d)},
                      {MemberId{3}, ShareKind::kMaskKey, h32(0x1e)}},
                     sig(0x1f)},
      RoundResult{RoundStatus::kLost, h32(0x2a), h32(0x2b), h32(0x2c), sig(0x2d)},
      AbortRequest{header(), sig(0x61)},
      AbortVote{MemberId{4}, sig(0x62)},
      AbortCertificate{{{MemberId{1}, sig(0x63)}, {MemberId{4}, sig(0x64)}}},
      Hello{kProtocol, h32(0x5a), 7, h32(0x5b)},
      JobOffer{h32(0x3b), R"({"rounds":3})", sig(0x3c)},
      JobReply{h32(0x3d), h32(0x3e), MemberId{2}, JobAnswer::kPostpone, 3500, 200, 4,
               "epsilon is above our policy", sig(0x3f)},
      LeaveRound{"disk full"},
      BlobRequest{h32(0x4a), 262144, 65536},
      BlobData{h32(0x4b), 262149, 262144, {0x4c, 0x4d, 0x4e, 0x4f, 0x50}},
      RunFinished{h32(0x4d), true, h32(0x4e), "", sig(0x4f)},
      RandomnessCall{h32(0x70), h32(0x76)},
      RandomnessCommit{h32(0x70), h32(0x76), randomness_entry()},
      RandomnessList{h32(0x70), {randomness_entry()}, sig(0x77)},
      randomness_reveal(),
      RandomnessProof{h32(0x70), {randomness_entry()}, {randomness_reveal()}},
  };
}

}  // namespace sotto::wire::samples
