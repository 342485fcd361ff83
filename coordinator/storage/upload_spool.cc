#include "coordinator/storage/upload_spool.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/storage/storage.h"

namespace sotto::coordinator {

Result<std::unique_ptr<UploadSpool>> UploadSpool::open(const std::filesystem::path& file) {
  storage::FileDescriptor handle(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!handle.is_open()) return storage::system_error("cannot open " + file.string());
  return std::unique_ptr<UploadSpool>(new UploadSpool(file, std::move(handle)));
}

Error UploadSpool::failed(const std::string& what) const {
  return {"cannot store uploads in " + path_.string() + ": " + what};
}

Status UploadSpool::begin(std::uint32_t members, std::uint64_t upload_bytes) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  upload_bytes_ = upload_bytes;
  stride_ = (upload_bytes + page - 1) / page * page;
  // The file gets its full length at once, so that a range that was never written reads as zeros.
  if (storage::storage().resize(file_.get(), members * stride_) != 0)
    return failed(storage::system_error("ftruncate").message);
  return {};
}

Status UploadSpool::write(std::uint32_t member, std::uint64_t offset, BytesView bytes) {
  unsynced_ = true;
  if (Status done = storage::write_all_at(file_, bytes, place_of(member) + offset); !done.ok())
    return failed(done.error().message);
  return {};
}

Result<BytesView> UploadSpool::read(std::uint32_t member, std::uint64_t offset,
                                    std::uint64_t bytes) {
  // The file is read and not mapped, because a mapped upload would count as memory of the process.
  part_.resize(bytes);
  const auto read = storage::read_at(file_, part_, place_of(member) + offset);
  if (!read.ok()) return failed(read.error().message);
  if (*read != bytes) return failed("the file was cut short");
  return BytesView(part_);
}

void UploadSpool::added(std::uint32_t member) {
  // Starts writing to disk now, so that the later sync, which blocks, has little left to write.
  ::sync_file_range(file_.get(), static_cast<off_t>(place_of(member)),
                    static_cast<off_t>(upload_bytes_), SYNC_FILE_RANGE_WRITE);
}

Status UploadSpool::sync() {
  if (!unsynced_) return {};
  if (storage::storage().sync_data(file_.get()) != 0)
    return failed(storage::system_error("fdatasync").message);
  unsynced_ = false;
  return {};
}

Status UploadSpool::clear() {
  unsynced_ = false;
  if (storage::storage().resize(file_.get(), 0) != 0)
    return failed(storage::system_error("ftruncate").message);
  return {};
}

}  // namespace sotto::coordinator
