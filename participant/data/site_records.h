// A site's records, as its site.json names them: plain files, or record stores under the site's
// key.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "common/config/job.h"
#include "common/config/site.h"
#include "common/crypto/secret.h"
#include "common/identity/keystore.h"
#include "participant/data/known_stores.h"
#include "participant/data/secure_record_store.h"
#include "participant/data/site_examples.h"

namespace sotto::participant {

/// The key of the site's record stores: the same after another passphrase, rotation or restore.
crypto::Secret32 records_key(const keystore::Keystore& keys);
/// Whether training or evaluating for this site needs that key.
bool names_record_stores(const config::SiteConfig& site);

/// Opens stores and keeps count of what is opened in them. One thread; what it opened may live on
/// others, and outlive it.
class SiteRecords {
 public:
  /// `folder`: of the site's keys. Without a key stores are refused, and plain files are read.
  SiteRecords(const std::filesystem::path& folder, std::optional<crypto::Secret32> key);

  /// The examples of site.json with its declared sizes; records that do not fit the job are left
  /// out. An Error names the file, for this site's people; also where another store lies in the
  /// place of the one that was imported.
  Result<learning::SiteExamples> examples(const config::JobConfig& job,
                                          const config::SiteConfig& site);

  /// examples() as a function; this outlives it.
  auto reader() {
    return [this](const config::JobConfig& job, const config::SiteConfig& site) {
      return examples(job, site);
    };
  }

  /// Of all stores since the start.
  [[nodiscard]] records::OpenCounts counts() const;

 private:
  Result<learning::Examples> read(const std::filesystem::path& file, const config::JobConfig& job,
                                  const std::vector<std::string>& declared_labels);

  struct Counted;
  std::optional<crypto::Secret32> key_;
  KnownStores known_;
  std::shared_ptr<Counted> counted_;
};

}  // namespace sotto::participant
