// The server's two doors over real sockets: every path, refusals, garbage, clients that are slow.
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "coordinator/dashboard/control_client.h"
#include "tests/coordinator/dashboard/running.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator::dashboard {
namespace {

TEST(DashboardServer, ServesEveryPathAtBothListeners) {
  const TemporaryDirectory folder;
  Running run(folder.path());
  for (const char* path :
       {"/api/status", "/api/members", "/api/rounds", "/api/log", "/api/job", "/metrics", "/",
        "/dashboard.js", "/dashboard.css", "/chart.js", "/icon.svg"}) {
    const std::string answer = run.get(path, kBearer);
    EXPECT_EQ(status_of(answer), "200") << path;
    EXPECT_NE(answer.find("Content-Security-Policy: default-src 'none'"), std::string::npos)
        << path;
    EXPECT_NE(answer.find("X-Content-Type-Options: nosniff"), std::string::npos) << path;
    const auto inside = ask_coordinator(folder.path(), "GET", path);
    ASSERT_TRUE(inside.ok()) << inside.error().message;
    EXPECT_EQ(answer.substr(answer.find("\r\n\r\n") + 4), **inside)
        << "one API, two doors: " << path;
  }
  EXPECT_NE(run.get("/").find("<title>Sotto</title>"), std::string::npos);
  EXPECT_NE(run.get("/chart.js").find("Chart"), std::string::npos);
}

TEST(DashboardServer, TheSocketIsItsOwnersAloneAndGoesWithTheServer) {
  const TemporaryDirectory folder;
  {
    Running run(folder.path());

    struct stat status {};

    ASSERT_EQ(::stat((folder / "control.sock").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "control.sock"));
  const auto answer = ask_coordinator(folder.path(), "GET", "/api/status");
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(answer->has_value()) << "nobody is there";
}

TEST(DashboardServer, ADeadProcessesSocketIsReplacedAndDeepFoldersWork) {
  const TemporaryDirectory root;
  const std::filesystem::path folder = root.path() / std::string(60, 'a') / std::string(60, 'b');
  std::filesystem::create_directories(folder);
  for (int i = 0; i < 2; ++i) {
    std::ofstream(folder / "control.sock") << "left behind";
    Running run(folder);
    const auto answer = ask_coordinator(folder, "POST", "/api/pause");
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_TRUE(answer->has_value());
    EXPECT_EQ(run.asked, 1);
  }
}

TEST(DashboardServer, RefusesUnauthenticatedRequestsAtTheAddress) {
  const TemporaryDirectory folder;
  Running run(folder.path());
  EXPECT_EQ(status_of(run.get("/api/status")), "401");
  EXPECT_EQ(status_of(run.get("/metrics", "Authorization: Bearer wrong\r\n")), "401");
  EXPECT_EQ(status_of(run.get("/api/events")), "401");
  EXPECT_EQ(status_of(run.get("/", "Host: evil.example\r\n")), "400") << "two names";
  EXPECT_EQ(status_of(run.get("/api/status", kBearer + "Origin: http://evil.example\r\n")), "403");
  Client rebound = Client::to_port(run.port);
  rebound.send("GET /api/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n" + kBearer +
               "\r\n");
  EXPECT_EQ(status_of(rebound.read_to_end().value_or("")), "421");
  Client nameless = Client::to_port(run.port);
  nameless.send("POST /api/stop-now HTTP/1.0\r\n" + kBearer + "\r\n");
  EXPECT_EQ(status_of(nameless.read_to_end().value_or("")), "421");
  EXPECT_EQ(run.asked, 0);
}

TEST(DashboardServer, GarbageIsRefusedAndTheServerGoesOn) {
  const TemporaryDirectory folder;
  Running run(folder.path());
  const std::string host = "Host: 127.0.0.1\r\n";
  const std::pair<std::string, std::string> cases[] = {
      {"hello\r\n\r\n", "400"},
      {"GET\r\n\r\n", "400"},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), "400"},
      {"GET / HTTP/9.9\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n" + host + "X: " + std::string(9000, 'x') + "\r\n\r\n", "431"},
      {"POST /api/pause HTTP/1.1\r\n" + host + "Content-Length: 99999999\r\n\r\n", "413"},
      {"POST /api/pause HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
       "400"},
      {"DELETE /api/status HTTP/1.1\r\n" + kBearer + host + "\r\n", "405"},
      {"GET /%2e%2e/etc/passwd HTTP/1.1\r\n" + host + "\r\n", "404"},
      {"GET http://127.0.0.1/ HTTP/1.1\r\n" + host + "\r\n", "404"},
  };
  for (const auto& [request, status] : cases) {
    Client client = Client::to_port(run.port);
    client.send(request);
    EXPECT_EQ(status_of(client.read_until("\r\n\r\n")), status) << request.substr(0, 60);
  }
  EXPECT_EQ(status_of(run.get("/api/status", kBearer)), "200");
  EXPECT_EQ(run.asked, 0);
}

TEST(DashboardServer, AConnectionServesSeveralRequests) {
  const TemporaryDirectory folder;
  Running run(folder.path());
  Client client = Client::to_port(run.port);
  for (int i = 0; i < 3; ++i) {
    client.send("GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(status_of(client.read_until("</svg>")), "200") << i;
  }
}

TEST(DashboardServer, StreamsEventsAsTheyHappen) {
  const TemporaryDirectory folder;
  Running run(folder.path());
  Client client = Client::to_port(run.port);
  client.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n" + kBearer + "\r\n");
  EXPECT_NE(client.read_until("event: status").find("text/event-stream"), std::string::npos);
  run.on_loop([&] {
    run.view.on_event(LogLine{Severity::kInfo, "a member left"}, 5);
    run.view.on_status(some_status(2), 5);
    run.server->on_status(some_status(2), 5);
  });
  const std::string part = client.read_until("\"server_round\":2");
  EXPECT_NE(part.find("a member left"), std::string::npos) << part;
}

TEST(DashboardServer, AStreamShowsASignOfLifeAndTooManyAreRefused) {
  const TemporaryDirectory folder;
  Running run(folder.path(), {.streams = 2, .heartbeat = milliseconds(50)});
  std::vector<Client> streams;
  for (int i = 0; i < 2; ++i) {
    streams.push_back(Client::to_port(run.port));
    streams.back().send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n" + kBearer + "\r\n");
    EXPECT_NE(streams.back().read_until("\n\n: \n\n").find("\n: \n"), std::string::npos);
  }
  EXPECT_EQ(status_of(run.get("/api/events", kBearer)), "503");
  streams.clear();
  for (int i = 0; i < 100 && status_of(run.get("/api/status", kBearer)) == "200"; ++i) {
    Client again = Client::to_port(run.port);
    again.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n" + kBearer + "\r\n");
    if (status_of(again.read_until("\r\n\r\n")) == "200") return;
    std::this_thread::sleep_for(milliseconds(50));
  }
  FAIL() << "closed streams still count";
}

TEST(DashboardServer, ARequestThatTricklesInIsCutOff) {
  const TemporaryDirectory folder;
  Running run(folder.path(), {.request = milliseconds(400)});
  Client slow = Client::to_port(run.port);
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 40 && slow.send("X"); ++i)
    std::this_thread::sleep_for(milliseconds(50));
  EXPECT_TRUE(slow.read_to_end(milliseconds(1000)).has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - begun, milliseconds(3500))
      << "each byte bought more time";
}

TEST(DashboardServer, ClientsThatOnlyWaitKeepNobodyOut) {
  const TemporaryDirectory folder;
  Running run(folder.path(), {.connections = 8, .request = milliseconds(60000)});
  std::vector<Client> idle;
  for (int i = 0; i < 30; ++i) {
    idle.push_back(Client::to_port(run.port));
    idle.back().send("GET / HTTP/1.1\r\n");
  }
  EXPECT_EQ(status_of(run.get("/api/status", kBearer)), "200");
  EXPECT_TRUE(ask_coordinator(folder.path(), "GET", "/api/status").ok());
  EXPECT_TRUE(idle.front().read_to_end().has_value()) << "the oldest made room";
}

TEST(DashboardServer, AReaderThatDoesNotReadLosesItsStream) {
  const TemporaryDirectory folder;
  Running run(folder.path(), {.streams = 1, .write = milliseconds(300)});
  Client stuck = Client::to_port(run.port);
  stuck.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n" + kBearer + "\r\n");
  ASSERT_EQ(status_of(stuck.read_until("\r\n\r\n")), "200");
  for (int i = 0; i < 200; ++i) {
    run.on_loop([&] {
      for (int k = 0; k < 1000; ++k)
        run.view.on_event(LogLine{Severity::kInfo, std::string(500, 'n')}, 5);
      run.server->on_status(some_status(2), 5);
    });
    Client next = Client::to_port(run.port);
    next.send("GET /api/events?after=99999999999 HTTP/1.1\r\nHost: localhost\r\n" + kBearer +
              "\r\n");
    if (status_of(next.read_until("\r\n\r\n")) == "200") return;  // the place is free again
    std::this_thread::sleep_for(milliseconds(20));
  }
  FAIL() << "the stream is still there";
}

/// What `python3 -c` says to `script`, whose arguments are the port and a certificate to believe.
std::string python(const std::string& script, std::uint16_t port, const std::string& certificate) {
  const std::string command =
      "python3 -W ignore -c '" + script + "' " + std::to_string(port) + " " + certificate + " 2>&1";
  FILE* out = popen(command.c_str(), "r");
  char text[400];
  const std::size_t size = fread(text, 1, sizeof(text), out);
  pclose(out);
  return {text, size};
}

TEST(DashboardServer, SpeaksTlsWithItsCertificateAndNothingElse) {
  const TemporaryDirectory folder;
  const std::string key = folder / "key.pem", certificate = folder / "cert.pem",
                    token = folder / "token";
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "
      "/CN=x "
      "-addext subjectAltName=IP:127.0.0.1 -keyout " +
      key + " -out " + certificate + " 2>/dev/null && umask 077 && echo " + kToken + " >" + token;
  ASSERT_EQ(std::system(command.c_str()), 0);
  Running run(folder.path(), {},
              *open_address({.address = "127.0.0.1:0",
                             .token_file = token,
                             .certificate_file = certificate,
                             .key_file = key}));
  EXPECT_TRUE(run.server->url().starts_with("https://"));
  const std::string ask = R"(
import http.client, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
def ask(host, path, **more):
    link = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context, timeout=5)
    link.request("GET", path, headers={"Host": host, "Authorization": "Bearer " + "t" * 40, **more})
    return link.getresponse().status
print(ask("127.0.0.1", "/api/status"), ask("localhost", "/api/status"), ask("127.0.0.1", "/", Origin="http://127.0.0.1"),
      ask("127.0.0.1", "/api/status", Authorization="Bearer x")))";
  EXPECT_EQ(python(ask, run.port, certificate), "200 421 403 401\n");
  const std::string old = R"(
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
context.set_ciphers("ALL:@SECLEVEL=0")
try:
    context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5))
    print("taken")
except (ssl.SSLError, OSError):
    print("refused"))";
  EXPECT_EQ(python(old, run.port, certificate), "refused\n");
  EXPECT_EQ(run.get("/api/status", kBearer).find("HTTP/"), std::string::npos) << "without TLS";
}

TEST(DashboardServer, AnAddressThatIsTakenIsAnErrorAndLeavesNoSocketBehind) {
  const TemporaryDirectory first, second;
  Running run(first.path());
  boost::asio::io_context loop;
  const RunView view({.job = "{}"});
  try {
    const DashboardServer server(
        loop, view, {},
        {.folder = second.path(),
         .address =
             AddressListener{.ip = "127.0.0.1", .port = run.port, .token_hash = {}, .tls = {}}});
    FAIL() << "two servers at one address";
  } catch (const StartupError& e) {
    EXPECT_NE(std::string(e.what()).find(std::to_string(run.port)), std::string::npos) << e.what();
  }
  EXPECT_FALSE(std::filesystem::exists(second / "control.sock"));
}

}  // namespace
}  // namespace sotto::coordinator::dashboard
