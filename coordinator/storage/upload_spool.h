// UploadSpool is the UploadStore on disk: one sparse file with a place for each member of the
// cohort. One thread.
#pragma once

#include <filesystem>

#include "common/storage/file_descriptor.h"
#include "coordinator/protocol/upload_store.h"

namespace sotto::coordinator {

class UploadSpool final : public UploadStore {
 public:
  /// Opens `file`, or creates it so that only its owner may read it.
  static Result<std::unique_ptr<UploadSpool>> open(const std::filesystem::path& file);

  Status begin(std::uint32_t members, std::uint64_t upload_bytes) override;
  Status write(std::uint32_t member, std::uint64_t offset, BytesView bytes) override;
  Result<BytesView> read(std::uint32_t member, std::uint64_t offset, std::uint64_t bytes) override;
  void added(std::uint32_t member) override;

  /// Makes all earlier writes durable before it returns OK. Does nothing when there were none.
  Status sync();
  /// Deletes every upload and releases the disk space.
  Status clear();

 private:
  UploadSpool(std::filesystem::path path, storage::FileDescriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}

  [[nodiscard]] std::uint64_t place_of(std::uint32_t member) const { return member * stride_; }

  [[nodiscard]] Error failed(const std::string& what) const;

  std::filesystem::path path_;
  storage::FileDescriptor file_;
  std::uint64_t upload_bytes_ = 0;
  std::uint64_t stride_ = 0;  // upload_bytes_ rounded up to whole pages
  bool unsynced_ = false;
  Bytes part_;  // the part that was read last
};

}  // namespace sotto::coordinator
