// SumStore on disk: RUN/sums/000001.sum and so on, one file a round, kept as long as the run,
// because a member that joins late or lost its model begins with the first. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>

#include "common/base/ids.h"
#include "common/secagg/shared/published_sum.h"
#include "common/storage/mapped_file.h"
#include "coordinator/protocol/sum_store.h"

namespace sotto::coordinator {

class PublishedSums final : public SumStore {
 public:
  /// The sums of rounds 1 to `rounds` of a run. An Error that names the file when one is missing:
  /// no member could follow.
  static Result<PublishedSums> open(const std::filesystem::path& folder, const RunId& run,
                                    std::uint64_t rounds);

  /// Durable when it returns OK. Of a round whose checkpoint was lost a second one takes the
  /// place of the first.
  Status keep(const secagg::PublishedSum& head, const codec::RingUpdate& sum);
  Result<BytesView> find(const Bytes32& blob) override;

 private:
  PublishedSums(std::filesystem::path folder, const RunId& run)
      : folder_(std::move(folder)), run_(run) {}

  [[nodiscard]] std::filesystem::path file_of(std::uint64_t server_round) const;

  std::filesystem::path folder_;
  RunId run_;
  std::map<Bytes32, std::uint64_t> rounds_;  // by blob
  std::map<std::uint64_t, journal::MappedFile> mapped_;
};

}  // namespace sotto::coordinator
