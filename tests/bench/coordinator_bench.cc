// What a round costs the coordinator beside training: n members answer at once, in memory, over the
// real round machine, journal, upload spool, optimizer and checkpoint. The members' own work and
// the network are not counted; decoding and encoding of frames is. Once on this disk, once with 5
// ms a sync, which is a slow one.
#include <deque>
#include <filesystem>
#include <map>

#include <sys/syscall.h>
#include <unistd.h>

#include "common/config/parse.h"
#include "common/crypto/secure_random.h"
#include "common/job/plan.h"
#include "common/privacy/mechanisms/clip.h"
#include "common/secagg/client/client.h"
#include "common/secagg/shared/graph.h"
#include "common/wire/codec.h"
#include "coordinator/driver/run_folder.h"
#include "coordinator/driver/training_progress.h"
#include "tests/bench/bench.h"

namespace {

int syncs = 0;
unsigned sync_delay_us = 0;

int counted(long call, int fd) {
  ++syncs;
  if (sync_delay_us > 0) ::usleep(sync_delay_us);
  return static_cast<int>(::syscall(call, fd));
}

}  // namespace

// In the place of the C library's, so that every sync of the code under test is counted.
extern "C" int fsync(int fd) {
  return counted(SYS_fsync, fd);
}

extern "C" int fdatasync(int fd) {
  return counted(SYS_fdatasync, fd);
}

namespace sotto::bench {
namespace {

constexpr std::uint32_t kMembers = 100;
constexpr std::uint64_t kValues = 1'000'000;

/// Wall milliseconds and syncs by what the coordinator was doing.
class Ledger {
 public:
  template <class Work>
  auto time(const std::string& what, Work work) {
    const double start = wall_seconds();
    const int syncs_before = syncs;
    const auto settle = [&] {
      milliseconds[what] += 1e3 * (wall_seconds() - start);
      syncs_of[what] += syncs - syncs_before;
    };
    if constexpr (std::is_void_v<decltype(work())>) {
      work();
      settle();
    } else {
      auto out = work();
      settle();
      return out;
    }
  }

  std::map<std::string, double> milliseconds;
  std::map<std::string, int> syncs_of;
};

class CoordinatorBench {
 public:
  explicit CoordinatorBench(const std::filesystem::path& folder)
      : job_(config::load_job(SOTTO_SOURCE_DIR "/configs/quickstart/job.json", {})),
        folder_(folder, job_,
                {.layout = {{"w", {static_cast<std::int64_t>(kValues)}}},
                 .values = std::vector<float>(kValues, 0.5F)},
                random_),
        training_(job_, folder_, 0),
        encoding_(job::encoding_of(job_)) {
    for (std::uint32_t i = 0; i < kMembers; ++i) {
      keys_.push_back(crypto::SigningKey::generate(random_));
      roster_.push_back({MemberId{i + 1}, keys_.back().verify_key()});
    }
  }

  Ledger run() {
    begin();
    while (!outcome_)
      answer_next();
    ledger_.time("optimizer_checkpoint", [&] {
      coordinator::RoundRecord record{.server_round = 1, .status = wire::RoundStatus::kDone};
      training_.accept(RoundNumber::of(1, 0), *outcome_, record);
    });
    ledger_.time("next_offer", [&] {
      (void)machine_->close(folder_.checkpoint.model.hash(), now_);
      folder_.begin_attempt({.run = folder_.checkpoint.run, .round = RoundNumber::of(2, 0)});
    });
    return ledger_;
  }

 private:
  coordinator::RoundPlan plan() {
    coordinator::RoundPlan plan{.deadline_ms = {60000, 60000, 60000, 60000, 60000, 60000},
                                .roster = roster_,
                                .encoding = encoding_,
                                .model = encode_without_copy(folder_.checkpoint.model),
                                .uploads = folder_.uploads()};
    for (const auto& member : roster_)
      plan.cohort.push_back(member.id);
    const auto chosen =
        secagg::graph_parameters(kMembers, 33, {.full_graph_max = kMembers}).value();
    plan.header = {.run = folder_.checkpoint.run,
                   .round = RoundNumber::of(1, 0),
                   .cohort_hash = secagg::Cohort(roster_).hash(),
                   .n = kMembers,
                   .C = 33,
                   .k = chosen.k,
                   .t = chosen.thresholds.t,
                   .q = chosen.q,
                   .Q = chosen.thresholds.Q,
                   .s_min = chosen.thresholds.s_min,
                   .witnesses = chosen.thresholds.witnesses,
                   .graph = chosen.graph,
                   .model_hash = folder_.checkpoint.model.hash(),
                   .config_hash = job_.hash,
                   .lanes = encoding::lane_specs(encoding_, kValues, kMembers)};
    return plan;
  }

  void begin() {
    ledger_.time("first_offer", [&] {
      coordinator::RoundPlan made = plan();
      header_ = made.header;
      folder_.begin_attempt(
          {.run = header_.run, .round = header_.round, .cohort = made.cohort, .header_hash = {}});
      machine_.emplace(std::move(made), coordinator_);
    });
    const secagg::Cohort cohort(roster_);
    for (std::uint32_t i = 0; i < kMembers; ++i)
      clients_.emplace_back(header_, cohort, roster_[i].id, keys_[i], secagg::PresharedKeys{},
                            coordinator_.verify_key(), random_);
    uploads_.resize(kMembers);
    carry_out(ledger_.time("Advertise", [&] { return machine_->start(now_); }));
  }

  /// As coordinator.cc does: keep, then send.
  void carry_out(coordinator::RoundOutput output) {
    const std::string phase(coordinator::name(machine_->progress().phase));
    ledger_.time(phase, [&] { folder_.keep(output.facts, output.decided); });
    for (const wire::Envelope& e : output.send)
      inbox_.push_back({e.peer, ledger_.time(phase, [&] {
                          return wire::encode(kCoordinatorId, e.round, e.message);
                        })});
    if (output.sum) {
      auto sum = ledger_.time("sum", [&] {
        return std::move(output.sum->job).run(std::move(output.sum->masked_sum), 2);
      });
      carry_out(ledger_.time("sum", [&] { return machine_->summed(std::move(sum), now_); }));
    }
    if (output.outcome) outcome_ = std::move(output.outcome);
  }

  void answer_next() {
    SOTTO_CHECK(!inbox_.empty(), "the round goes on");
    const auto [member, frame] = std::move(inbox_.front());
    inbox_.pop_front();
    const auto reply = answer(raw(member) - 1, wire::decode(frame)->message);
    if (!reply) return;
    const Bytes sent = wire::encode(member, header_.round, *reply);
    const std::string phase(coordinator::name(machine_->progress().phase));
    carry_out(ledger_.time(phase, [&] {
      return machine_->handle({member, header_.round, wire::decode(sent)->message}, now_);
    }));
  }

  std::optional<wire::Message> answer(std::uint32_t i, const wire::Message& message) {
    secagg::Client& client = clients_[i];
    if (std::holds_alternative<wire::Offer>(message)) return client.advertise();
    if (const auto* m2 = std::get_if<wire::KeyList>(&message))
      return client.deal(*m2, random_).value();
    if (const auto* m4 = std::get_if<wire::ShareForward>(&message))
      return client.check_shares(*m4).value();
    if (const auto* m4u = std::get_if<wire::Fix>(&message)) return upload(i, *m4u);
    if (const auto* request = std::get_if<wire::BlobRequest>(&message))
      return wire::answer(*request, uploads_[i]).value();
    if (const auto* m6 = std::get_if<wire::Survivors>(&message)) {
      uploads_[i] = {};
      return client.endorse(*m6)->message;
    }
    if (const auto* m8 = std::get_if<wire::UnmaskRequest>(&message)) return *client.unmask(*m8);
    return std::nullopt;
  }

  wire::Message upload(std::uint32_t i, const wire::Fix& m4u) {
    SOTTO_CHECK(clients_[i].accept_u2(m4u).ok(), "M4U");
    auto clipped = clip(FlatUpdate(std::vector<float>(kValues, 0.001F)), 1e9);
    auto encoded = encoding::encode(
        encoding_, header_.lanes, clients_[i].h(), std::move(clipped).value(),
        {.weight = 1, .metrics = std::vector<std::uint64_t>(encoding_.metrics.size(), 1)}, random_);
    const auto masked = clients_[i].mask_job().run(std::move(encoded).value(), 2);
    uploads_[i] = Bytes(masked.packed().begin(), masked.packed().end());
    return clients_[i].upload_header(masked.hash_y());
  }

  crypto::StreamRandom random_{7};
  config::JobConfig job_;
  coordinator::RunFolder folder_;
  coordinator::TrainingProgress training_;
  encoding::EncodingSpec encoding_;
  crypto::SigningKey coordinator_ = crypto::SigningKey::generate(random_);
  std::vector<crypto::SigningKey> keys_;
  std::vector<secagg::CohortMember> roster_;
  wire::RoundHeader header_;
  std::deque<secagg::Client> clients_;
  std::vector<Bytes> uploads_;
  std::deque<std::pair<MemberId, Bytes>> inbox_;
  std::optional<coordinator::RoundStateMachine> machine_;
  std::optional<coordinator::RoundOutcome> outcome_;
  TimePoint now_{Duration(1000)};
  Ledger ledger_;
};

void measure(const Report& report, const std::string& name, unsigned delay_us) {
  std::string folder = (std::filesystem::temp_directory_path() / "sotto-bench-XXXXXX").string();
  SOTTO_CHECK(::mkdtemp(folder.data()) != nullptr, "a temporary folder");
  sync_delay_us = delay_us;
  const Ledger ledger = CoordinatorBench(folder).run();
  std::filesystem::remove_all(folder);
  const auto add = [&](const std::string& metric, double value, const char* unit) {
    report.add({.name = name, .metric = metric, .value = value, .unit = unit});
  };
  double after_last_upload = 0;
  for (const auto& [what, milliseconds] : ledger.milliseconds) {
    add(what + "_ms", milliseconds, "ms");
    add(what + "_syncs", ledger.syncs_of.at(what), "");
    if (what != "first_offer" && what != "Advertise" && what != "Share" && what != "Check" &&
        what != "Upload")
      after_last_upload += milliseconds;
  }
  add("last_upload_to_next_offer_ms", after_last_upload, "ms");
}

}  // namespace
}  // namespace sotto::bench

int main(int argc, char** argv) {
  const sotto::bench::Report report("coordinator", argc, argv);
  sotto::bench::measure(report, "n100_d1e6", 0);
  sotto::bench::measure(report, "n100_d1e6_sync5ms", 5000);
}
