// Who may ask the coordinator what, through which door.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "coordinator/dashboard/api.h"

namespace sotto::coordinator::dashboard {
namespace {

const std::string kToken(40, 't');

struct Asked {
  int pause = 0, resume = 0, stop = 0, stop_now = 0;
};

class DashboardApi : public testing::Test {
 protected:
  Api with_token(std::optional<Bytes32> hash) {
    return {
        view_,
        {.pause =
             [this] {
               ++asked_.pause;
               return disk_full_ ? Status(Error{"no space"}) : Status();
             },
         .resume =
             [this] {
               ++asked_.resume;
               return Status();
             },
         .finish_and_stop = [this] { ++asked_.stop; },
         .stop_now = [this] { ++asked_.stop_now; }},
        {.is_our_name = [](std::string_view name) { return name == "localhost" || name == "::1"; },
         .token_hash = hash}};
  }

  static ApiRequest get(const std::string& target) {
    return {
        .listener = Listener::kTcp, .method = "GET", .target = target, .host = "localhost:7300"};
  }

  static ApiRequest post(const std::string& target) {
    ApiRequest request = get(target);
    request.method = "POST";
    return request;
  }

  RunView view_{
      {.federation = "f", .job = "{}", .folder = "/r", .version = "v", .started_unix_s = 1}};
  Asked asked_;
  bool disk_full_ = false;
  Api reader_ = with_token(std::nullopt);
  Api guarded_ = with_token(hash_of_token(view_of(kToken)));
};

TEST_F(DashboardApi, TheSocketInTheFolderNeedsNoTokenAndDoesEveryCommand) {
  ApiRequest request{.listener = Listener::kUnixSocket, .method = "POST", .target = "/api/pause"};
  EXPECT_EQ(guarded_.answer(request).status, 200U);
  request.target = "/api/resume";
  EXPECT_EQ(guarded_.answer(request).status, 200U);
  request.target = "/api/stop";
  EXPECT_EQ(guarded_.answer(request).status, 200U);
  request.target = "/api/stop-now";
  EXPECT_EQ(guarded_.answer(request).status, 200U);
  EXPECT_EQ(asked_.pause + asked_.resume + asked_.stop + asked_.stop_now, 4);
  EXPECT_EQ(asked_.stop_now, 1);
}

TEST_F(DashboardApi, WithoutATokenAnAddressOnlyShows) {
  for (const char* path :
       {"/", "/dashboard.js", "/dashboard.css", "/chart.js", "/icon.svg", "/api/status",
        "/api/members", "/api/rounds", "/api/log", "/api/job", "/metrics", "/api/events"})
    EXPECT_EQ(reader_.answer(get(path)).status, 200U) << path;
  for (const char* path : {"/api/pause", "/api/resume", "/api/stop", "/api/stop-now"})
    EXPECT_EQ(reader_.answer(post(path)).status, 403U) << path;
  EXPECT_EQ(asked_.pause + asked_.resume + asked_.stop + asked_.stop_now, 0);
}

TEST_F(DashboardApi, WithATokenEveryFigureAndCommandNeedsIt) {
  for (const char* path : {"/api/status", "/api/members", "/api/rounds", "/api/log", "/api/job",
                           "/metrics", "/api/events", "/api/nothing"}) {
    ApiRequest request = get(path);
    EXPECT_EQ(guarded_.answer(request).status, 401U) << path;
    request.authorization = "Bearer " + kToken;
    EXPECT_NE(guarded_.answer(request).status, 401U) << path;
    request.authorization = "Bearer " + kToken + "t";
    EXPECT_EQ(guarded_.answer(request).status, 401U) << path;
    request.authorization = kToken;
    EXPECT_EQ(guarded_.answer(request).status, 401U) << path;
  }
  ApiRequest pause = post("/api/pause");
  EXPECT_EQ(guarded_.answer(pause).status, 401U);
  EXPECT_EQ(asked_.pause, 0);
  pause.authorization = "Bearer " + kToken;
  EXPECT_EQ(guarded_.answer(pause).status, 200U);
  EXPECT_EQ(asked_.pause, 1);
  EXPECT_EQ(guarded_.answer(get("/")).status, 200U) << "the page itself holds no figure";
}

TEST_F(DashboardApi, ANameThatIsNotOursIsRefusedWhateverIsAsked) {
  for (const char* host :
       {"evil.example", "evil.example:7300", "", "localhost.evil.example", "127.0.0.1.evil"}) {
    for (const char* path : {"/", "/api/status", "/metrics", "/api/events"}) {
      ApiRequest request = get(path);
      request.host = host;
      EXPECT_EQ(reader_.answer(request).status, 421U) << host << path;
    }
  }
  ApiRequest request = get("/api/status");
  request.host = "[::1]:7300";
  EXPECT_EQ(reader_.answer(request).status, 200U);
}

TEST_F(DashboardApi, APageOfAnotherSiteIsRefusedEvenWithTheToken) {
  ApiRequest request = post("/api/stop-now");
  request.authorization = "Bearer " + kToken;
  for (const char* origin :
       {"http://evil.example", "null", "https://localhost:7300", "http://localhost:7301"}) {
    request.origin = origin;
    EXPECT_EQ(guarded_.answer(request).status, 403U) << origin;
  }
  EXPECT_EQ(asked_.stop_now, 0);
  request.origin = "http://localhost:7300";
  EXPECT_EQ(guarded_.answer(request).status, 200U);
}

TEST_F(DashboardApi, CommandsArePostsAndFiguresAreGets) {
  const ApiReply reply =
      guarded_.answer({.listener = Listener::kUnixSocket, .method = "GET", .target = "/api/pause"});
  EXPECT_EQ(reply.status, 405U);
  EXPECT_EQ(reply.allow, "POST");
  EXPECT_EQ(reader_.answer(post("/api/status")).status, 405U);
  EXPECT_EQ(reader_.answer(get("/api/")).status, 404U);
  EXPECT_EQ(reader_.answer(get("/../etc/passwd")).status, 404U);
  EXPECT_EQ(asked_.pause, 0);
}

TEST_F(DashboardApi, ParametersAreWholeNumbersOrRefused) {
  for (const char* target :
       {"/api/rounds?from=-1", "/api/rounds?from=", "/api/rounds?from=1x", "/api/rounds?after=1",
        "/api/rounds?from=99999999999999999999", "/api/log?after=a", "/api/events?after=1&x=2"})
    EXPECT_EQ(reader_.answer(get(target)).status, 400U) << target;
  EXPECT_EQ(reader_.answer(get("/api/rounds?from=0")).status, 200U);
  ApiRequest request = get("/api/events?after=5");
  EXPECT_EQ(reader_.answer(request).events->event, 5U);
  request.last_event_id = "9";
  EXPECT_EQ(reader_.answer(request).events->event, 9U)
      << "a stream that goes on says so in its header";
}

TEST_F(DashboardApi, ACommandThatFailsSaysWhy) {
  disk_full_ = true;
  const ApiReply reply = guarded_.answer(
      {.listener = Listener::kUnixSocket, .method = "POST", .target = "/api/pause"});
  EXPECT_EQ(reply.status, 500U);
  EXPECT_EQ(nlohmann::json::parse(reply.body)["error"], "no space");
}

}  // namespace
}  // namespace sotto::coordinator::dashboard
