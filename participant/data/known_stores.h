// Which record store belongs where: what keeps an older store of the site from being put back in
// place of a newer one. stores.json in the site's folder, path to id; as trustworthy as the folder.
#pragma once

#include <filesystem>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sotto::participant {

class KnownStores {
 public:
  /// Nothing is read yet, and the file need not be there.
  explicit KnownStores(const std::filesystem::path& folder);

  /// From now on this store, and no other, belongs at `store`. Durable when it returns.
  Status remember(const std::filesystem::path& store, const Bytes32& id) const;

  /// An Error, with what to do, unless it is the one that was remembered last for this place.
  Status check(const std::filesystem::path& store, const Bytes32& id) const;

 private:
  std::filesystem::path file_;
};

}  // namespace sotto::participant
