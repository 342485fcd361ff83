// What a site shows to the outside in one conversation, and in what two conversations differ.
#pragma once

#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/encoding/lanes.h"
#include "common/wire/messages.h"

namespace sotto::outside_test {

/// One frame that left the site, as the other end of the link sees it.
struct Sent {
  TimePoint at;  // virtual
  std::size_t bytes = 0;
  wire::Envelope envelope;
  std::vector<encoding::LaneSpec> lanes;  // of the round that the coordinator offered last
};

struct Outside {
  std::vector<Sent> sent;            // in the order of sending
  std::vector<std::string> charges;  // the entries of the site's ledger
};

/// Which content of an upload may differ.
enum class Hidden {
  kUpdate,             // lane 0 (the noisy update) and its check words
  kUpdateAndCounters,  // also lane 1: the records that are evaluated differ, and are not protected
};

/// In what two conversations differ, a sentence each. Times, order, kinds, sizes and every field of
/// the messages are compared, apart from what `hidden` excludes, its hash (hash_y) and the
/// signature over that hash.
std::vector<std::string> differences(const Outside& one, const Outside& other,
                                     Hidden hidden = Hidden::kUpdate);

/// The number of messages of one type.
template <class M>
std::size_t count(const Outside& outside) {
  std::size_t found = 0;
  for (const Sent& sent : outside.sent)
    if (std::holds_alternative<M>(sent.envelope.message)) ++found;
  return found;
}

}  // namespace sotto::outside_test
