#include "coordinator/members/conflict_log.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "common/storage/atomic_file.h"

namespace sotto::coordinator {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxConflictBytes = std::uint64_t{64} << 20;

// In the order of secagg::ConflictEnd.
constexpr std::array<std::string_view, 9> kEnds = {"opened",
                                                   "wrongly opened",
                                                   "not opened",
                                                   "too many complaints",
                                                   "holder left",
                                                   "dealer left",
                                                   "undecided",
                                                   "holder alone with a key",
                                                   "dealer alone with a key"};

}  // namespace

Result<ConflictLog> ConflictLog::open(std::filesystem::path file) {
  ConflictLog log;
  log.file_ = std::move(file);
  SOTTO_ASSIGN_OR_RETURN(const auto bytes,
                         storage::read_file_if_exists(log.file_, kMaxConflictBytes));
  if (!bytes) return log;
  const Error damaged{log.file_.string() + " is damaged"};
  const json read = json::parse(bytes->begin(), bytes->end(), nullptr, false);
  if (!read.is_array()) return damaged;
  for (const json& one : read) {
    if (!one.is_object()) return damaged;
    for (const char* key : {"server_round", "attempt", "holder", "dealer"})
      if (!one.contains(key) || !one[key].is_number_unsigned()) return damaged;
    if (!one.contains("end")) continue;  // written by a version that settled no complaints
    const auto end = std::ranges::find(kEnds, one["end"]);
    if (end == kEnds.end()) return damaged;
    log.count({.round = RoundNumber::of(one["server_round"], one["attempt"]),
               .conflict = {.holder = MemberId{one["holder"].get<std::uint32_t>()},
                            .dealer = MemberId{one["dealer"].get<std::uint32_t>()},
                            .end = static_cast<secagg::ConflictEnd>(end - kEnds.begin())}});
  }
  return log;
}

void ConflictLog::count(const Entry& entry) {
  entries_.push_back(entry);
  ++counts_[entry.conflict];
}

secagg::WhoLeft<MemberId> ConflictLog::keys_before(RoundNumber round) const {
  secagg::WhoLeft<MemberId> left;
  for (const auto& [when, conflict] : entries_) {
    if (when >= round) continue;
    const auto pair = secagg::pair_of(conflict.holder, conflict.dealer);
    if (conflict.end == secagg::ConflictEnd::kHolderLeft) left[pair] = conflict.holder;
    if (conflict.end == secagg::ConflictEnd::kDealerLeft) left[pair] = conflict.dealer;
  }
  return left;
}

Status ConflictLog::add(RoundNumber round, const std::vector<secagg::Conflict>& conflicts) {
  const auto known = [&](const Entry& entry) { return entry.round == round; };
  if (conflicts.empty() || std::ranges::any_of(entries_, known)) return {};
  for (const secagg::Conflict& conflict : conflicts)
    count({.round = round, .conflict = conflict});
  json out = json::array();
  for (const auto& [when, conflict] : entries_)
    out.push_back({{"server_round", when.server_round()},
                   {"attempt", when.attempt()},
                   {"holder", raw(conflict.holder)},
                   {"dealer", raw(conflict.dealer)},
                   {"end", kEnds.at(static_cast<std::size_t>(conflict.end))}});
  return storage::write_text(file_, out.dump(1) + "\n");
}

}  // namespace sotto::coordinator
