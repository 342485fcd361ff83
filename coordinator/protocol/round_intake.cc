// Masked uploads in the round machine: written to the store range by range and, when complete,
// added to the sum part by part.
#include "common/secagg/shared/masking.h"
#include "coordinator/protocol/round_state.h"

namespace sotto::coordinator {

void RoundStateMachine::State::receive_upload(MemberId from, const wire::BlobData& data,
                                              TimePoint now) {
  auto* upload = in<UploadPhase>();
  if (!upload) return record_result(from, "BlobData", MessageResult::ignored("late"));
  const auto taken = upload->collector.accept(from, data, now);
  if (!taken.ok()) return lose_member(from, taken.error().message);
  if (!taken->fresh) return;
  const std::uint32_t index = *server.cohort().index_of(from);
  if (Status kept = plan.uploads->write(index, data.offset, data.data); !kept.ok()) {
    out.store_failed = kept.error().message;
    return;
  }
  if (taken->whole) add_upload(from);
}

template <class Use>
bool RoundStateMachine::State::read_upload(std::uint32_t index, Use use) {
  for (const encoding::PackedChunk& chunk : encoding::packed_chunks(plan.header.lanes)) {
    const auto packed = plan.uploads->read(index, chunk.offset, chunk.bytes);
    if (!packed.ok()) {
      out.store_failed = packed.error().message;
      return false;
    }
    use(chunk, *packed);
  }
  return true;
}

void RoundStateMachine::State::add_upload(MemberId from) {
  const std::uint32_t index = *server.cohort().index_of(from);
  auto hasher = secagg::upload_hasher(server.h(), from);
  Status padded;
  const bool read = read_upload(index, [&](const encoding::PackedChunk& chunk, BytesView packed) {
    hasher.update(packed);
    if (padded.ok())
      padded = encoding::check_packed_chunk(plan.header.lanes[chunk.lane], chunk.chunk, packed);
  });
  if (!read) return;
  Status counted = server.check_upload(from, hasher.finish());
  if (counted.ok()) counted = padded;
  if (!counted.ok()) return lose_member(from, "M5: " + counted.error().message);
  // S is the set of all complete uploads, so an upload that is added before S is fixed belongs to
  // the sum over S.
  const auto add = [&](const encoding::PackedChunk& chunk, BytesView packed) {
    masked_sum.lanes[chunk.lane].add_packed_chunk(chunk.chunk, packed);
  };
  if (!read_upload(index, add)) return;
  plan.uploads->added(index);
  server.upload_complete(from);
  out.facts.emplace_back(UploadWhole{from});
  event(RoundEvent::Kind::kUploadProgress, from,
        std::to_string(secagg::upload_bytes(plan.header.lanes)) + " bytes");
}

}  // namespace sotto::coordinator
