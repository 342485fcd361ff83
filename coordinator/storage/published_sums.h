// PublishedSums is the SumStore on disk: RUN/sums/000001.sum and so on, one file per round. The
// files are kept as long as the run, because a member that joins late or lost its model begins with
// the first one. One thread.
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
  /// Opens the sums of rounds 1 to `rounds` of a run. An Error that names the file when one is
  /// missing, because members could then not compute the model.
  static Result<PublishedSums> open(const std::filesystem::path& folder, const RunId& run,
                                    std::uint64_t rounds);

  /// Saves the sum of a round. Durable when it returns OK. A second sum of a round whose checkpoint
  /// was lost replaces the first.
  Status keep(const secagg::PublishedSum& head, const encoding::RingUpdate& sum);
  Result<BytesView> find(const Bytes32& blob) override;

 private:
  PublishedSums(std::filesystem::path folder, const RunId& run)
      : folder_(std::move(folder)), run_(run) {}

  [[nodiscard]] std::filesystem::path file_of(std::uint64_t server_round) const;

  std::filesystem::path folder_;
  RunId run_;
  std::map<Bytes32, std::uint64_t> rounds_;  // from the hash of the blob to the server round
  std::map<std::uint64_t, storage::MappedFile> mapped_;
};

}  // namespace sotto::coordinator
