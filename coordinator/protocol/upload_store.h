// Where masked uploads of an attempt lie until its sum is open: written range by range as they
// come, read in parts to be added. The round machine holds no more than its one sum; that a
// deployment keeps them on disk (upload_spool.h) is what lets a restarted coordinator go on without
// asking for them again. One thread.
#pragma once

#include <cstdint>
#include <map>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto::coordinator {

class UploadStore {
 public:
  virtual ~UploadStore() = default;

  /// Before anything else: uploads of `members`, named by their index in the cohort, of
  /// `upload_bytes` each. What an earlier process wrote of the same attempt stays.
  virtual Status begin(std::uint32_t members, std::uint64_t upload_bytes) = 0;
  /// An Error is the coordinator's own: its disk is full or broken.
  virtual Status write(std::uint32_t member, std::uint64_t offset, BytesView bytes) = 0;
  /// `bytes` of an upload from `offset` on, inside it; good until the next call of any kind. Ranges
  /// that were never written are anything.
  virtual Result<BytesView> read(std::uint32_t member, std::uint64_t offset,
                                 std::uint64_t bytes) = 0;
  /// The upload is in the sum: it is read again only by a process that begins anew.
  virtual void added(std::uint32_t member) = 0;
};

/// For simulations and tests: holds an upload until it is added.
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
