// Api implements the coordinator's HTTP interface for both listeners: it decides who may send a
// request, and answers it. It uses no socket; the server (server.h) reads and writes. One thread.
//
// GET  /                the dashboard, with /dashboard.css, /dashboard.js, /chart.js, /icon.svg
// GET  /api/status      RunView::status_json()      GET /api/members   members_json()
// GET  /api/rounds      rounds_json(?from=N)        GET /api/log       events_json(?after=ID)
// GET  /api/job         the job as it was signed    GET /metrics       prometheus()
// GET  /api/events      Server-sent events: round, note, status; ?after=ID or Last-Event-ID
// POST /api/pause /api/resume /api/stop /api/stop-now
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "coordinator/dashboard/run_view.h"

namespace sotto::coordinator::dashboard {

/// The listener of a request: a socket in the run's folder that only its owner can open, or an
/// address that others may reach.
enum class Listener { kUnixSocket, kTcp };

/// The requests of an operator to a run. Each returns at once.
struct RunCommands {
  std::function<Status()> pause;
  std::function<Status()> resume;
  std::function<void()> finish_and_stop;
  std::function<void()> stop_now;
};

/// The rules for requests through the address. Requests through the socket in the folder need none
/// of them.
struct AddressRules {
  /// "http" or "https". With the request's Host it makes the permitted Origin.
  std::string scheme = "http";
  /// Returns true when a name, without its port, belongs to this server. This prevents DNS
  /// rebinding.
  std::function<bool(std::string_view)> is_our_name;
  /// The hash of the token that every request to /api and /metrics must carry. Without a token,
  /// only reading is permitted.
  std::optional<Bytes32> token_hash;
};

Bytes32 hash_of_token(BytesView token);

struct ApiRequest {
  Listener listener{};
  std::string method;
  std::string target;
  std::string host;
  std::string origin;         // empty: none
  std::string authorization;  // empty: none
  std::string last_event_id;  // empty: none
};

struct ApiReply {
  unsigned status = 200;
  std::string_view content_type = "application/json";
  std::string body{};
  std::string_view asset{};  // used instead of `body`: bytes that live as long as the program
  std::string_view allow{};  // the header Allow, with status 405
  /// When set, the connection continues as a stream of events from this cursor.
  std::optional<Cursor> events{};
};

class Api {
 public:
  /// `view` outlives it.
  Api(const RunView& view, RunCommands commands, AddressRules rules);

  [[nodiscard]] ApiReply answer(const ApiRequest& request);

 private:
  [[nodiscard]] std::optional<ApiReply> refusal(const ApiRequest& request,
                                                std::string_view path) const;
  [[nodiscard]] std::optional<ApiReply> read(const ApiRequest& request,
                                             std::string_view path) const;
  [[nodiscard]] std::optional<ApiReply> command(std::string_view path);

  const RunView& view_;
  RunCommands commands_;
  AddressRules rules_;
};

}  // namespace sotto::coordinator::dashboard
