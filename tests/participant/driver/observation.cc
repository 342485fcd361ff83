#include "tests/participant/driver/observation.h"

#include <algorithm>

namespace sotto::outside_test {

namespace {

/// Zeroes what lies in [begin, end) of the whole blob, of which `data` begins at `offset`.
void blank(Bytes& data, std::uint64_t offset, std::uint64_t begin, std::uint64_t end) {
  for (std::uint64_t i = std::max(begin, offset); i < std::min(end, offset + data.size()); ++i)
    data[i - offset] = 0;
}

wire::Message comparable(const Sent& sent, Hidden hidden) {
  wire::Message message = sent.envelope.message;
  if (auto* header = std::get_if<wire::UploadHeader>(&message)) {
    header->hash_y = {};
    header->signature = {};
  }
  if (auto* data = std::get_if<wire::BlobData>(&message)) {
    data->blob = {};
    std::uint64_t begin = 0;
    for (const encoding::LaneSpec& lane : sent.lanes) {
      const std::uint64_t end = begin + lane.packed_bytes();
      if (lane.kind != encoding::LaneKind::kCounters || hidden == Hidden::kUpdateAndCounters)
        blank(data->data, data->offset, begin, end);
      begin = end;
    }
  }
  return message;
}

std::string described(const Sent& sent) {
  std::string out(wire::name_of(sent.envelope.message));
  if (const auto* left = std::get_if<wire::LeaveRound>(&sent.envelope.message))
    out += " (" + left->reason + ")";
  if (const auto* reply = std::get_if<wire::JobReply>(&sent.envelope.message))
    out += " (" + reply->reason + ")";
  return out + " of round " + std::to_string(sent.envelope.round.server_round()) + "." +
         std::to_string(sent.envelope.round.attempt()) + ", " + std::to_string(sent.bytes) +
         " bytes after " + std::to_string(sent.at.time_since_epoch().count()) + " ms";
}

bool same(const Sent& one, const Sent& other, Hidden hidden) {
  return one.at == other.at && one.bytes == other.bytes &&
         one.envelope.round == other.envelope.round &&
         comparable(one, hidden) == comparable(other, hidden);
}

}  // namespace

std::vector<std::string> differences(const Outside& one, const Outside& other, Hidden hidden) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::max(one.sent.size(), other.sent.size()); ++i) {
    const auto text = [i](const Outside& o) {
      return i < o.sent.size() ? described(o.sent[i]) : std::string("nothing");
    };
    if (i < one.sent.size() && i < other.sent.size() && same(one.sent[i], other.sent[i], hidden))
      continue;
    out.push_back("message " + std::to_string(i) + ": " + text(one) + " / " + text(other));
    if (out.size() == 3) break;  // what follows a first difference is rarely told apart
  }
  if (one.charges != other.charges)
    out.push_back("the ledgers have " + std::to_string(one.charges.size()) + " and " +
                  std::to_string(other.charges.size()) + " entries, or entries that differ");
  return out;
}

}  // namespace sotto::outside_test
