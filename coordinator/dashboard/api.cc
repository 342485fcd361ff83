#include "coordinator/dashboard/api.h"

#include <charconv>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/crypto/hash.h"
#include "coordinator/dashboard/assets.h"

namespace sotto::coordinator::dashboard {

namespace {

ApiReply error(unsigned status, std::string_view text) {
  return {.status = status, .body = nlohmann::json{{"error", text}}.dump() + "\n"};
}

ApiReply json_reply(std::string body) {
  return {.body = std::move(body) + "\n"};
}

/// "localhost:7300" -> "localhost"; "[::1]:7300" -> "::1".
std::string_view name_in(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

/// Parses a whole number; nullopt unless it is the entire text.
std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (bad != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The number of `key`, the only parameter of the query; 0 without a query, nullopt when it is
/// malformed.
std::optional<std::uint64_t> parameter(std::string_view query, std::string_view key) {
  if (query.empty()) return 0;
  if (!query.starts_with(key)) return std::nullopt;
  query.remove_prefix(key.size());
  return query.starts_with('=') ? number_of(query.substr(1)) : std::nullopt;
}

bool is_command(std::string_view path) {
  return path == "/api/pause" || path == "/api/resume" || path == "/api/stop" ||
         path == "/api/stop-now";
}

bool needs_token(std::string_view path) {
  return path.starts_with("/api/") || path == "/metrics";
}

}  // namespace

Bytes32 hash_of_token(BytesView token) {
  return crypto::hash("dashboard token", {token});
}

Api::Api(const RunView& view, RunCommands commands, AddressRules rules)
    : view_(view), commands_(std::move(commands)), rules_(std::move(rules)) {}

std::optional<ApiReply> Api::refusal(const ApiRequest& request, std::string_view path) const {
  if (request.listener == Listener::kUnixSocket) return std::nullopt;
  if (!rules_.is_our_name(name_in(request.host)))
    return error(421, "this server does not have the requested host name");
  if (!request.origin.empty() && request.origin != rules_.scheme + "://" + request.host)
    return error(403, "the request comes from a page of another site");
  if (!needs_token(path)) return std::nullopt;
  if (!rules_.token_hash) {
    if (!is_command(path)) return std::nullopt;
    return error(
        403,
        "no token was set with --dashboard-token, so that this address only shows the run; use "
        "`sotto-coordinator pause`, `resume` or `stop` on the coordinator's machine");
  }
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view given = request.authorization;
  if (given.starts_with(kScheme) &&
      crypto::constant_time_equal(hash_of_token(view_of(given.substr(kScheme.size()))),
                                  *rules_.token_hash))
    return std::nullopt;
  return error(401, given.empty() ? "the request needs a bearer token" : "the token is wrong");
}

std::optional<ApiReply> Api::read(const ApiRequest& request, std::string_view path) const {
  const std::size_t mark = request.target.find('?');
  const std::string_view query =
      mark == std::string::npos ? "" : std::string_view(request.target).substr(mark + 1);
  if (path == "/api/status") return json_reply(view_.status_json());
  if (path == "/api/members") return json_reply(view_.members_json());
  if (path == "/api/job") return json_reply(view_.job_json());
  if (path == "/metrics")
    return ApiReply{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                    .body = view_.prometheus()};
  if (path == "/api/rounds") {
    const auto from = parameter(query, "from");
    return from ? json_reply(view_.rounds_json(*from)) : error(400, "?from= needs a number");
  }
  if (path == "/api/log" || path == "/api/events") {
    auto after = parameter(query, "after");
    if (path == "/api/events" && !request.last_event_id.empty())
      after = number_of(request.last_event_id);
    if (!after) return error(400, "?after= and Last-Event-ID need the number of an event");
    if (path == "/api/log") return json_reply(view_.events_json(*after));
    return ApiReply{.content_type = "text/event-stream", .events = Cursor{.event = *after}};
  }
  if (const auto asset = find_asset(path))
    return ApiReply{.content_type = asset->content_type, .asset = asset->bytes};
  return std::nullopt;
}

std::optional<ApiReply> Api::command(std::string_view path) {
  if (!is_command(path)) return std::nullopt;
  Status done;
  if (path == "/api/pause") done = commands_.pause();
  if (path == "/api/resume") done = commands_.resume();
  if (path == "/api/stop") commands_.finish_and_stop();
  if (path == "/api/stop-now") commands_.stop_now();
  return done.ok() ? json_reply(view_.status_json()) : error(500, done.error().message);
}

ApiReply Api::answer(const ApiRequest& request) {
  const std::string_view path =
      std::string_view(request.target).substr(0, request.target.find('?'));
  if (auto refused = refusal(request, path)) return *std::move(refused);
  const bool commands = is_command(path);
  if (commands && request.method == "POST") return *command(path);
  if (!commands && request.method == "GET") {
    if (auto found = read(request, path)) return *std::move(found);
    return error(404, "there is nothing at this path; docs/operations.md lists the paths");
  }
  ApiReply reply = error(405, "this path does not support the method");
  reply.allow = commands ? "POST" : "GET";
  return reply;
}

}  // namespace sotto::coordinator::dashboard
