// A copy of the coordinator's files that is put back later, as somebody does who restores a backup,
// or a coordinator that wants to take its decisions again.
#pragma once

#include <filesystem>

#include "tests/federation/federation.h"

namespace sotto::simulation {

class Backup {
 public:
  /// `federation` outlives the backup, and its before_coordinator belongs to the backup.
  explicit Backup(Federation& federation) : folder_(federation.folder()) {
    federation.before_coordinator = [this](std::uint64_t processes) {
      if (processes > 0 && !std::filesystem::is_empty(copy_.path())) put_back();
    };
  }

  void make() {
    clear(copy_.path());
    std::filesystem::copy(folder_, copy_.path(), std::filesystem::copy_options::recursive);
  }

 private:
  void put_back() const {
    clear(folder_);
    std::filesystem::copy(copy_.path(), folder_, std::filesystem::copy_options::recursive);
  }

  static void clear(const std::filesystem::path& folder) {
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      std::filesystem::remove_all(entry.path());
  }

  std::filesystem::path folder_;
  TemporaryDirectory copy_;
};

}  // namespace sotto::simulation
