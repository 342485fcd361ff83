// A site's records, as its site.json names them: plain files, or record stores under the site's
// key.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/config/job.h"
#include "common/config/site.h"
#include "common/crypto/secret.h"
#include "common/identity/keystore.h"
#include "participant/data/secure_record_store.h"
#include "participant/data/site_examples.h"

namespace sotto::participant {

/// Returns the key of the site's record stores. It does not change with a new passphrase, a key
/// rotation or a restore.
crypto::Secret32 records_key(const identity::Keystore& keys);
/// Returns whether training or evaluation for this site needs that key.
bool names_record_stores(const config::SiteConfig& site);

/// KnownStores records which record store belongs at which path, so that an older store of the site
/// cannot replace a newer one unnoticed. It is stored in stores.json in the site's folder, as a map
/// from path to id, and is as trustworthy as the folder.
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

/// SiteRecords opens stores and counts the openings of their records. One thread at a time may use
/// it; what it returns may be used on other threads and outlive it.
class SiteRecords {
 public:
  /// `folder` is that of the site's keys. Without a key, stores are refused and only plain files
  /// are read.
  SiteRecords(const std::filesystem::path& folder, std::optional<crypto::Secret32> key);

  /// Returns the examples of site.json with its declared sizes; records that do not fit the job are
  /// left out. An Error names the file, for this site's people; it is also returned where another
  /// store was put in the place of the imported one, and where both splits are one file. Whether
  /// there is an Error does not depend on records.
  Result<data::SiteExamples> examples(const config::JobConfig& job, const config::SiteConfig& site);

  /// Returns an Error where a plain file of site.json is damaged as a whole (storage::TextFile),
  /// where the evaluation split is the training file or a copy of it, or where a person has records
  /// in both. It depends on records, so it is for the start of a program and for commands from
  /// which nothing leaves the site.
  static Status check_files(const config::SiteConfig& site);

  /// Returns examples() as a function; this object must outlive it.
  auto reader() {
    return [this](const config::JobConfig& job, const config::SiteConfig& site) {
      return examples(job, site);
    };
  }

  /// Returns the counts of all stores since the start.
  [[nodiscard]] data::OpenCounts counts() const;

 private:
  Result<data::Examples> read(const std::filesystem::path& file, const config::JobConfig& job,
                              const config::SiteData& site);

  struct Counted;
  std::optional<crypto::Secret32> key_;
  KnownStores known_;
  std::shared_ptr<Counted> counted_;
};

}  // namespace sotto::participant
