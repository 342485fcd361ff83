// KnownStores records which record store belongs at which path, so that an older store of the site
// cannot replace a newer one unnoticed. It is stored in stores.json in the site's folder, as a map
// from path to id, and is as trustworthy as the folder.
#pragma once

#include <filesystem>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto::participant {

class KnownStores {
 public:
  /// Does not read the file, which need not exist.
  explicit KnownStores(const std::filesystem::path& folder);

  /// Records that this store, and no other, belongs at `store`. Durable on return.
  Status remember(const std::filesystem::path& store, const Bytes32& id) const;

  /// Returns an Error, with the remedy, unless `id` is the one that was last recorded for this
  /// path.
  Status check(const std::filesystem::path& store, const Bytes32& id) const;

 private:
  std::filesystem::path file_;
};

}  // namespace sotto::participant
