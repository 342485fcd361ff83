#include "common/wire/codec.h"

#include <bit>
#include <utility>

#include "common/wire/field_io.h"

namespace sotto::wire {

namespace {

constexpr std::array<std::uint8_t, 8> kMagic = {'S', 'E', 'C', 'A', 'G', 'G', '1', 0};

bool valid_geometry(const encoding::LaneSpec& lane) {
  const bool word = lane.word_bits == 16 || lane.word_bits == 32 || lane.word_bits == 64;
  if (!word || lane.bits == 0 || lane.bits > lane.word_bits || lane.length == 0) return false;
  const std::uint64_t chunk_bytes = std::uint64_t{lane.chunk_words} * (lane.word_bits / 8);
  return std::has_single_bit(lane.chunk_words) && chunk_bytes >= 16 &&
         chunk_bytes <= std::uint64_t{1} << 26;
}

// M6, M7 and M8 share their type numbers with the abort messages (AbortRequest, AbortVote,
// AbortCertificate; section 2.7), from which this byte distinguishes them. decode() reads it to
// find the message.
constexpr std::uint8_t kSurvivorKind = 0;
constexpr std::uint8_t kAbortKind = 1;

/// The layout of each message is written once and serves both directions: Io is FieldWriter
/// (Ref<T> = const T&) or FieldReader (Ref<T> = T&). The field order and widths are those of
/// sections 2.2 and 2.3 of the specification and of common/wire/README.md; so is the entry size of
/// a list.
template <class Io>
struct Layout {
  template <class T>
  using Ref = typename Io::template Ref<T>;

  Io& io;
  const Limits& limits;

  void operator()(Ref<encoding::LaneSpec> m) const {
    io.u8(m.word_bits);
    io.u8(m.bits);
    io.enumeration(m.kind, encoding::LaneKind::kUpdate, encoding::LaneKind::kCheck, "lane codec");
    io.fixed_u8(0, "a lane's padding is not zero");
    io.u64_at_most(m.length, limits.lane_words, "lane words");
    io.u32(m.chunk_words);
    io.fixed_u32(0, "a lane's padding is not zero");
    io.require(valid_geometry(m), "a lane's word size, bits, length or chunk is not one we know");
  }

  void operator()(Ref<RoundHeader> m) const {
    io.fixed(kMagic, "the round header is not of SECAGG1");
    io.array(m.run);
    io.u64(m.round.value);
    io.array(m.roster_hash);
    io.array(m.cohort_hash);
    io.u32_at_most(m.n, limits.cohort, "cohort size");
    io.u32(m.C);
    io.u32(m.k);
    io.u32(m.t);
    io.u32(m.q);
    io.u32(m.Q);
    io.u32(m.s_min);
    io.u32(m.witnesses);
    io.enumeration(m.graph, Graph::kComplete, Graph::kCirculant, "neighbour graph");
    io.array(m.model_hash);
    io.array(m.config_hash);
    io.u8(m.prg_id);
    io.require(m.prg_id == 1, "unknown mask generator");
    io.short_list(m.lanes, limits.lanes, 20, "lanes", *this);
  }

  void operator()(Ref<Offer> m) const {
    (*this)(m.header);
    for (auto& deadline : m.deadline_ms)
      io.u64(deadline);
    io.bitmap(m.cohort, limits.roster_members);
    io.array(m.signature);
  }

  void operator()(Ref<Advertise> m) const {
    io.id(m.id);
    io.array(m.pk_enc);
    io.array(m.pk_mask);
    io.array(m.cm_b);
    io.array(m.signature);
  }

  void operator()(Ref<KeyList> m) const {
    io.bitmap(m.u1, limits.cohort);
    io.array(m.signature);
    io.list(m.advertisements, limits.cohort, 164, "advertisements", *this);
  }

  void operator()(Ref<ShareEntry> m) const {
    io.id(m.to);
    io.array(m.nonce);
    io.array(m.ciphertext);
    io.array(m.cb);
    io.array(m.cr);
    io.optional(m.escrow, [&](auto& escrow) {
      io.array(escrow.commitment);
      io.array(escrow.sealed);
    });
    io.array(m.signature);
  }

  void operator()(Ref<Shares> m) const {
    io.id(m.id);
    io.list(m.entries, limits.cohort, 237, "shares", *this);
  }

  void operator()(Ref<ShareForward> m) const {
    io.bitmap(m.v, limits.cohort);
    io.array(m.signature);
    io.list(m.entries, limits.cohort, 241, "forwarded shares", [&](auto& forwarded) {
      io.id(forwarded.from);
      (*this)(forwarded.entry);
    });
  }

  void operator()(Ref<ShareCheck> m) const {
    io.id(m.id);
    io.array(m.d_v);
    io.bitmap(m.bad_dealers, limits.cohort);
    io.bitmap(m.other_keys, limits.cohort);
    io.require(m.bad_dealers.size() == m.other_keys.size(), "its bitmaps have two lengths");
    io.array(m.signature);
  }

  void operator()(Ref<Complaints> m) const {
    io.list(m.checks, limits.cohort, 104, "complaints", *this);
  }

  void operator()(Ref<OpenedShare> m) const {
    io.id(m.member);
    io.array(m.b);
    io.array(m.r);
  }

  void operator()(Ref<Opening> m) const {
    io.id(m.id);
    io.array(m.d_v);
    io.list(m.shares, limits.cohort, 68, "opened shares", *this);
    io.array(m.signature);
  }

  void operator()(Ref<Fix> m) const {
    io.bitmap(m.u2, limits.cohort);
    io.array(m.signature);
    io.list(m.opened, limits.cohort, 68, "opened shares", *this);
  }

  void operator()(Ref<UploadHeader> m) const {
    io.id(m.id);
    io.array(m.d_u2);
    io.array(m.hash_y);
    io.array(m.signature);
  }

  void operator()(Ref<Survivors> m) const {
    io.fixed_u8(kSurvivorKind, "its kind is not 'survivors'");
    io.array(m.d_u2);
    io.bitmap(m.s, limits.cohort);
    io.array(m.signature);
  }

  void operator()(Ref<Endorse> m) const {
    io.fixed_u8(kSurvivorKind, "its kind is not 'survivors'");
    io.id(m.id);
    io.array(m.signature);
  }

  void operator()(Ref<UnmaskRequest> m) const {
    io.fixed_u8(kSurvivorKind, "its kind is not 'survivors'");
    io.list(m.certificate, limits.cohort, 68, "endorsements", [&](auto& endorsement) {
      io.id(endorsement.id);
      io.array(endorsement.signature);
    });
    io.array(m.d_u2);
    io.array(m.d_s);
    io.list(m.headers, limits.cohort, 132, "upload headers", *this);
  }

  void operator()(Ref<UnmaskResponse> m) const {
    io.id(m.id);
    io.array(m.d_u2);
    io.array(m.d_s);
    io.list(m.shares, limits.cohort, 37, "revealed shares", [&](auto& share) {
      io.id(share.dealer);
      io.enumeration(share.kind, ShareKind::kSelfMask, ShareKind::kMaskKey, "share kind");
      io.array(share.share);
    });
    io.array(m.signature);
  }

  void operator()(Ref<RoundResult> m) const {
    io.enumeration(m.status, RoundStatus::kDone, RoundStatus::kLost, "round status");
    io.array(m.d_s);
    io.array(m.aggregate_hash);
    io.array(m.model_hash);
    io.array(m.signature);
  }

  void operator()(Ref<AbortRequest> m) const {
    io.fixed_u8(kAbortKind, "its kind is not 'burn'");
    (*this)(m.header);
    io.array(m.signature);
  }

  void operator()(Ref<AbortVote> m) const {
    io.fixed_u8(kAbortKind, "its kind is not 'burn'");
    io.id(m.id);
    io.array(m.signature);
  }

  void operator()(Ref<AbortCertificate> m) const {
    io.fixed_u8(kAbortKind, "its kind is not 'burn'");
    io.list(m.votes, limits.cohort, 68, "burn votes", [&](auto& vote) {
      io.id(vote.id);
      io.array(vote.signature);
    });
  }

  void operator()(Ref<Hello> m) const {
    io.u32(m.protocol);
    io.array(m.run);
    io.u32(m.roster_version);
    io.array(m.roster_hash);
  }

  void operator()(Ref<JobOffer> m) const {
    io.array(m.run);
    io.text(m.job, limits.job_bytes, "job bytes");
    io.array(m.signature);
  }

  void operator()(Ref<JobReply> m) const {
    io.array(m.run);
    io.array(m.job_hash);
    io.id(m.id);
    io.enumeration(m.answer, JobAnswer::kDecline, JobAnswer::kPostpone, "job answer");
    io.u64_at_most(m.training_examples, limits.examples, "declared training examples");
    io.u64_at_most(m.evaluation_examples, limits.examples, "declared evaluation examples");
    io.u32(m.least_sum);
    io.text(m.reason, limits.reason_bytes, "reason bytes");
    io.array(m.signature);
  }

  void operator()(Ref<LeaveRound> m) const {
    io.text(m.reason, limits.reason_bytes, "reason bytes");
  }

  void operator()(Ref<BlobRequest> m) const {
    io.array(m.blob);
    io.u64_at_most(m.offset, limits.blob_bytes, "blob offset");
    io.u32_at_most(m.length, limits.blob_chunk_bytes, "blob range bytes");
  }

  void operator()(Ref<BlobData> m) const {
    io.array(m.blob);
    io.u64_at_most(m.total, limits.blob_bytes, "blob bytes");
    io.u64_at_most(m.offset, limits.blob_bytes, "blob offset");
    io.data(m.data, limits.blob_chunk_bytes, "blob range bytes");
    io.require(m.offset + m.data.size() <= m.total, "a blob's range ends behind the blob");
  }

  void operator()(Ref<RunFinished> m) const {
    io.array(m.run);
    io.flag(m.completed);
    io.array(m.model_hash);
    io.text(m.reason, limits.reason_bytes, "reason bytes");
    io.array(m.signature);
  }

  void operator()(Ref<RandomnessCall> m) const {
    io.array(m.run);
    io.array(m.attempt);
  }

  void operator()(Ref<RandomnessEntry> m) const {
    io.id(m.id);
    io.array(m.commitment);
    io.array(m.signature);
  }

  void operator()(Ref<RandomnessCommit> m) const {
    io.array(m.run);
    io.array(m.attempt);
    (*this)(m.entry);
  }

  void operator()(Ref<RandomnessList> m) const {
    io.array(m.run);
    io.list(m.entries, limits.roster_members, 100, "commitments", *this);
    io.array(m.signature);
  }

  void operator()(Ref<RandomnessReveal> m) const {
    io.array(m.run);
    io.id(m.id);
    io.array(m.digest);
    io.array(m.r);
    io.array(m.signature);
  }

  void operator()(Ref<RandomnessProof> m) const {
    io.array(m.run);
    io.list(m.entries, limits.roster_members, 100, "commitments", *this);
    io.list(m.reveals, limits.roster_members, 164, "reveals", *this);
  }
};

// Type numbers by index in the variant: those of section 2.3, and from 32 on the messages outside
// of rounds.
constexpr std::array<std::uint16_t, std::variant_size_v<Message>> kTypes = {
    0, 1, 2, 3,  4,  11, 13, 14, 12, 5,  6,  7,  8,  9,  10,
    6, 7, 8, 32, 33, 34, 35, 36, 37, 38, 48, 49, 50, 51, 52};

template <class M>
constexpr bool kIsAbort = std::is_same_v<M, AbortRequest> || std::is_same_v<M, AbortVote> ||
                          std::is_same_v<M, AbortCertificate>;

template <std::size_t... I>
std::optional<Message> empty_message(std::uint16_t type, std::uint8_t first_byte,
                                     std::index_sequence<I...> /*all*/) {
  const bool abort_state = type >= 6 && type <= 8 && first_byte == kAbortKind;
  std::optional<Message> message;
  ((kTypes[I] == type && kIsAbort<std::variant_alternative_t<I, Message>> == abort_state
        ? void(message.emplace(std::in_place_index<I>))
        : void()),
   ...);
  return message;
}

}  // namespace

Bytes encode(MemberId sender, RoundNumber round, const Message& message) {
  FieldWriter body;
  std::visit(Layout<FieldWriter>{body, Limits{}}, message);
  const Bytes body_bytes = body.take();
  ByteWriter frame;
  frame.reserve(kFrameHeaderBytes + body_bytes.size());
  frame.u16(kWireVersion);
  frame.u16(kTypes[message.index()]);
  frame.u32(raw(sender));
  frame.u64(round.value);
  frame.u64(body_bytes.size());
  frame.bytes(body_bytes);
  return frame.take();
}

bool is_of_another_protocol(BytesView frame) {
  ByteReader head(frame);
  const std::uint16_t version = head.u16();
  return head.ok() && version != kWireVersion;
}

Result<Decoded> decode(BytesView frame, const Limits& limits) {
  ByteReader head(frame);
  const std::uint16_t version = head.u16();
  const std::uint16_t type = head.u16();
  const MemberId sender{head.u32()};
  const RoundNumber round{head.u64()};
  const std::uint64_t length = head.u64();
  if (!head.ok()) return Error{"a frame ends inside its header"};
  if (version != kWireVersion)
    return Error{"a frame has protocol " + std::to_string(version) +
                 ", but this program uses protocol " + std::to_string(kWireVersion) +
                 "; both sides need versions of Sotto with the same protocol"};
  if (length != head.remaining())
    return Error{"a frame declares " + std::to_string(length) + " bytes of body but has " +
                 std::to_string(head.remaining())};
  const std::uint8_t first_byte = length == 0 ? 0 : frame[kFrameHeaderBytes];
  auto message = empty_message(type, first_byte, std::make_index_sequence<kTypes.size()>());
  if (!message) return Error{"a frame has the unknown type " + std::to_string(type)};

  FieldReader body(frame.subspan(kFrameHeaderBytes));
  std::visit(Layout<FieldReader>{body, limits}, *message);
  if (auto why = body.failure())
    return Error{"bad " + std::string(name_of(*message)) + " message: " + *why};
  return Decoded{sender, round, std::move(*message)};
}

Bytes header_bytes(const RoundHeader& header) {
  FieldWriter out;
  Layout<FieldWriter>{out, Limits{}}(header);
  return out.take();
}

Result<RoundHeader> parse_header(BytesView bytes, const Limits& limits) {
  FieldReader in(bytes);
  RoundHeader header;
  Layout<FieldReader>{in, limits}(header);
  if (auto why = in.failure()) return Error{"bad round header: " + *why};
  return header;
}

Bitmap to_bitmap(std::uint32_t n, const std::vector<std::uint32_t>& indexes) {
  Bitmap bitmap((std::size_t{n} + 7) / 8);
  for (std::uint32_t i : indexes) {
    SOTTO_CHECK(i < n, "an index outside the bitmap");
    bitmap[i / 8] = static_cast<std::uint8_t>(bitmap[i / 8] | 1U << (i % 8));
  }
  return bitmap;
}

Result<std::vector<std::uint32_t>> from_bitmap(std::uint32_t n, const Bitmap& bitmap) {
  if (bitmap.size() != (std::size_t{n} + 7) / 8)
    return Error{"a bitmap over " + std::to_string(n) + " members has " +
                 std::to_string(bitmap.size()) + " bytes"};
  if (n % 8 != 0 && bitmap.back() >> (n % 8) != 0)
    return Error{"a bitmap over " + std::to_string(n) + " members has a bit behind its end"};
  std::vector<std::uint32_t> indexes;
  for (std::uint32_t i = 0; i < n; ++i)
    if ((bitmap[i / 8] >> (i % 8) & 1) != 0) indexes.push_back(i);
  return indexes;
}

}  // namespace sotto::wire
