// What a simulated coordinator keeps of the attempt under way, and what a crash leaves of it: facts
// and upload ranges that were not committed are gone, as after a power cut. One thread.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "coordinator/protocol/round.h"

namespace sotto::simulation {

class CoordinatorDisk {
 public:
  /// A new attempt: nothing is kept.
  void begin() { *this = CoordinatorDisk(); }

  void append(std::vector<coordinator::RoundFact> facts) {
    for (auto& fact : facts)
      facts_.push_back(std::move(fact));
  }

  void commit() {
    durable_ = facts_.size();
    uploads_->durable = uploads_->written;
  }

  /// What a process finds that begins after a crash now.
  const std::vector<coordinator::RoundFact>& crash() {
    facts_.resize(durable_);
    uploads_->written = uploads_->durable;
    return facts_;
  }

  /// The same after somebody put an older copy of the disk back: so much of what was durable is
  /// gone as well.
  const std::vector<coordinator::RoundFact>& roll_back(double part) {
    durable_ -= static_cast<std::size_t>(part * static_cast<double>(durable_));
    return crash();
  }

  [[nodiscard]] std::shared_ptr<coordinator::UploadStore> uploads() const { return uploads_; }

 private:
  struct Uploads final : coordinator::UploadStore {
    Status begin(std::uint32_t, std::uint64_t bytes) override {
      upload_bytes = bytes;
      return {};
    }

    Status write(std::uint32_t member, std::uint64_t offset, BytesView bytes) override {
      Bytes& upload = written[member];
      upload.resize(upload_bytes);
      std::copy(bytes.begin(), bytes.end(), upload.begin() + static_cast<std::ptrdiff_t>(offset));
      return {};
    }

    Result<BytesView> read(std::uint32_t member, std::uint64_t offset,
                           std::uint64_t bytes) override {
      written[member].resize(upload_bytes);
      return BytesView(written[member]).subspan(offset, bytes);
    }

    void added(std::uint32_t) override {}

    std::uint64_t upload_bytes = 0;
    std::map<std::uint32_t, Bytes> written, durable;
  };

  std::vector<coordinator::RoundFact> facts_;
  std::size_t durable_ = 0;
  std::shared_ptr<Uploads> uploads_ = std::make_shared<Uploads>();
};

}  // namespace sotto::simulation
