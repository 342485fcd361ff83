#include "coordinator/storage/checkpoint.h"

#include <bit>
#include <utility>

#include "common/crypto/hash.h"
#include "common/storage/mapped_file.h"

namespace sotto::coordinator {

namespace {

constexpr std::uint32_t kCheckpointFormat = 2;
constexpr std::string_view kLabel = "SOTTO checkpoint";

constexpr std::string_view kFileName = "checkpoint.bin";
constexpr std::string_view kOfferedName = "offered.bin";
constexpr std::string_view kCountedName = "counted.bin";

/// The content of a checkpoint's file without the digest at its end. The values and moments, which
/// are most of it, are not copied.
struct EncodedCheckpoint {
  Bytes before;
  BytesView values;
  Bytes between;
  ServerOptimizer::EncodedState optimizer;
  Bytes after;
};

EncodedCheckpoint encode(const Checkpoint& c) {
  const EncodedParameters model = encode_without_copy(c.model);
  ByteWriter before;
  before.u32(kCheckpointFormat);
  before.bytes(c.run);
  before.bytes(c.job_hash);
  before.u64(c.finished_rounds);
  before.u64(std::bit_cast<std::uint64_t>(c.wall_s));
  before.u64(model.size());
  before.bytes(model.head);
  ServerOptimizer::EncodedState optimizer = c.optimizer.encode_state();
  ByteWriter between;
  between.u64(optimizer.size());
  between.bytes(optimizer.head);
  ByteWriter after;
  after.u8(c.best.known ? 1 : 0);
  after.u64(std::bit_cast<std::uint64_t>(c.best.value));
  after.u64(c.best.evaluated_round);
  const EarlyEnd early = c.early_end.value_or(EarlyEnd{});
  after.u8(c.early_end ? 1 : 0);
  after.u64(early.trained_rounds);
  after.u32(static_cast<std::uint32_t>(early.reason.size()));
  after.bytes(view_of(early.reason));
  return {.before = before.take(),
          .values = model.values,
          .between = between.take(),
          .optimizer = std::move(optimizer),
          .after = after.take()};
}

/// Decodes the fields that exist since format 2.
void decode_stopping(ByteReader& in, Checkpoint& c) {
  c.best.known = in.u8() == 1;
  c.best.value = std::bit_cast<double>(in.u64());
  c.best.evaluated_round = in.u64();
  const bool ended = in.u8() == 1;
  EarlyEnd early{.trained_rounds = in.u64()};
  const BytesView reason = in.bytes(in.u32());
  early.reason.assign(reason.begin(), reason.end());
  if (ended) c.early_end = std::move(early);
}

/// Checks the digest and returns the file without it.
Result<BytesView> body_of(BytesView bytes) {
  if (bytes.size() < 32) return Error{"the file is cut short"};
  const BytesView body = bytes.first(bytes.size() - 32);
  const Bytes32 digest = crypto::hash(kLabel, {body});
  if (!std::equal(digest.begin(), digest.end(), bytes.end() - 32))
    return Error{"the checksum does not match"};
  return body;
}

/// Decodes the fields before the model.
Result<std::uint32_t> decode_head(ByteReader& in, Checkpoint& c) {
  const std::uint32_t format = in.u32();
  if (format < 1 || format > kCheckpointFormat)
    return Error{"the file was written by another version"};
  c.run = in.array<32>();
  c.job_hash = in.array<32>();
  c.finished_rounds = in.u64();
  c.wall_s = std::bit_cast<double>(in.u64());
  return format;
}

Result<Checkpoint> decode(const storage::MappedFile& file,
                          const CheckpointStore::Expected& expected) {
  SOTTO_ASSIGN_OR_RETURN(const auto body, body_of(file.bytes()));
  file.forget_pages();
  ByteReader in(body);
  Checkpoint c;
  SOTTO_ASSIGN_OR_RETURN(const auto format, decode_head(in, c));
  if (c.job_hash != expected.job_hash) return c;  // the caller reports that it is of another job
  const BytesView model = in.bytes(in.u64());
  // The moments are read first, so that at most two vectors are in the file's pages and in memory
  // at a time.
  SOTTO_ASSIGN_OR_RETURN(auto optimizer,
                         ServerOptimizer::restored(expected.optimizer, in.bytes(in.u64())));
  c.optimizer = std::move(optimizer);
  if (format >= 2) decode_stopping(in, c);
  if (!in.finished()) return Error{"the length does not match"};
  file.forget_pages();
  SOTTO_ASSIGN_OR_RETURN(auto parameters, decode_parameters(model));
  c.model = std::move(parameters);
  if (c.optimizer.parameters() != c.model.values.size())
    return Error{"the optimizer state belongs to another model"};
  return c;
}

/// Reads a file that holds one number; returns 0 when there is no file.
Result<std::uint64_t> read_number(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(const auto bytes, storage::read_file_if_exists(file, 64));
  if (!bytes) return std::uint64_t{0};
  ByteReader in(*bytes);
  const std::uint64_t number = in.u64();
  if (!in.finished())
    return Error{file.string() + " is damaged: start a new run in another folder"};
  return number;
}

Status write_number(const std::filesystem::path& file, std::uint64_t number) {
  ByteWriter out;
  out.u64(number);
  return storage::write_file_atomically(file, {out.view()}, storage::FileAccess::kOwnerOnly);
}

}  // namespace

Result<CheckpointStore> CheckpointStore::open(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return Error{"cannot create " + folder.string() + ": " + failed.message()};
  auto lock = storage::LockFile::acquire(folder / "lock");
  if (!lock.ok())
    return Error{"another coordinator uses " + folder.string() + " (" + lock.error().message + ")"};
  return CheckpointStore(folder, std::move(lock).value());
}

Result<std::optional<Checkpoint>> CheckpointStore::load(const Expected& expected) const {
  if (!holds_run(folder_)) return std::optional<Checkpoint>{};
  SOTTO_ASSIGN_OR_RETURN(auto file, storage::MappedFile::open(folder_ / kFileName));
  auto decoded = decode(file, expected);
  if (!decoded.ok())
    return Error{(folder_ / kFileName).string() + " cannot be used: " + decoded.error().message +
                 ". Restore it from a backup, or start a new run in another folder"};
  if (decoded->job_hash != expected.job_hash)
    return Error{folder_.string() +
                 " contains a run of another job (or of this job before it was changed): choose "
                 "another --out"};
  return std::optional<Checkpoint>(std::move(decoded).value());
}

Status CheckpointStore::save(const Checkpoint& checkpoint) {
  const EncodedCheckpoint out = encode(checkpoint);
  const Bytes32 digest =
      crypto::hash(kLabel, {out.before, out.values, out.between, out.optimizer.moments[0],
                            out.optimizer.moments[1], out.after});
  return storage::write_file_atomically(
      folder_ / kFileName,
      {out.before, out.values, out.between, out.optimizer.moments[0], out.optimizer.moments[1],
       out.after, digest},
      storage::FileAccess::kOwnerOnly);
}

Result<RoundNumber> CheckpointStore::last_offered() const {
  SOTTO_ASSIGN_OR_RETURN(const auto number, read_number(folder_ / kOfferedName));
  return RoundNumber{number};
}

Status CheckpointStore::save_offered(RoundNumber round) {
  return write_number(folder_ / kOfferedName, round.value);
}

Result<std::uint64_t> CheckpointStore::counted_round() const {
  return read_number(folder_ / kCountedName);
}

Status CheckpointStore::save_counted(std::uint64_t server_round) {
  return write_number(folder_ / kCountedName, server_round);
}

bool holds_run(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / kFileName);
}

Status check_free_for_run(const std::filesystem::path& folder) {
  if (holds_run(folder)) return {};
  std::string found;
  for (const char* name :
       {"job.json", "metrics.jsonl", "status.json", "model", "checkpoints", "sums", "round.log",
        "noise.log", "genesis.bin", "exclusions.json", "summary.json", "report.html"}) {
    std::error_code ignored;
    if (std::filesystem::exists(folder / name, ignored))
      found += (found.empty() ? "" : ", ") + std::string(name);
  }
  if (found.empty()) return {};
  return Error{folder.string() + " holds no run, but " + found +
               ", which a run would replace; choose an empty folder for --out"};
}

OpenedRun open_run(const std::filesystem::path& folder, NewRun begin,
                   crypto::SecureRandom& random) {
  CheckpointStore store = CheckpointStore::open(folder).or_stop();
  auto found = store.load({.job_hash = begin.job_hash, .optimizer = begin.optimizer}).or_stop();
  OpenedRun run{.store = std::move(store), .resumed = found.has_value()};
  if (run.resumed) {
    run.checkpoint = std::move(*found);
    return run;
  }
  random.fill(run.checkpoint.run);
  run.checkpoint.job_hash = begin.job_hash;
  run.checkpoint.optimizer = ServerOptimizer(begin.optimizer, begin.model.values.size());
  run.checkpoint.model = std::move(begin.model);
  run.store.save(run.checkpoint).or_stop("cannot save the checkpoint: ");
  return run;
}

}  // namespace sotto::coordinator
