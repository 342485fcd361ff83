#include "common/storage/append_log.h"

#include <algorithm>

#include <fcntl.h>

#include "common/crypto/hash.h"
#include "common/storage/storage.h"

namespace sotto::storage {

namespace {

constexpr std::string_view kMagic = "SOTTOLOG";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kFileHeaderBytes = 12;
constexpr std::size_t kRecordHeaderBytes = 4 + 4 + 32;
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 32;

Bytes32 checksum(std::uint64_t place, BytesView payload) {
  ByteWriter prefix;
  prefix.u64(place);
  return crypto::hash("SOTTO log", {prefix.view(), payload});
}

Bytes file_header() {
  return ByteWriter().bytes(view_of(kMagic)).u32(kVersion).take();
}

Bytes encode_record(std::uint64_t place, BytesView payload) {
  const auto length = static_cast<std::uint32_t>(payload.size());
  ByteWriter out;
  out.reserve(kRecordHeaderBytes + payload.size());
  out.u32(length);
  out.u32(~length);
  out.bytes(checksum(place, payload));
  out.bytes(payload);
  return out.take();
}

enum class RecordState { kGood, kTorn, kDamaged };

struct ReadRecord {
  RecordState state = RecordState::kDamaged;
  BytesView payload;
};

/// Reads the record at `place`. A write that a crash interrupted leaves a prefix of the record, or
/// zeros if the size of the file was durable before its bytes. Any other failed check is damage.
ReadRecord read_record(BytesView file, std::uint64_t place) {
  const BytesView rest = file.subspan(place);
  const auto unless_zero = [&](RecordState state) {
    const bool zero = std::all_of(rest.begin(), rest.end(), [](auto byte) { return byte == 0; });
    return ReadRecord{zero ? RecordState::kTorn : state, {}};
  };
  if (rest.size() < kRecordHeaderBytes) return {RecordState::kTorn, {}};
  ByteReader in(rest);
  const std::uint32_t length = in.u32();
  if (in.u32() != ~length || length > kMaxRecordBytes) return unless_zero(RecordState::kDamaged);
  const auto stored = in.array<32>();
  if (in.remaining() < length) return {RecordState::kTorn, {}};
  const bool last = in.remaining() == length;
  const BytesView payload = in.bytes(length);
  if (checksum(place, payload) == stored) return {RecordState::kGood, payload};
  return {last ? RecordState::kTorn : RecordState::kDamaged, {}};
}

}  // namespace

Result<AppendLog::Opened> AppendLog::open(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(LockFile lock, LockFile::acquire(file.string() + ".lock"));
  if (!std::filesystem::exists(file)) {
    SOTTO_TRY(write_file_atomically(file, {file_header()}, FileAccess::kOwnerOnly));
  }
  FileDescriptor handle(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  if (!handle.is_open()) return system_error("cannot open " + file.string());
  SOTTO_ASSIGN_OR_RETURN(const Bytes content, read_file(file, kMaxFileBytes));
  const Bytes header = file_header();
  if (content.size() < header.size() || !std::equal(header.begin(), header.end(), content.begin()))
    return Error{file.string() + " is not a log of this version"};

  Opened out{.log = AppendLog(std::move(lock), std::move(handle)), .torn_tail = false};
  std::uint64_t at = kFileHeaderBytes;
  while (at < content.size() && !out.torn_tail) {
    const ReadRecord record = read_record(content, at);
    if (record.state == RecordState::kDamaged)
      return Error{file.string() + " is damaged at byte " + std::to_string(at) +
                   ", before its end: a damaged log is not read in part"};
    out.torn_tail = record.state == RecordState::kTorn;
    if (out.torn_tail) break;
    out.records.emplace_back(record.payload.begin(), record.payload.end());
    at += kRecordHeaderBytes + record.payload.size();
  }
  out.log.end_ = at;
  out.log.size_ = content.size();
  return out;
}

Status AppendLog::append(BytesView payload) {
  SOTTO_CHECK(payload.size() <= kMaxRecordBytes, "a log record is too long");
  if (failed_) return Error{"the log failed before and must be opened again"};
  failed_ = true;  // until all of it is durable
  if (size_ > end_) {
    // One byte of the torn tail stays until the new record overwrites it, so that a crash between
    // the two writes leaves a torn tail again and not a log that seems whole.
    if (storage().resize(file_.get(), end_ + 1) != 0 || storage().sync(file_.get()) != 0)
      return system_error("cannot cut the torn tail of the log");
  }
  const Bytes record = encode_record(end_, payload);
  SOTTO_TRY(write_all_at(file_, record, end_));
  if (storage().sync(file_.get()) != 0) return system_error("fsync of the log failed");
  end_ += record.size();
  size_ = end_;
  failed_ = false;
  return {};
}

}  // namespace sotto::storage
