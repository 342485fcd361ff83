#include "coordinator/storage/round_journal.h"

#include <utility>

#include "common/storage/storage.h"
#include "common/wire/codec.h"

namespace sotto::coordinator {

namespace {

constexpr std::uint32_t kJournalFormat = 3;
constexpr std::size_t kBatchBytes = std::size_t{16} << 20;

enum class FactKind : std::uint8_t {
  kReceived = 1,
  kLeft,
  kUploadWhole,
  kDecided,
  kEndedWithoutSum
};

Bytes encode(const AttemptBegun& attempt) {
  ByteWriter out;
  out.u32(kJournalFormat);
  out.bytes(attempt.run);
  out.u64(attempt.round.value);
  out.bytes(attempt.header_hash);
  out.u8(static_cast<std::uint8_t>(attempt.counters));
  out.u32(attempt.least_sum);
  out.u32(static_cast<std::uint32_t>(attempt.cohort.size()));
  for (MemberId member : attempt.cohort)
    out.u32(raw(member));
  for (std::size_t i = 0; i < attempt.cohort.size(); ++i)
    out.u64(i < attempt.declared.size() ? attempt.declared[i] : 0);
  return out.take();
}

Result<AttemptBegun> decode_begun(BytesView record) {
  ByteReader in(record);
  if (in.u32() != kJournalFormat) return Error{"the file was written by another version"};
  AttemptBegun attempt;
  attempt.run = in.array<32>();
  attempt.round = RoundNumber{in.u64()};
  attempt.header_hash = in.array<32>();
  attempt.counters = static_cast<EvaluationCounters>(in.u8());
  attempt.least_sum = in.u32();
  const std::uint32_t members = in.u32();
  if (attempt.counters > EvaluationCounters::kLeftOut ||
      in.remaining() != std::size_t{12} * members)
    return Error{"the first record is damaged"};
  for (std::uint32_t i = 0; i < members; ++i)
    attempt.cohort.push_back(MemberId{in.u32()});
  for (std::uint32_t i = 0; i < members; ++i)
    attempt.declared.push_back(in.u64());
  return attempt;
}

struct FactEncoder {
  ByteWriter& out;

  void kind(FactKind kind) const { out.u8(static_cast<std::uint8_t>(kind)); }

  void operator()(const ReceivedMessage& received) const {
    const wire::Envelope& e = received.envelope;
    const Bytes frame = wire::encode(e.peer, e.round, e.message);
    kind(FactKind::kReceived);
    out.u32(static_cast<std::uint32_t>(frame.size()));
    out.bytes(frame);
  }

  void operator()(const Left& left) const {
    kind(FactKind::kLeft);
    out.u32(raw(left.member));
  }

  void operator()(const UploadWhole& whole) const {
    kind(FactKind::kUploadWhole);
    out.u32(raw(whole.member));
  }

  void operator()(const Decided& decided) const {
    kind(FactKind::kDecided);
    out.u8(static_cast<std::uint8_t>(decided.entered));
    out.bytes(decided.digest);
  }

  void operator()(const EndedWithoutSum&) const { kind(FactKind::kEndedWithoutSum); }
};

Result<RoundFact> decode_fact(ByteReader& in) {
  switch (static_cast<FactKind>(in.u8())) {
    case FactKind::kReceived: {
      const std::uint32_t length = in.u32();
      if (length > in.remaining()) break;
      SOTTO_ASSIGN_OR_RETURN(auto frame, wire::decode(in.bytes(length)));
      return RoundFact(ReceivedMessage{
          {.peer = frame.sender, .round = frame.round, .message = std::move(frame.message)}});
    }
    case FactKind::kLeft:
      return RoundFact(Left{MemberId{in.u32()}});
    case FactKind::kUploadWhole:
      return RoundFact(UploadWhole{MemberId{in.u32()}});
    case FactKind::kDecided: {
      const auto phase = static_cast<Phase>(in.u8());
      if (phase > Phase::kClosed) break;
      return RoundFact(Decided{.entered = phase, .digest = in.array<32>()});
    }
    case FactKind::kEndedWithoutSum:
      return RoundFact(EndedWithoutSum{});
  }
  return Error{"the record is of an unknown kind"};
}

Result<std::optional<UnfinishedAttempt>> decode(const std::vector<Bytes>& records) {
  if (records.empty()) return std::optional<UnfinishedAttempt>{};
  SOTTO_ASSIGN_OR_RETURN(auto begun, decode_begun(records.front()));
  UnfinishedAttempt attempt{.begun = std::move(begun)};
  for (std::size_t i = 1; i < records.size(); ++i) {
    ByteReader in(records[i]);
    while (in.remaining() > 0) {
      SOTTO_ASSIGN_OR_RETURN(auto fact, decode_fact(in));
      if (!in.ok()) return Error{"record " + std::to_string(i) + " is cut short"};
      if (std::holds_alternative<EndedWithoutSum>(fact)) return std::optional<UnfinishedAttempt>{};
      attempt.facts.push_back(std::move(fact));
    }
  }
  return std::optional<UnfinishedAttempt>(std::move(attempt));
}

Error what_to_do(const std::filesystem::path& log, const Error& why) {
  return {log.string() + " cannot be used: " + why.message +
          ". The finished rounds are safe: move this file away, and the round that was in progress "
          "is tried again under a new number"};
}

}  // namespace

Result<RoundJournal::Opened> RoundJournal::open(const std::filesystem::path& folder) {
  const auto log_file = folder / "round.log";
  SOTTO_ASSIGN_OR_RETURN(auto spool, UploadSpool::open(folder / "uploads.spool"));
  std::optional<storage::AppendLog> log;
  std::optional<UnfinishedAttempt> unfinished;
  if (std::filesystem::exists(log_file)) {
    auto opened = storage::AppendLog::open(log_file);
    if (!opened.ok()) return what_to_do(log_file, opened.error());
    // An incomplete last record is dropped: nothing that followed from it has left.
    auto decoded = decode(opened->records);
    if (!decoded.ok()) return what_to_do(log_file, decoded.error());
    unfinished = std::move(decoded).value();
    log.emplace(std::move(opened->log));
  }
  return Opened{.journal = RoundJournal(log_file, std::move(log), std::move(spool)),
                .unfinished = std::move(unfinished)};
}

Status RoundJournal::begin(const AttemptBegun& attempt) {
  pending_.clear();
  log_.reset();
  storage::storage().remove(log_file_);  // open() below detects a failure
  SOTTO_TRY(spool_->clear());
  SOTTO_ASSIGN_OR_RETURN(auto opened, storage::AppendLog::open(log_file_));
  if (!opened.records.empty()) return Error{"cannot replace " + log_file_.string()};
  log_.emplace(std::move(opened.log));
  return write(encode(attempt));
}

Status RoundJournal::write(BytesView record) {
  if (Status written = log_->append(record); !written.ok())
    return Error{"cannot write " + log_file_.string() + ": " + written.error().message};
  return {};
}

void RoundJournal::append(const std::vector<RoundFact>& facts) {
  for (const RoundFact& fact : facts) {
    ByteWriter out;
    std::visit(FactEncoder{out}, fact);
    pending_.push_back(out.take());
  }
}

Status RoundJournal::commit() {
  if (pending_.empty()) return {};
  SOTTO_TRY(spool_->sync());
  SOTTO_CHECK(log_.has_value(), "facts belong to an attempt that began");
  Bytes batch;
  for (auto at = pending_.begin(); at != pending_.end(); ++at) {
    batch.insert(batch.end(), at->begin(), at->end());
    if (batch.size() < kBatchBytes && std::next(at) != pending_.end()) continue;
    SOTTO_TRY(write(batch));
    batch.clear();
  }
  pending_.clear();
  return {};
}

Status RoundJournal::end() {
  pending_.clear();
  return spool_->clear();
}

}  // namespace sotto::coordinator
