// UploadStore holds the masked uploads of an attempt until its sum is open. They are written range
// by range as they arrive and read in parts to be added, so that the round machine holds one sum in
// memory and no upload. A deployment keeps them on disk (upload_spool.h), so that a restarted
// coordinator continues without requesting them again. One thread.
#pragma once

#include <cstdint>
#include <map>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto::coordinator {

class UploadStore {
 public:
  virtual ~UploadStore() = default;

  /// Called before any other function. There are `members` uploads, named by their index in the
  /// cohort, of `upload_bytes` each. What an earlier process wrote of the same attempt stays.
  virtual Status begin(std::uint32_t members, std::uint64_t upload_bytes) = 0;
  /// An Error means that the coordinator's own disk is full or failed.
  virtual Status write(std::uint32_t member, std::uint64_t offset, BytesView bytes) = 0;
  /// Returns `bytes` bytes of an upload from `offset` on, which lie inside it; valid until the next
  /// call of any member function. The content of ranges that were never written is unspecified.
  virtual Result<BytesView> read(std::uint32_t member, std::uint64_t offset,
                                 std::uint64_t bytes) = 0;
  /// The upload is in the sum. Only a process that starts anew reads it again.
  virtual void added(std::uint32_t member) = 0;
};

/// UploadsInMemory holds an upload until it is added. For simulations and tests.
class UploadsInMemory final : public UploadStore {
 public:
  Status begin(std::uint32_t, std::uint64_t upload_bytes) override {
    upload_bytes_ = upload_bytes;
    return {};
  }

  Status write(std::uint32_t member, std::uint64_t offset, BytesView bytes) override {
    Bytes& upload = uploads_[member];
    upload.resize(upload_bytes_);
    std::copy(bytes.begin(), bytes.end(), upload.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  }

  Result<BytesView> read(std::uint32_t member, std::uint64_t offset, std::uint64_t bytes) override {
    uploads_[member].resize(upload_bytes_);
    return BytesView(uploads_[member]).subspan(offset, bytes);
  }

  void added(std::uint32_t member) override { uploads_.erase(member); }

 private:
  std::uint64_t upload_bytes_ = 0;
  std::map<std::uint32_t, Bytes> uploads_;
};

}  // namespace sotto::coordinator
