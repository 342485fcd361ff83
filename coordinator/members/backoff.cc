#include "coordinator/members/backoff.h"

#include <algorithm>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/storage/atomic_file.h"

namespace sotto::coordinator {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBackoffBytes = std::uint64_t{64} << 20;
/// Further faults do not increase the cost: 2^6 rounds are kMostRounds, and so is half of 2^7.
constexpr std::uint32_t kMostFaults = 8;

std::uint32_t rounds_for(std::uint32_t faults, Fault::Cost cost) {
  const std::uint32_t waited = 1U << (faults - 1);
  return std::min(cost == Fault::Cost::kWaited ? waited : waited / 2, Backoff::kMostRounds);
}

}  // namespace

Result<Backoff> Backoff::open(std::filesystem::path file) {
  Backoff out;
  out.file_ = std::move(file);
  SOTTO_ASSIGN_OR_RETURN(const auto bytes,
                         storage::read_file_if_exists(out.file_, kMaxBackoffBytes));
  if (!bytes) return out;
  const Error damaged{
      out.file_.string() +
      " is damaged: move it away, and no member is left out of rounds for earlier faults"};
  const json read = json::parse(bytes->begin(), bytes->end(), nullptr, false);
  if (!read.is_array()) return damaged;
  for (const json& one : read) {
    if (!one.is_object() || !one.contains("what") || !one["what"].is_string()) return damaged;
    for (const char* key : {"member", "faults", "in_time", "left_out"})
      if (!one.contains(key) || !one[key].is_number_unsigned()) return damaged;
    Record& record = out.records_[MemberId{one["member"].get<std::uint32_t>()}];
    record = {.faults = std::min(one["faults"].get<std::uint32_t>(), kMostFaults),
              .in_time = one["in_time"].get<std::uint32_t>(),
              .left_out = std::min(one["left_out"].get<std::uint32_t>(), kMostRounds),
              .what = one["what"].get<std::string>()};
  }
  return out;
}

std::vector<MemberId> Backoff::choose(const std::vector<MemberId>& ready,
                                      std::size_t needed) const {
  std::vector<MemberId> chosen;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<MemberId>>
      others;  // fewest faults first
  for (MemberId id : ready) {
    const auto at = records_.find(id);
    if (at == records_.end() || at->second.left_out == 0)
      chosen.push_back(id);
    else
      others[{at->second.faults, at->second.left_out}].push_back(id);
  }
  for (const auto& [latest_fault, members] : others) {
    if (chosen.size() >= needed) break;
    chosen.insert(chosen.end(), members.begin(), members.end());
  }
  std::ranges::sort(chosen);
  return chosen;
}

void Backoff::count(const std::vector<Fault>& faults) {
  std::set<MemberId> counted;
  for (const Fault& fault : faults) {
    if (!counted.insert(fault.member).second) continue;
    Record& record = records_[fault.member];
    record.faults = std::min(record.faults + 1, kMostFaults);
    record.in_time = 0;
    record.left_out = std::max(record.left_out, rounds_for(record.faults, fault.cost));
    record.what = fault.what;
  }
}

Status Backoff::round_over(const std::vector<Fault>& faults, const std::vector<MemberId>& in_time) {
  const auto before = records_;
  for (auto& [id, record] : records_)
    if (record.left_out > 0) --record.left_out;
  count(faults);
  for (MemberId id : in_time) {
    const auto at = records_.find(id);
    if (at == records_.end()) continue;
    Record& record = at->second;
    if (++record.in_time < kInTimeRoundsToRecover) continue;
    record.in_time = 0;
    if (--record.faults == 0) records_.erase(at);
  }
  return records_ == before ? Status{} : save();
}

Status Backoff::add(const std::vector<Fault>& faults) {
  if (faults.empty()) return {};
  count(faults);
  return save();
}

Status Backoff::save() const {
  if (file_.empty()) return {};
  json out = json::array();
  for (const auto& [id, record] : records_)
    out.push_back({{"member", raw(id)},
                   {"faults", record.faults},
                   {"in_time", record.in_time},
                   {"left_out", record.left_out},
                   {"what", record.what}});
  return storage::write_text(file_, out.dump(1) + "\n");
}

std::string describe(const Backoff::Record& record) {
  if (record.left_out == 0) return "";
  const std::string rounds =
      record.left_out == 1 ? "round" : std::to_string(record.left_out) + " rounds";
  return "left out of the next " + rounds + ": " + record.what;
}

}  // namespace sotto::coordinator
