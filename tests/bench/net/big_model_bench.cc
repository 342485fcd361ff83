// A big model: the real coordinator in a process of its own, and members that take part in one
// round with real masks and uploads over CURVE on loopback. What the coordinator holds at most, as
// a multiple of the vector (float32), what encoding and masking hold at most, and how fast uploads
// come in and at which cost, beside what the transport alone gives in the same run.
//
// Options: --values N (25 million; 250 million is the 1 GB model), --members N (4), --adam 1.
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "common/config/parse.h"
#include "common/job/plan.h"
#include "common/privacy/mechanisms/clip.h"
#include "common/secagg/client/client.h"
#include "common/secagg/shared/transcript.h"
#include "common/storage/atomic_file.h"
#include "common/storage/mapped_file.h"
#include "tests/bench/bench.h"
#include "tests/bench/net/enrolled.h"
#include "tests/bench/net/plain_pull.h"

namespace sotto::bench {
namespace {

constexpr std::size_t kFloorBytes = std::size_t{256} << 20;
constexpr std::chrono::seconds kHelloEvery{4};
constexpr std::chrono::minutes kGiveUp{30};

/// The most that this process has had since the last call, in MB.
double take_peak() {
  const double peak = megabytes_of(::getpid(), "VmHWM");
  std::ofstream("/proc/self/clear_refs") << 5;
  return peak;
}

/// Members on one loop; uploads are made one after the other on a thread beside it and served from
/// files, so that this process stays small however many there are.
class Members {
 public:
  explicit Members(const Enrolled& enrolled)
      : enrolled_(enrolled),
        job_(config::load_job(enrolled.job_file(), enrolled.settings().overrides)),
        encoding_(job::encoding_of(job_)),
        timer_(loop_) {
    for (const config::RosterMember& m : enrolled.roster().members)
      cohort_.push_back({m.id, m.signing_key});
    members_.resize(enrolled.settings().members);
    for (std::uint32_t id = 1; id <= members_.size(); ++id) {
      net::TransportHandlers handlers;
      handlers.on_connected = [this, id] { say(id, enrolled_.hello(run_), {}); };
      handlers.on_frame = [this, id](const net::ReceivedFrame& frame) { hear(id, frame); };
      members_[id - 1].link = net::connect(loop_, socket_of(enrolled, id), std::move(handlers));
    }
    greet();
  }

  struct Times {
    double first_request = 0;  // for a range of an upload
    double all_received = 0;   // the survivors are announced
    double coordinator_cpu_s = 0;
    double members_cpu_s = 0;
    double result = 0;  // the new model is saved
  };

  /// The round to its signed result; `coordinator` is the process that is measured.
  bool play(pid_t coordinator) {
    coordinator_ = coordinator;
    const auto until = std::chrono::steady_clock::now() + kGiveUp;
    while (results_ < members_.size() && std::chrono::steady_clock::now() < until &&
           ::waitpid(coordinator, nullptr, WNOHANG) == 0)
      loop_.run_one_for(std::chrono::milliseconds(100));
    return results_ == members_.size();
  }

  [[nodiscard]] const Times& times() const { return times_; }

  [[nodiscard]] double upload_bytes() const { return static_cast<double>(upload_bytes_); }

  /// Beyond what the process held before, of the biggest upload.
  [[nodiscard]] double making_peak_mb() const { return making_peak_mb_; }

 private:
  struct Member {
    std::unique_ptr<net::Transport> link;
    std::optional<secagg::Client> client;
    std::optional<storage::MappedFile> upload;
    Bytes32 hash_y{};
  };

  void say(std::uint32_t id, const wire::Message& message, RoundNumber round) {
    const auto sent =
        members_[id - 1].link->send(kCoordinatorId, wire::encode(MemberId{id}, round, message));
    SOTTO_CHECK(sent == net::SendOutcome::kSent, "a member's link is full");
  }

  void greet() {
    timer_.expires_after(kHelloEvery);
    timer_.async_wait([this](boost::system::error_code) {
      for (std::uint32_t id = 1; id <= members_.size() && run_ != RunId{}; ++id)
        say(id, enrolled_.hello(run_), {});
      greet();
    });
  }

  void hear(std::uint32_t id, const net::ReceivedFrame& frame) {
    const auto decoded = wire::decode(frame.frame);
    SOTTO_CHECK(decoded.ok(), "the coordinator's frames decode");
    if (const auto* offer = std::get_if<wire::JobOffer>(&decoded->message))
      return agree(id, *offer);
    if (const auto* m0 = std::get_if<wire::Offer>(&decoded->message)) return join(id, *m0);
    Member& member = members_[id - 1];
    if (!member.client) return;
    const RoundNumber round = decoded->round;
    if (const auto* m2 = std::get_if<wire::KeyList>(&decoded->message))
      return say(id, member.client->deal(*m2, random_).value(), round);
    if (const auto* m4 = std::get_if<wire::ShareForward>(&decoded->message))
      return say(id, member.client->check_shares(*m4).value(), round);
    if (const auto* m4u = std::get_if<wire::Fix>(&decoded->message)) return begin_upload(id, *m4u);
    if (const auto* request = std::get_if<wire::BlobRequest>(&decoded->message))
      return serve(id, *request, round);
    if (const auto* m6 = std::get_if<wire::Survivors>(&decoded->message)) {
      note_all_received();
      return say(id, member.client->endorse(*m6)->message, round);
    }
    if (const auto* m8 = std::get_if<wire::UnmaskRequest>(&decoded->message))
      return say(id, *member.client->unmask(*m8), round);
    if (std::holds_alternative<wire::RoundResult>(decoded->message)) {
      times_.result = wall_seconds();
      member.client.reset();
      ++results_;
    }
  }

  void agree(std::uint32_t id, const wire::JobOffer& offer) {
    run_ = offer.run;
    wire::JobReply reply{.run = offer.run,
                         .job_hash = job_.hash,
                         .id = MemberId{id},
                         .answer = wire::JobAnswer::kAccept};
    secagg::sign_job_reply(enrolled_.member(id).signing, reply);
    say(id, reply, {});
  }

  void join(std::uint32_t id, const wire::Offer& m0) {
    Member& member = members_[id - 1];
    if (member.client || results_ > 0) return;
    header_ = m0.header;
    upload_bytes_ = secagg::upload_bytes(m0.header.lanes);
    member.client.emplace(m0.header, secagg::Cohort(cohort_), MemberId{id},
                          enrolled_.member(id).signing, secagg::PresharedKeys{},
                          enrolled_.roster().coordinator_signing_key, random_);
    say(id, member.client->advertise(), m0.header.round);
  }

  void begin_upload(std::uint32_t id, const wire::Fix& m4u) {
    secagg::Client& client = *members_[id - 1].client;
    SOTTO_CHECK(client.accept_u2(m4u).ok(), "M4U");
    waiting_.emplace_back(id, client.mask_job());
    make_next();
  }

  void make_next() {
    if (maker_.joinable() || waiting_.empty()) return;
    auto [id, job] = std::move(waiting_.front());
    waiting_.pop_front();
    maker_ = std::thread([this, id = id, job = std::move(job)]() mutable {
      const Bytes32 hash_y = make_upload(id, std::move(job));
      boost::asio::post(loop_, [this, id, hash_y] {
        maker_.join();
        made(id, hash_y);
        make_next();
      });
    });
  }

  [[nodiscard]] std::filesystem::path file_of(std::uint32_t id) const {
    return enrolled_.folder() / ("upload-" + std::to_string(id));
  }

  /// On the maker's thread.
  Bytes32 make_upload(std::uint32_t id, secagg::MaskJob job) {
    const double before = megabytes_of(::getpid(), "VmRSS");
    take_peak();
    auto clipped = clip(FlatUpdate(std::vector<float>(enrolled_.settings().values, 1e-4F)), 1e9);
    auto encoded = encoding::encode(
        encoding_, header_.lanes, job.h, std::move(clipped).value(),
        {.weight = 1, .metrics = std::vector<std::uint64_t>(encoding_.metrics.size(), 1)},
        maker_random_);
    const auto masked = std::move(job).run(std::move(encoded).value(), 1);
    making_peak_mb_ = std::max(making_peak_mb_, take_peak() - before);
    SOTTO_CHECK(storage::write_file_atomically(file_of(id), {masked.packed()},
                                               storage::FileAccess::kOwnerOnly)
                    .ok(),
                "room for an upload");
    return masked.hash_y();
  }

  /// Uploads begin together, when all of them are there.
  void made(std::uint32_t id, const Bytes32& hash_y) {
    members_[id - 1].upload.emplace(storage::MappedFile::open(file_of(id)).value());
    members_[id - 1].hash_y = hash_y;
    if (++made_ < members_.size()) return;
    times_.coordinator_cpu_s = cpu_seconds_of_process(coordinator_);
    times_.members_cpu_s = cpu_seconds();
    for (std::uint32_t i = 1; i <= members_.size(); ++i)
      say(i, members_[i - 1].client->upload_header(members_[i - 1].hash_y), header_.round);
  }

  void serve(std::uint32_t id, const wire::BlobRequest& request, RoundNumber round) {
    Member& member = members_[id - 1];
    if (!member.upload || request.blob != member.hash_y)
      return say(id, wire::absent(request), round);
    if (times_.first_request == 0) times_.first_request = wall_seconds();
    say(id, wire::answer(request, member.upload->bytes()).value(), round);
  }

  void note_all_received() {
    if (times_.all_received > 0) return;
    times_.all_received = wall_seconds();
    times_.coordinator_cpu_s = cpu_seconds_of_process(coordinator_) - times_.coordinator_cpu_s;
    times_.members_cpu_s = cpu_seconds() - times_.members_cpu_s;
  }

  const Enrolled& enrolled_;
  config::JobConfig job_;
  encoding::EncodingSpec encoding_;
  boost::asio::io_context loop_;
  boost::asio::steady_timer timer_;
  crypto::OsRandom random_, maker_random_;
  std::vector<secagg::CohortMember> cohort_;
  std::vector<Member> members_;
  std::deque<std::pair<std::uint32_t, secagg::MaskJob>> waiting_;
  std::thread maker_;
  wire::RoundHeader header_;
  RunId run_{};
  pid_t coordinator_ = 0;
  std::uint64_t upload_bytes_ = 0;
  std::size_t made_ = 0, results_ = 0;
  double making_peak_mb_ = 0;
  Times times_;
};

EnrolledSettings settings_of(std::uint64_t values, std::uint64_t members, bool adam) {
  EnrolledSettings out{
      .members = static_cast<std::uint32_t>(members),
      .endpoint = "tcp://127.0.0.1:47412",
      .values = values,
      .overrides = {"rounds.num_server_rounds=1", "rounds.phase_timeout_s=600",
                    "rounds.training_timeout_s=3600",
                    "rounds.min_available_participants=" + std::to_string(members)}};
  if (adam) out.overrides.insert(out.overrides.end(), {"server_optimizer.type=fedadam"});
  return out;
}

void report_floor(const Report& report) {
  const Bytes blob(kFloorBytes, 7);
  double cpu = 0;
  const double seconds = median_of(3, [&] {
    double wall = 0;
    cpu = cpu_seconds_of([&] { wall = net::pull_seconds(blob); });
    return wall;
  });
  const auto bytes = static_cast<double>(kFloorBytes);
  report.add({"transport alone", "throughput", bytes / 1e6 / seconds, "MB/s"});
  report.add({"transport alone", "CPU, both ends", cpu / (bytes / 1e9), "s/GB"});
}

int measure(const Report& report, const EnrolledSettings& settings) {
  const Enrolled enrolled(settings);
  const pid_t coordinator = enrolled.start_coordinator();
  Members members(enrolled);
  const bool done = members.play(coordinator);
  const double peak = megabytes_of(coordinator, "VmHWM");
  end_process(coordinator);
  if (!done) {
    std::fprintf(stderr, "the round did not end:\n%s\n", enrolled.log().c_str());
    return 1;
  }
  const Members::Times& times = members.times();
  const double vector_mb = 4e-6 * static_cast<double>(settings.values);
  const double gigabytes = 1e-9 * members.upload_bytes() * settings.members;
  const std::string name =
      std::to_string(settings.values) + " values, n = " + std::to_string(settings.members);
  report.add({name, "coordinator, most", peak / vector_mb, "vectors"});
  report.add({name, "coordinator, most", peak, "MB"});
  report.add({name, "encode and mask, most", members.making_peak_mb() / vector_mb, "vectors"});
  report.add({name, "an upload", 1e-6 * members.upload_bytes(), "MB"});
  const double seconds = times.all_received - times.first_request;
  report.add({name, "uploads received", 1e3 * gigabytes / seconds, "MB/s"});
  report.add({name, "coordinator CPU", times.coordinator_cpu_s / gigabytes, "s/GB"});
  report.add({name, "members CPU", times.members_cpu_s / gigabytes, "s/GB"});
  report.add({name, "last upload to result", times.result - times.all_received, "s"});
  return 0;
}

}  // namespace
}  // namespace sotto::bench

int main(int argc, char** argv) {
  namespace bench = sotto::bench;
  const std::uint64_t values = bench::take_number(argc, argv, "--values", 25'000'000);
  const std::uint64_t members = bench::take_number(argc, argv, "--members", 4);
  const bool adam = bench::take_number(argc, argv, "--adam", 0) == 1;
  const bench::Report report("big_model", argc, argv);
  const int code = bench::measure(report, bench::settings_of(values, members, adam));
  bench::report_floor(report);
  return code;
}
