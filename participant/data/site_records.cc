#include "participant/data/site_records.h"

#include <algorithm>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/config/json_tree.h"
#include "common/storage/atomic_file.h"
#include "common/storage/text_file.h"
#include "participant/data/examples.h"
#include "participant/data/persons.h"
#include "participant/data/progress_clock.h"
#include "participant/data/record_file.h"
#include "participant/data/separate_splits.h"

namespace sotto::participant {
namespace {

using config::Json;
using data::OpenCounts;
using data::SecureRecordStore;

void add_to(OpenCounts& sum, const OpenCounts& more) {
  std::ranges::transform(sum, more, sum.begin(), std::plus<>());
}

constexpr std::uint64_t kMaxKnownStoresBytes = std::uint64_t{1} << 20;

Result<Json> read_known(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(const auto bytes,
                         storage::read_file_if_exists(file, kMaxKnownStoresBytes));
  if (!bytes) return Json{Json::Object{}};
  config::JsonDocument document = config::read_json(std::string(bytes->begin(), bytes->end()));
  if (!document.errors.empty())
    return Error{file.string() + ": " + document.errors.front().where + ": " +
                 document.errors.front().what};
  if (document.root.object() == nullptr)
    return Error{file.string() + ": $: the file must hold one object"};
  return std::move(document.root);
}

std::string place_of(const std::filesystem::path& store) {
  std::error_code ignored;
  return std::filesystem::weakly_canonical(store, ignored).string();
}

}  // namespace

KnownStores::KnownStores(const std::filesystem::path& folder) : file_(folder / "stores.json") {}

Status KnownStores::remember(const std::filesystem::path& store, const Bytes32& id) const {
  SOTTO_ASSIGN_OR_RETURN(Json known, read_known(file_));
  known[place_of(store)] = Json{to_hex(id)};
  return storage::write_file_atomically(file_, {view_of(config::pretty_text(known))},
                                        storage::FileAccess::kOwnerOnly);
}

Status KnownStores::check(const std::filesystem::path& store, const Bytes32& id) const {
  SOTTO_ASSIGN_OR_RETURN(const Json known, read_known(file_));
  const Json* const entry = known.find(place_of(store));
  const std::string remedy = "; if it is the right store, run: sotto-participant data adopt " +
                             store.string() + " --dir " + file_.parent_path().string();
  if (entry == nullptr)
    return Error{store.string() + ": this site has imported no record store to this place" +
                 remedy};
  const auto* const expected = std::get_if<std::string>(&entry->value);
  if (expected == nullptr || *expected != to_hex(id))
    return Error{store.string() +
                 " is not the record store that was imported here last; it may be an older one "
                 "that was restored" +
                 remedy};
  return {};
}

crypto::Secret32 records_key(const identity::Keystore& keys) {
  return keys.data_key("records");
}

bool names_record_stores(const config::SiteConfig& site) {
  return data::is_record_store(site.data.train) || data::is_record_store(site.data.evaluation);
}

/// Counted holds the counts of destroyed stores, and the stores that still exist.
struct SiteRecords::Counted {
  std::mutex mutex;  // a store is destroyed on the thread that destroys its trainer
  OpenCounts gone{};
  std::vector<const SecureRecordStore*> alive;
};

SiteRecords::SiteRecords(const std::filesystem::path& folder, std::optional<crypto::Secret32> key)
    : key_(std::move(key)), known_(folder), counted_(std::make_shared<Counted>()) {}

Result<data::Examples> SiteRecords::read(const std::filesystem::path& file,
                                         const config::JobConfig& job,
                                         const config::SiteData& site) {
  if (!data::is_record_store(file)) {
    SOTTO_ASSIGN_OR_RETURN(auto plain,
                           data::read_fitting_examples(file, job, site.labels, site.layout));
    return data::Examples(std::move(plain));
  }
  if (!site.layout.person.empty())
    return Error{
        file.string() +
        " is a record store, which holds no persons; data.columns.person needs plain files"};
  if (!key_) return Error{file.string() + " is a record store and needs the site's keystore"};
  SOTTO_ASSIGN_OR_RETURN(auto opened, SecureRecordStore::open(file, *key_, {.clock = steady_now}));
  SOTTO_TRY(known_.check(file, opened->id()));
  const std::shared_ptr<SecureRecordStore> store(std::move(opened).release(),
                                                 [counted = counted_](SecureRecordStore* gone) {
                                                   {
                                                     const std::lock_guard lock(counted->mutex);
                                                     add_to(counted->gone, gone->counts());
                                                     std::erase(counted->alive, gone);
                                                   }
                                                   delete gone;
                                                 });
  {
    const std::lock_guard lock(counted_->mutex);
    counted_->alive.push_back(store.get());
  }
  return data::stored_examples(store, job, site.labels);
}

namespace {

/// The guarantee does not cover the evaluation split, so a person of it has none.
Status check_persons_apart(const config::SiteData& site) {
  SOTTO_ASSIGN_OR_RETURN(const std::uint64_t both,
                         data::persons_in_both(site.train, site.evaluation, site.layout));
  if (both == 0) return {};
  return Error{
      site.evaluation.string() + ": " + std::to_string(both) +
      (both == 1 ? " person" : " persons") +
      " of the evaluation split (data.columns.person) also have training examples, and the "
      "guarantee does not cover the evaluation split; move all records of a person to one "
      "of the two files"};
}

}  // namespace

Result<data::SiteExamples> SiteRecords::examples(const config::JobConfig& job,
                                                 const config::SiteConfig& site) {
  SOTTO_TRY(data::check_separate_files(site.data.train, site.data.evaluation));
  SOTTO_ASSIGN_OR_RETURN(auto train, read(site.data.train, job, site.data));
  SOTTO_ASSIGN_OR_RETURN(auto evaluation, read(site.data.evaluation, job, site.data));
  data::SiteExamples out{.train = std::move(train),
                         .evaluation = std::move(evaluation),
                         .training_examples = site.data.training_examples,
                         .training_persons = site.data.training_persons,
                         .evaluation_examples = site.data.evaluation_examples};
  if (const std::uint64_t shared = data::shared_examples(out.train, out.evaluation); shared > 0)
    out.warnings.push_back(std::to_string(shared) + " of " + std::to_string(out.evaluation.size()) +
                           " evaluation examples have the text of a training example; the "
                           "guarantee does not cover the evaluation split");
  return out;
}

Status SiteRecords::check_files(const config::SiteConfig& site) {
  for (const std::filesystem::path& file : {site.data.train, site.data.evaluation}) {
    if (data::is_record_store(file)) continue;
    if (const auto text = storage::TextFile::read(file); !text.ok()) return text.error();
  }
  SOTTO_TRY(data::check_separate_files(site.data.train, site.data.evaluation));
  SOTTO_TRY(data::check_different_content(site.data.train, site.data.evaluation));
  if (site.data.layout.person.empty() || names_record_stores(site)) return {};
  return check_persons_apart(site.data);
}

OpenCounts SiteRecords::counts() const {
  const std::lock_guard lock(counted_->mutex);
  OpenCounts sum = counted_->gone;
  for (const SecureRecordStore* store : counted_->alive)
    add_to(sum, store->counts());
  return sum;
}

}  // namespace sotto::participant
