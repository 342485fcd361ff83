#include "participant/data/record_file.h"

#include <algorithm>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include "common/base/check.h"
#include "common/crypto/hash.h"
#include "common/crypto/sealed_record.h"
#include "common/storage/atomic_file.h"

namespace sotto::data {
namespace {

constexpr std::string_view kMagic = "SOTTOREC";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = kMagic.size() + 4 + 32 + 32 + 8;
constexpr std::size_t kDirectoryFixed = 1 + 8;

crypto::Secret32 store_key(const crypto::Secret32& site_key, const Bytes32& id) {
  return crypto::kdf("SOTTO records", site_key, {id});
}

/// Returns a value that distinguishes a wrong key from a damaged file and reveals nothing else
/// about the key.
Bytes32 key_check(const crypto::Secret32& key) {
  const crypto::Secret32 check = crypto::kdf("SOTTO rec check", key, {});
  Bytes32 out{};
  std::ranges::copy(check.expose(), out.begin());
  return out;
}

Bytes header_of(const Bytes32& id, const crypto::Secret32& key, std::uint64_t directory) {
  return ByteWriter()
      .bytes(view_of(kMagic))
      .u32(kVersion)
      .bytes(id)
      .bytes(key_check(key))
      .u64(directory)
      .take();
}

Bytes place_of(const Bytes32& id, std::uint64_t index) {
  return ByteWriter().bytes(id).u64(index).take();
}

Result<Bytes> read_part(const storage::FileDescriptor& file, std::uint64_t at, std::size_t size) {
  Bytes out(size);
  SOTTO_ASSIGN_OR_RETURN(const std::size_t read, storage::read_at(file, out, at));
  if (read != size) return Error{"became shorter while it was read"};
  return out;
}

Kind kind_from(std::uint8_t number) {
  const auto kind = static_cast<Kind>(number);
  SOTTO_CHECK(number >= 1 && number <= 3, "we sealed a directory without a kind");
  return kind;
}

}  // namespace

RecordWriter::RecordWriter(Kind kind, const crypto::Secret32& site_key,
                           crypto::SecureRandom& random)
    : kind_(kind), random_(random) {
  random_.fill(id_);
  key_ = store_key(site_key, id_);
}

void RecordWriter::add(BytesView record) {
  SOTTO_CHECK(record.size() <= kMaxRecordBytes, "a record is longer than a record store permits");
  const Bytes sealed = crypto::seal_record(key_, record, place_of(id_, count()), random_);
  sizes_.push_back(static_cast<std::uint32_t>(sealed.size()));
  sealed_.insert(sealed_.end(), sealed.begin(), sealed.end());
}

Status RecordWriter::write(const std::filesystem::path& file) const {
  ByteWriter directory;
  directory.reserve(kDirectoryFixed + 4 * sizes_.size());
  directory.u8(static_cast<std::uint8_t>(kind_));
  directory.u64(sizes_.size());
  for (const std::uint32_t size : sizes_)
    directory.u32(size);
  const Bytes header = header_of(id_, key_, directory.size() + crypto::kRecordOverhead);
  const Bytes sealed = crypto::seal_record(key_, directory.view(), header, random_);
  return storage::write_file_atomically(file, {header, sealed, sealed_},
                                        storage::FileAccess::kOwnerOnly);
}

Result<RecordFile> RecordFile::open(const std::filesystem::path& file,
                                    const crypto::Secret32& site_key) {
  const std::string name = file.string();
  const auto error = [&name](std::string_view what) {
    return Error{name + ": " + std::string(what)};
  };
  storage::FileDescriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));

  struct stat about {};

  if (!in.is_open() || ::fstat(in.get(), &about) != 0)
    return storage::system_error(name + ": cannot be opened");
  if (!S_ISREG(about.st_mode)) return error("it is not a regular file");
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (size < kHeaderBytes) return error("it is not a record store, or it was cut");
  const Result<Bytes> header = read_part(in, 0, kHeaderBytes);
  if (!header) return error(header.error().message);
  ByteReader fields(*header);
  if (!std::ranges::equal(fields.bytes(kMagic.size()), view_of(kMagic)))
    return error("it is not a record store");
  if (const std::uint32_t version = fields.u32(); version != kVersion)
    return error("it is a record store of version " + std::to_string(version) +
                 ", but this program reads version " + std::to_string(kVersion));
  const auto id = fields.array<32>();
  RecordFile out(name, std::move(in), store_key(site_key, id));
  out.id_ = id;
  if (fields.array<32>() != key_check(out.key_))
    return error(
        "it was sealed with the keys of another keystore, or its first bytes were changed; nothing "
        "in it can be read without its own key");
  const std::uint64_t directory = fields.u64();
  if (directory < crypto::kRecordOverhead + kDirectoryFixed || directory > size - kHeaderBytes)
    return error("it is damaged or cut: its directory is longer than the file");
  const Result<Bytes> sealed = read_part(out.file_, kHeaderBytes, directory);
  if (!sealed) return error(sealed.error().message);
  Bytes opened(directory - crypto::kRecordOverhead);
  if (!crypto::open_record(out.key_, *sealed, *header, opened))
    return error("it is damaged or changed: its directory fails authentication");
  if (const Status read = out.read_directory(opened, kHeaderBytes + directory, size); !read)
    return error(read.error().message);
  return out;
}

/// The directory is authentic, so its form is valid; errors can only be in the rest of the file.
Status RecordFile::read_directory(BytesView directory, std::uint64_t begin, std::uint64_t end) {
  ByteReader in(directory);
  kind_ = kind_from(in.u8());
  const std::uint64_t count = in.u64();
  SOTTO_CHECK(in.remaining() == 4 * count, "we sealed a directory of another size");
  places_.reserve(count + 1);
  places_.push_back(begin);
  for (std::uint64_t i = 0; i < count; ++i)
    places_.push_back(places_.back() + in.u32());
  if (places_.back() != end)
    return Error{"it was cut or lengthened: it has " + std::to_string(end) +
                 " bytes and should have " + std::to_string(places_.back())};
  return {};
}

std::size_t RecordFile::size_of(std::size_t index) const {
  SOTTO_CHECK(index < count(), "a record that the store does not have");
  return places_[index + 1] - places_[index] - crypto::kRecordOverhead;
}

Status RecordFile::read(std::size_t index, std::span<std::uint8_t> out) const {
  const std::size_t sealed_bytes = size_of(index) + crypto::kRecordOverhead;
  const auto error = [&](std::string_view what) {
    crypto::wipe(out);
    return Error{name_ + ": record " + std::to_string(index + 1) + ": " + std::string(what)};
  };
  const Result<Bytes> sealed = read_part(file_, places_[index], sealed_bytes);
  if (!sealed) return error(sealed.error().message);
  if (!crypto::open_record(key_, *sealed, place_of(id_, index), out))
    return error("it fails authentication: the file was damaged or changed");
  return {};
}

bool is_record_store(const std::filesystem::path& file) {
  const storage::FileDescriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!in.is_open()) return false;
  const Result<Bytes> begin = read_part(in, 0, kMagic.size());
  return begin && std::ranges::equal(*begin, view_of(kMagic));
}

}  // namespace sotto::data
