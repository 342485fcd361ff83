#include "participant/data/known_stores.h"

#include <string>
#include <variant>

#include "common/config/json_tree.h"
#include "common/storage/atomic_file.h"

namespace sotto::participant {
namespace {

using config::Json;

constexpr std::uint64_t kMaxKnownStoresBytes = std::uint64_t{1} << 20;

Result<Json> read(const std::filesystem::path& file) {
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
  SOTTO_ASSIGN_OR_RETURN(Json known, read(file_));
  known[place_of(store)] = Json{to_hex(id)};
  return storage::write_file_atomically(file_, {view_of(config::pretty_text(known))},
                                        storage::FileAccess::kOwnerOnly);
}

Status KnownStores::check(const std::filesystem::path& store, const Bytes32& id) const {
  SOTTO_ASSIGN_OR_RETURN(const Json known, read(file_));
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

}  // namespace sotto::participant
