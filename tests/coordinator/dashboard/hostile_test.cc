// Whatever comes to the server's doors: requests as browsers, scrapers and our own commands make
// them, bent by a seed. Nothing of it may crash the server, fill its memory or its connections,
// give an order, or keep an honest client waiting.
#include <deque>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "common/crypto/secure_random.h"
#include "tests/coordinator/dashboard/running.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator::dashboard {
namespace {

constexpr std::uint64_t kSeeds = 20;
constexpr int kRequestsASeed = 60;
constexpr std::size_t kHeldOpen = 300;  // far more than the door has places

/// Orders come without a token here, so that none of them may ever be carried out.
const std::string kRecorded[] = {
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html\r\n"
    "Accept-Encoding: gzip, deflate\r\nSec-Fetch-Site: none\r\nConnection: keep-alive\r\n\r\n",
    "GET /api/status HTTP/1.1\r\nHost: localhost\r\n" + kBearer + "Accept: */*\r\n\r\n",
    "GET /api/rounds?from=3 HTTP/1.1\r\nHost: localhost\r\n" + kBearer + "\r\n",
    "GET /api/events?after=7 HTTP/1.1\r\nHost: localhost\r\n" + kBearer +
        "Accept: text/event-stream\r\nLast-Event-ID: 5\r\n\r\n",
    "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Prometheus/2.45\r\n" + kBearer +
        "Accept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n\r\n",
    "POST /api/pause HTTP/1.1\r\nHost: run\r\nContent-Length: 2\r\n\r\n{}",
    "POST /api/stop-now HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
    "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
};

/// One request, bent a few times.
class Bender {
 public:
  explicit Bender(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

  std::string next() {
    std::string request = kRecorded[below(std::size(kRecorded))];
    for (std::uint64_t times = 1 + below(4); times > 0 && !request.empty(); --times)
      bend(request);
    return request;
  }

 private:
  void bend(std::string& text) {
    const std::size_t at = below(text.size());
    const std::size_t length = 1 + below(40);
    switch (below(8)) {
      case 0:
        text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, text.substr(at, length));
        break;
      case 3:
        text.resize(at);
        break;
      case 4:
        text.insert(at, std::string(below(20'000), static_cast<char>(below(256))));
        break;
      case 5:
        text.insert(at, "\r\n");
        break;
      case 6:
        text.insert(at, std::to_string(~std::uint64_t{0}));
        break;
      default:
        text += text;
    }
  }

  crypto::StreamRandom random_;
};

std::size_t open_files() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

double resident_mib() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t total = 0, resident = 0;
  in >> total >> resident;
  return static_cast<double>(resident) * 4096 / (1 << 20);
}

TEST(DashboardServer, BentRequestsNeitherStopNorFillNorCommandIt) {
  const TemporaryDirectory folder;
  Running run(folder.path());
  ASSERT_EQ(status_of(run.get("/api/status", kBearer)), "200");
  const std::size_t files = open_files();
  const double memory = resident_mib();
  std::deque<Client> held;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Bender bender(seed);
    for (int i = 0; i < kRequestsASeed; ++i) {
      held.push_back(Client::to_port(run.port));
      held.back().send(bender.next());
      // Some hear their answer, some go at once, most stay and say nothing more.
      const std::uint64_t manner = bender.below(8);
      if (manner == 0) (void)held.back().read_until("\r\n\r\n", milliseconds(5));
      if (manner == 1 || held.size() > kHeldOpen) held.pop_front();
    }
    ASSERT_EQ(status_of(run.get("/api/status", kBearer)), "200") << "an honest client is served";
    // A place is given on while its connection closes, so there may be some more for a moment.
    const std::size_t most = files + held.size() + DashboardLimits{}.connections;
    for (int wait = 0; wait < 100 && open_files() > most; ++wait)
      std::this_thread::sleep_for(milliseconds(20));
    ASSERT_LE(open_files(), most);
  }
  EXPECT_EQ(run.asked, 0) << "an order without a token";
  EXPECT_LT(resident_mib() - memory, 32);
  held.clear();
  for (int i = 0; i < 100 && open_files() > files; ++i)
    std::this_thread::sleep_for(milliseconds(20));
  EXPECT_LE(open_files(), files) << "no connection outlives its client";
}

}  // namespace
}  // namespace sotto::coordinator::dashboard
