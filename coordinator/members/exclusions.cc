#include "coordinator/members/exclusions.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/storage/atomic_file.h"

namespace sotto::coordinator {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxExclusionBytes = std::uint64_t{64} << 20;

template <class Members>
json ids(const Members& members) {
  json out = json::array();
  for (MemberId id : members)
    out.push_back(raw(id));
  return out;
}

template <class Members>
Members members_of(const json& list) {
  Members out;
  for (const json& id : list)
    out.insert(out.end(), MemberId{id.get<std::uint32_t>()});
  return out;
}

json as_json(RoundNumber round) {
  return {{"server_round", round.server_round()}, {"attempt", round.attempt()}};
}

RoundNumber round_of(const json& round) {
  return RoundNumber::of(round.at("server_round").get<std::uint64_t>(),
                         round.at("attempt").get<std::uint16_t>());
}

}  // namespace

Result<Exclusions> Exclusions::open(std::filesystem::path file) {
  using Set = std::set<MemberId>;
  Exclusions out;
  out.file_ = std::move(file);
  SOTTO_ASSIGN_OR_RETURN(const auto bytes,
                         storage::read_file_if_exists(out.file_, kMaxExclusionBytes));
  if (!bytes) return out;
  try {
    const json read = json::parse(bytes->begin(), bytes->end());
    for (const json& one : read.at("convicted"))
      out.offenders_[MemberId{one.at("member").get<std::uint32_t>()}] =
          one.at("rule").get<std::string>();
    out.suspicion_ = Suspicion({.suspects = members_of<Set>(read.at("suspects")),
                                .set_aside = members_of<Set>(read.at("set_aside")),
                                .suspended = members_of<Set>(read.at("suspended")),
                                .searching = read.at("searching").get<bool>()});
    out.judged_ = round_of(read.at("judged"));
    out.begun_ = round_of(read.at("begun"));
    out.left_out_ = members_of<std::vector<MemberId>>(read.at("left_out"));
  } catch (const json::exception&) {
    return Error{out.file_.string() + " is damaged"};
  }
  return out;
}

Status Exclusions::save() const {
  const Suspicion::State& s = suspicion_.state();
  json offenders = json::array();
  for (const auto& [member, rule] : offenders_)
    offenders.push_back({{"member", raw(member)}, {"rule", rule}});
  const json out = {{"convicted", offenders},        {"suspects", ids(s.suspects)},
                    {"set_aside", ids(s.set_aside)}, {"suspended", ids(s.suspended)},
                    {"searching", s.searching},      {"judged", as_json(judged_)},
                    {"begun", as_json(begun_)},      {"left_out", ids(left_out_)}};
  return storage::write_text(file_, out.dump(1) + "\n");
}

Status Exclusions::exclude_offender(MemberId member, const std::string& rule) {
  if (!offenders_.emplace(member, rule).second) return {};
  suspicion_.forget(member);
  return save();
}

Status Exclusions::lost(RoundNumber round, const std::vector<MemberId>& sum) {
  if (round <= judged_) return {};
  judged_ = round;
  if (std::ranges::none_of(sum, [&](MemberId id) { return offenders_.contains(id); }))
    suspicion_.lost({sum.begin(), sum.end()});
  return save();
}

Status Exclusions::good(RoundNumber round, const std::vector<MemberId>& sum) {
  if (round <= judged_) return {};
  judged_ = round;
  const Suspicion::State before = suspicion_.state();
  suspicion_.good({sum.begin(), sum.end()});
  return suspicion_.state() == before ? Status{} : save();
}

Status Exclusions::begin(RoundNumber round, std::vector<MemberId> left_out) {
  if (left_out.empty() && left_out_.empty()) return {};
  begun_ = round;
  left_out_ = std::move(left_out);
  return save();
}

std::vector<MemberId> Exclusions::left_out_of(RoundNumber round) const {
  return round == begun_ ? left_out_ : std::vector<MemberId>{};
}

}  // namespace sotto::coordinator
