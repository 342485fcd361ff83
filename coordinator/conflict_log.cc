#include "coordinator/conflict_log.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "common/journal/atomic_file.h"

namespace sotto::coordinator {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBytes = std::uint64_t{64} << 20;

}  // namespace

Result<ConflictLog> ConflictLog::open(std::filesystem::path file) {
  ConflictLog log;
  log.file_ = std::move(file);
  if (!std::filesystem::exists(log.file_)) return log;
  const auto bytes = journal::read_file(log.file_, kMaxBytes);
  if (!bytes.ok()) return bytes.error();
  const Error damaged{log.file_.string() + " is damaged"};
  const json read = json::parse(bytes->begin(), bytes->end(), nullptr, false);
  if (!read.is_array()) return damaged;
  for (const json& one : read) {
    if (!one.is_object()) return damaged;
    for (const char* key : {"server_round", "attempt", "holder", "dealer"})
      if (!one.contains(key) || !one[key].is_number_unsigned()) return damaged;
    log.count({.round = RoundNumber::of(one["server_round"], one["attempt"]),
               .edge = {.holder = MemberId{one["holder"].get<std::uint32_t>()},
                        .dealer = MemberId{one["dealer"].get<std::uint32_t>()}}});
  }
  return log;
}

void ConflictLog::count(const Entry& entry) {
  entries_.push_back(entry);
  ++counts_[entry.edge.holder];
  ++counts_[entry.edge.dealer];
}

std::map<MemberId, std::uint64_t> ConflictLog::counts_before(RoundNumber round) const {
  std::map<MemberId, std::uint64_t> counts;
  for (const Entry& entry : entries_) {
    if (entry.round >= round) continue;
    ++counts[entry.edge.holder];
    ++counts[entry.edge.dealer];
  }
  return counts;
}

Status ConflictLog::add(RoundNumber round, const std::vector<secagg::Conflict>& edges) {
  const auto known = [&](const Entry& entry) { return entry.round == round; };
  if (edges.empty() || std::ranges::any_of(entries_, known)) return {};
  for (const secagg::Conflict& edge : edges)
    count({.round = round, .edge = edge});
  json out = json::array();
  for (const Entry& entry : entries_)
    out.push_back({{"server_round", entry.round.server_round()},
                   {"attempt", entry.round.attempt()},
                   {"holder", raw(entry.edge.holder)},
                   {"dealer", raw(entry.edge.dealer)}});
  const std::string text = out.dump(1) + "\n";
  return journal::write_file_atomically(file_, {view_of(text)},
                                        journal::FileAccess::kEveryoneReads);
}

}  // namespace sotto::coordinator
