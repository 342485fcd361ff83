// An App is started before it is handed anything, also where a peer was faster than the process.
#include "common/net/asio_host.h"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "tests/common/net/net_fixture.h"

namespace sotto::net {
namespace {

/// Records the order in which it is called, and ends at the first frame.
class RecordingApp final : public App {
 public:
  explicit RecordingApp(AsioHost& host) : host_(host) {}

  void start() override { calls.emplace_back("start"); }

  void on_frame(MemberId, BytesView) override {
    calls.emplace_back("frame");
    host_.finish(0);
  }

  void on_wake() override {}

  void on_stop_requested() override {}

  std::vector<std::string> calls;

 private:
  AsioHost& host_;
};

TEST(AsioHost, AnAppIsStartedBeforeAFrameThatWaitsForIt) {
  const Federation federation(1);
  std::string endpoint;
  {
    boost::asio::io_context loop;
    const auto probe = listen(loop, federation.listening(), {});
    endpoint = bound_endpoint(*probe);
  }
  AsioHost host(1, [](const std::string&) {});
  RecordingApp app(host);
  host.listen(federation.listening(endpoint), app);
  boost::asio::io_context loop;
  Seen seen;
  const auto member = connect(loop, federation.joining(1, endpoint), seen.handlers());
  ASSERT_TRUE(run_until(loop, [&] { return seen.connected > 0; }));
  ASSERT_EQ(member->send(kCoordinatorId, bytes_of("waiting")), SendOutcome::kSent);
  run_for(loop, 300);  // the frame lies in the coordinator's socket
  EXPECT_EQ(host.run(), 0);
  EXPECT_EQ(app.calls, (std::vector<std::string>{"start", "frame"}));
}

}  // namespace
}  // namespace sotto::net
