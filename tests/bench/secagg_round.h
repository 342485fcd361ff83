// One whole round in memory: every member's client and the coordinator's server, no sockets, one
// thread, with the CPU time of each side. Messages are encoded once each for their sizes; that is
// not timed (the network's work, not the protocol's).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/encoding/quantizer.h"
#include "common/privacy/mechanisms/clip.h"
#include "common/secagg/client/client.h"
#include "common/secagg/server/server.h"
#include "common/secagg/shared/graph.h"
#include "common/wire/codec.h"
#include "tests/bench/bench.h"
#include "tests/common/encoding/whole_mean.h"

namespace sotto::bench {

struct RoundCase {
  std::string name;
  std::uint32_t n = 0;
  std::uint32_t C = 0;  // NOLINT: the specification's name
  std::uint64_t values = 0;
  double drop = 0;  // this fraction of the members deals shares and is gone before the upload
  /// Complete, or a circulant graph: of this degree where one is given (t is a half of it then),
  /// else as our rules have it for 10 % dropouts.
  wire::Graph graph = wire::Graph::kComplete;
  std::uint32_t degree = 0;
  int runs = 3;
  unsigned threads = 1;
};

/// CPU seconds. A participant's figures are the median over the survivors.
struct RoundCost {
  double client = 0;
  std::map<std::string, double> client_part;
  double set_up = 0;   // coordinator, M1 to M4U
  double uploads = 0;  // coordinator, all uploads together: hash, unpack, add
  double after = 0;    // coordinator, after the last upload
  std::uint64_t upload_bytes = 0;
  std::uint64_t sent_bytes = 0;      // by a participant, upload included
  std::uint64_t received_bytes = 0;  // by a participant, the model not included
  std::uint32_t survivors = 0;
};

class RoundBench {
 public:
  explicit RoundBench(const RoundCase& round_case);
  RoundCost run();

  [[nodiscard]] const wire::RoundHeader& header() const { return header_; }

 private:
  struct Member {
    secagg::Client client;
    std::map<std::string, double> seconds{};
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
  };

  static crypto::SigningKey make_key(crypto::SecureRandom& random) {
    return crypto::SigningKey::generate(random);
  }

  template <class Work>
  static auto timed(double& seconds, Work work) {
    const double start = cpu_seconds();
    auto out = work();
    seconds += cpu_seconds() - start;
    return out;
  }

  void choose_graph();

  [[nodiscard]] std::uint64_t size_of(const wire::Message& message) const {
    return wire::encode(kCoordinatorId, header_.round, message).size();
  }

  void accept(secagg::MessageResult result) const {
    SOTTO_CHECK(result.kind == secagg::MessageResult::Kind::kAccepted,
                "an honest message is accepted");
  }

  void set_up(RoundCost& cost);
  void upload(RoundCost& cost);
  void unmask(RoundCost& cost);
  void make_members();

  RoundCase case_;
  crypto::StreamRandom random_{7};
  encoding::EncodingSpec encoding_;
  crypto::SigningKey coordinator_ = make_key(random_);
  std::vector<crypto::SigningKey> keys_;
  std::vector<secagg::CohortMember> roster_;
  secagg::Cohort cohort_{std::vector<secagg::CohortMember>{}};
  wire::RoundHeader header_;
  std::vector<Member> members_;
  std::vector<secagg::Server> server_;  // one; made anew by each run
  encoding::RingUpdate masked_sum_;
  std::vector<float> expected_;  // the mean of the survivors' values, before encoding
};

inline RoundBench::RoundBench(const RoundCase& round_case) : case_(round_case) {
  keys_.reserve(case_.n);
  for (std::uint32_t i = 0; i < case_.n; ++i) {
    keys_.push_back(make_key(random_));
    roster_.push_back({MemberId{i + 1}, keys_.back().verify_key()});
  }
  cohort_ = secagg::Cohort::on_ring(roster_);
  header_ = {.run = Bytes32{1},
             .round = RoundNumber::of(1, 0),
             .cohort_hash = cohort_.hash(),
             .n = case_.n,
             .C = case_.C,
             .lanes = encoding::lane_specs(encoding_, case_.values, case_.n)};
  choose_graph();
}

inline void RoundBench::choose_graph() {
  const bool complete = case_.graph == wire::Graph::kComplete;
  const secagg::GraphRules rules{.full_graph_max = complete ? case_.n : 0, .dropout_percent = 10};
  const auto chosen = secagg::graph_parameters(case_.n, case_.C, rules).value();
  header_.graph = case_.graph;
  header_.k = chosen.k;
  header_.t = chosen.thresholds.t;
  header_.q = chosen.q;
  header_.Q = chosen.thresholds.Q;
  header_.s_min = chosen.thresholds.s_min;
  header_.witnesses = chosen.thresholds.witnesses;
  if (case_.degree == 0) return;
  // As the other implementation was measured: without our bounds.
  header_.k = case_.degree;
  header_.t = case_.degree / 2;
  header_.q = case_.degree / 2;
}

inline void RoundBench::make_members() {
  members_.clear();
  members_.reserve(case_.n);
  for (std::uint32_t i = 0; i < case_.n; ++i) {
    double seconds = 0;
    members_.push_back({timed(seconds, [&] {
      return secagg::Client(header_, cohort_, roster_[i].id, keys_[i], {},
                            coordinator_.verify_key(), random_);
    })});
    members_.back().client.use_threads(case_.threads);
    members_.back().seconds["set_up"] = seconds;
  }
}

/// M1 to M4U.
inline void RoundBench::set_up(RoundCost& cost) {
  secagg::Server& server = server_.front();
  for (Member& m : members_) {
    const auto m1 = timed(m.seconds["set_up"], [&] { return m.client.advertise(); });
    m.sent += size_of(m1);
    accept(timed(cost.set_up, [&] { return server.accept(m1); }));
  }
  SOTTO_CHECK(server.fix_u1().ok(), "U1");
  for (std::uint32_t i = 0; i < case_.n; ++i) {
    Member& m = members_[i];
    const auto m2 = timed(cost.set_up, [&] { return server.key_list(roster_[i].id); });
    m.received += size_of(m2);
    const auto m3 = timed(m.seconds["deal"], [&] { return m.client.deal(m2, random_); });
    m.sent += size_of(m3.value());
    accept(timed(cost.set_up, [&] { return server.accept(m3.value()); }));
  }
  SOTTO_CHECK(server.fix_v().ok(), "V");
  for (std::uint32_t i = 0; i < case_.n; ++i) {
    Member& m = members_[i];
    const auto m4 = timed(cost.set_up, [&] { return server.share_forward(roster_[i].id); });
    m.received += size_of(m4);
    const auto m4a = timed(m.seconds["check"], [&] { return m.client.check_shares(m4); });
    m.sent += size_of(m4a.value());
    accept(timed(cost.set_up, [&] { return server.accept(m4a.value()); }));
  }
  SOTTO_CHECK(server.fix_u2().ok(), "U2");
  for (std::uint32_t i = 0; i < case_.n; ++i) {
    Member& m = members_[i];
    const auto m4u = timed(cost.set_up, [&] { return server.fix_message(roster_[i].id); });
    m.received += size_of(m4u);
    SOTTO_CHECK(timed(m.seconds["check"], [&] { return m.client.accept_u2(m4u); }).ok(), "M4U");
  }
}

/// M5, one member after the other, so that one upload is in memory at a time.
inline void RoundBench::upload(RoundCost& cost) {
  secagg::Server& server = server_.front();
  const auto dropped = static_cast<std::uint32_t>(case_.drop * case_.n);
  cost.survivors = case_.n - dropped;
  cost.upload_bytes = secagg::upload_bytes(header_.lanes);
  masked_sum_ = encoding::RingUpdate::zeros(header_.lanes);
  expected_.assign(case_.values, 0.0F);
  // Those that drop out are spread over the indexes.
  for (std::uint32_t i = 0; i < case_.n; ++i) {
    if (std::uint64_t{i} * dropped / case_.n != (std::uint64_t{i} + 1) * dropped / case_.n)
      continue;
    Member& m = members_[i];
    FlatUpdate update(std::vector<float>(case_.values));
    for (std::size_t j = 0; j < update.values.size(); ++j) {
      update.values[j] = 1e-3F * static_cast<float>((j * 7 + i * 13) % 2001) - 1.0F;
      expected_[j] += update.values[j] / static_cast<float>(cost.survivors);
    }
    auto clipped = clip(std::move(update), 1e9);
    auto job = timed(m.seconds["key_agreement"], [&] { return m.client.mask_job(); });
    auto encoded = timed(m.seconds["encode"], [&] {
      return encoding::encode(encoding_, header_.lanes, m.client.h(), std::move(clipped).value(),
                              {}, random_);
    });
    const auto masked =
        timed(m.seconds["mask"], [&] { return std::move(job).run(std::move(encoded).value(), 1); });
    const auto m5 =
        timed(m.seconds["sign"], [&] { return m.client.upload_header(masked.hash_y()); });
    m.sent += size_of(m5) + masked.packed().size();
    const double start = cpu_seconds();
    accept(server.accept(m5));
    SOTTO_CHECK(server.check_upload(roster_[i].id, masked.packed()).ok(), "an honest upload");
    SOTTO_CHECK(masked_sum_.add_packed(masked.packed()).ok(), "an honest upload");
    server.upload_complete(roster_[i].id);
    cost.uploads += cpu_seconds() - start;
  }
}

/// M6 to the decoded mean.
inline void RoundBench::unmask(RoundCost& cost) {
  secagg::Server& server = server_.front();
  double& after = cost.after;
  SOTTO_CHECK(timed(after, [&] { return server.fix_s(); }).ok(), "S");
  const auto m6 = timed(after, [&] { return server.survivors(); });
  for (std::uint32_t i : server.s()) {
    Member& m = members_[i];
    m.received += size_of(m6);
    const auto m7 = timed(m.seconds["endorse"], [&] { return m.client.endorse(m6); });
    m.sent += size_of(m7->message);
    accept(timed(after, [&] { return server.accept(roster_[i].id, m7->message); }));
  }
  for (std::uint32_t i : server.s()) {
    Member& m = members_[i];
    const auto m8 = timed(after, [&] { return server.unmask_request(roster_[i].id); });
    m.received += size_of(m8);
    const auto m9 = timed(m.seconds["unmask"], [&] { return m.client.unmask(m8); });
    m.sent += size_of(*m9);
    // Answers beyond t shares of every secret are not waited for.
    if (!server.can_open()) accept(timed(after, [&] { return server.accept(*m9); }));
  }
  auto job = timed(after, [&] { return server.open(); });
  auto sum = timed(
      after, [&] { return std::move(job).value().run(std::move(masked_sum_), case_.threads); });
  const auto decoded = timed(after, [&] {
    return encoding::decode_sum(encoding_, header_.lanes, server.h(), std::move(sum),
                                cost.survivors);
  });
  SOTTO_CHECK(decoded.ok() && decoded->count == cost.survivors, "the sum opens");
  const std::vector<float> mean = encoding::whole_mean(*decoded);
  for (std::size_t j = 0; j < expected_.size(); ++j)
    SOTTO_CHECK(std::abs(mean[j] - expected_[j]) < 1e-3F, "the sum is the survivors' sum");
}

inline RoundCost RoundBench::run() {
  RoundCost cost;
  server_.clear();
  server_.emplace_back(header_, cohort_, coordinator_);
  server_.front().use_threads(case_.threads);
  make_members();
  set_up(cost);
  upload(cost);
  unmask(cost);
  const auto middle = [&](auto value_of) {
    std::vector<double> values;
    for (std::uint32_t i : server_.front().s())
      values.push_back(value_of(members_[i]));
    std::ranges::nth_element(values,
                             values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
    return values[values.size() / 2];
  };
  for (const auto& [part, unused] : members_[server_.front().s().front()].seconds)
    cost.client_part[part] = middle([&](const Member& m) { return m.seconds.at(part); });
  cost.client = middle([](const Member& m) {
    double sum = 0;
    for (const auto& [part, seconds] : m.seconds)
      sum += seconds;
    return sum;
  });
  cost.sent_bytes = static_cast<std::uint64_t>(
      middle([](const Member& m) { return static_cast<double>(m.sent); }));
  cost.received_bytes = static_cast<std::uint64_t>(
      middle([](const Member& m) { return static_cast<double>(m.received); }));
  return cost;
}

}  // namespace sotto::bench
