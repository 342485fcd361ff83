#include "coordinator/storage/published_sums.h"

#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "common/storage/atomic_file.h"

namespace sotto::coordinator {

Result<PublishedSums> PublishedSums::open(const std::filesystem::path& folder, const RunId& run,
                                          std::uint64_t rounds) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return Error{"cannot make " + folder.string() + ": " + failed.message()};
  PublishedSums sums(folder, run);
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    if (!std::filesystem::is_regular_file(sums.file_of(round), failed))
      return Error{sums.file_of(round).string() +
                   " is missing, so that members cannot compute the models after round " +
                   std::to_string(round) + ". Restore it from a backup of the run"};
    sums.rounds_.emplace(secagg::published_sum_blob(run, round), round);
  }
  return sums;
}

std::filesystem::path PublishedSums::file_of(std::uint64_t server_round) const {
  return folder_ / fmt::format("{:06}.sum", server_round);
}

Status PublishedSums::keep(const secagg::PublishedSum& head, const encoding::RingUpdate& sum) {
  const std::uint64_t round = head.server_round;
  encoding::PackedParts parts(sum);
  Bytes first = secagg::encode(head);
  const auto next_part = [&, at_head = true]() mutable {
    return std::exchange(at_head, false) ? BytesView(first) : parts.next();
  };
  SOTTO_TRY(
      storage::write_file_atomically(file_of(round), next_part, storage::FileAccess::kOwnerOnly));
  mapped_.erase(round);
  rounds_.insert_or_assign(secagg::published_sum_blob(run_, round), round);
  return {};
}

Result<BytesView> PublishedSums::find(const Bytes32& blob) {
  const auto known = rounds_.find(blob);
  if (known == rounds_.end()) return BytesView();
  auto at = mapped_.find(known->second);
  if (at == mapped_.end()) {
    SOTTO_ASSIGN_OR_RETURN(auto file, storage::MappedFile::open(file_of(known->second)));
    at = mapped_.emplace(known->second, std::move(file)).first;
  }
  return at->second.bytes();
}

}  // namespace sotto::coordinator
