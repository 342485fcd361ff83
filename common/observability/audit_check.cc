#include "common/observability/audit_check.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include <nlohmann/json.hpp>

#include "common/config/parse.h"
#include "common/identity/keystore.h"
#include "common/storage/atomic_file.h"

namespace sotto::observability {

namespace {

using Kind = AuditFinding::Kind;
using nlohmann::json;

constexpr std::uint64_t kMaxCheckedBytes = std::uint64_t{1} << 30;
constexpr std::string_view kBeforeSignature = ",\"signature\":\"";
constexpr std::size_t kSignatureHex = 128;

struct Entry {
  std::uint64_t sequence = 0;
  Bytes32 previous{};
  Bytes32 hash{};
};

/// Returns the entry in a line; nothing unless the line is exactly what the key signed.
std::optional<Entry> read_entry(std::string_view line, const crypto::VerifyKey& key) {
  const std::size_t tail = kBeforeSignature.size() + kSignatureHex + 2;
  if (line.size() <= tail || !line.ends_with("\"}")) return std::nullopt;
  const std::string_view body = line.substr(0, line.size() - tail);
  if (line.substr(body.size(), kBeforeSignature.size()) != kBeforeSignature) return std::nullopt;
  const std::string_view hex = line.substr(body.size() + kBeforeSignature.size(), kSignatureHex);
  const auto bytes = from_hex(hex);
  if (!bytes.ok() || to_hex(*bytes) != hex) return std::nullopt;  // only lower-case digits
  crypto::Signature signature{};
  std::ranges::copy(*bytes, signature.begin());
  if (!crypto::verify(key, audit_signed_bytes(body), signature)) return std::nullopt;
  const json parsed = json::parse(std::string(body) + "}", nullptr, false);
  const auto has = [&](const char* field, auto is) {
    return parsed.is_object() && parsed.contains(field) && (parsed[field].*is)();
  };
  if (!has("sequence", &json::is_number_unsigned) || !has("previous", &json::is_string))
    return std::nullopt;
  const auto previous = from_hex(parsed["previous"].get<std::string>());
  Entry entry{.sequence = parsed["sequence"].get<std::uint64_t>(),
              .hash = audit_head(line, 0).hash};
  if (entry.sequence == 0 || !previous.ok() || previous->size() != entry.previous.size())
    return std::nullopt;
  std::ranges::copy(*previous, entry.previous.begin());
  return entry;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
  }
  return lines;
}

std::string entries(std::uint64_t from, std::uint64_t to) {
  return from == to ? "entry " + std::to_string(from)
                    : "entries " + std::to_string(from) + " to " + std::to_string(to);
}

/// Walk is the state of one pass over the lines, with the expected next entry.
struct Walk {
  explicit Walk(const crypto::VerifyKey& key) : previous(audit_start(key).hash) {}

  void find(Kind kind, std::string what) {
    report.findings.push_back({kind, line, std::move(what)});
  }

  void unreadable() {
    find(Kind::kChanged,
         "is not an entry that this key signed: it was changed, or another party wrote it");
    ++unread;
  }

  void read(const Entry& entry, const std::map<std::uint64_t, std::uint64_t>& last_line_of) {
    const std::string self = "entry " + std::to_string(entry.sequence);
    const auto seen = at.find(entry.sequence);
    if (seen != at.end()) {
      if (seen->second.second == entry.hash)
        find(Kind::kRepeated, "repeats " + self + " of line " + std::to_string(seen->second.first));
      else
        find(Kind::kRewritten, "is another " + self + " than line " +
                                   std::to_string(seen->second.first) +
                                   ": the log was cut and continued differently");
      return;
    }
    at[entry.sequence] = {line, entry.hash};
    if (entry.sequence < expected)
      return find(Kind::kMoved, "contains " + self + ", which belongs further up");
    if (entry.sequence > expected + unread) {
      const auto later = last_line_of.find(expected);
      if (later != last_line_of.end() && later->second > line)
        find(Kind::kMoved, "contains " + self + ", but entry " + std::to_string(expected) +
                               " belongs here and is line " + std::to_string(later->second));
      else
        find(Kind::kMissing,
             entries(expected + unread, entry.sequence - 1) + " before this line is missing");
    } else if (entry.sequence == expected && previous != entry.previous) {
      find(Kind::kRewritten, self +
                                 " does not follow the entry before it: one of the two belongs to "
                                 "another history of the log");
    }
    expected = entry.sequence + 1;
    unread = 0;
    previous = entry.hash;
    report.head = {.sequence = entry.sequence, .hash = entry.hash};
  }

  AuditReport report;
  std::uint64_t line = 0;
  std::uint64_t expected = 1;
  Bytes32 previous;          // hash of the line before the expected entry
  std::uint64_t unread = 0;  // unreadable lines since then, each of which may replace an entry
  std::map<std::uint64_t, std::pair<std::uint64_t, Bytes32>> at;  // sequence -> line, hash
};

}  // namespace

std::string_view name(Kind kind) {
  static constexpr std::string_view kNames[] = {"changed",   "missing",    "moved", "repeated",
                                                "rewritten", "incomplete", "cut"};
  return kNames[static_cast<std::size_t>(kind)];
}

AuditReport check_audit_log(BytesView log, const crypto::VerifyKey& key,
                            const std::vector<AuditHead>& shown) {
  const std::string_view text(reinterpret_cast<const char*>(log.data()), log.size());
  std::vector<std::string_view> lines = lines_of(text);
  const bool complete = text.empty() || text.back() == '\n';
  if (!complete) lines.pop_back();
  std::vector<std::optional<Entry>> read;
  std::map<std::uint64_t, std::uint64_t> last_line_of;
  for (const std::string_view line : lines) {
    read.push_back(read_entry(line, key));
    if (read.back()) last_line_of[read.back()->sequence] = read.size();
  }
  Walk walk(key);
  walk.report.head = audit_start(key);
  for (const auto& entry : read) {
    ++walk.line;
    entry ? walk.read(*entry, last_line_of) : walk.unreadable();
  }
  ++walk.line;
  if (!complete)
    walk.find(Kind::kIncomplete,
              "has no line break: the line was being written during a crash, or was cut");
  for (const AuditHead& head : shown) {
    const auto entry = walk.at.find(head.sequence);
    const std::string which = "entry " + std::to_string(head.sequence);
    if (entry == walk.at.end())
      walk.report.findings.push_back(
          {Kind::kCut, 0, which + " was shown to other parties and is not in the log"});
    else if (entry->second.second != head.hash)
      walk.report.findings.push_back(
          {Kind::kRewritten, entry->second.first,
           "differs from the " + which + " that was shown to other parties"});
  }
  walk.report.lines = lines.size() + (complete ? 0 : 1);
  return std::move(walk.report);
}

std::string AuditEntry::field(std::string_view key) const {
  for (const auto& [name, value] : event.fields)
    if (name == key) return value;
  return {};
}

std::vector<AuditEntry> audit_entries(BytesView log) {
  std::vector<AuditEntry> out;
  const std::string_view text(reinterpret_cast<const char*>(log.data()), log.size());
  for (const std::string_view line : lines_of(text.substr(0, text.rfind('\n') + 1))) {
    const auto parsed = nlohmann::ordered_json::parse(line, nullptr, false);
    if (!parsed.is_object() || !parsed.contains("fields") || !parsed["fields"].is_object())
      continue;
    AuditEntry entry{.sequence = parsed.value("sequence", std::uint64_t{0}),
                     .time = parsed.value("time", ""),
                     .event = {.kind = parsed.value("kind", "")}};
    for (const auto& [key, value] : parsed["fields"].items())
      entry.event.fields.emplace_back(key, value.is_string() ? value.get<std::string>() : "");
    out.push_back(std::move(entry));
  }
  return out;
}

std::string to_text(const AuditHead& head) {
  return std::to_string(head.sequence) + ":" + to_hex(head.hash);
}

Result<AuditHead> parse_audit_head(std::string_view text) {
  const std::size_t colon = text.find(':');
  AuditHead head;
  const Error malformed{
      "'" + std::string(text) +
      "' is not a head; a head looks like 17:0123..., as `audit verify` prints it"};
  if (colon == std::string_view::npos) return malformed;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + colon, head.sequence);
  const auto hash = from_hex(text.substr(colon + 1));
  if (failed != std::errc{} || end != text.data() + colon || !hash.ok() ||
      hash->size() != head.hash.size())
    return malformed;
  std::ranges::copy(*hash, head.hash.begin());
  return head;
}

std::string describe(const AuditReport& report, const std::string& file) {
  std::string out;
  for (const AuditFinding& finding : report.findings)
    out += file + (finding.line == 0 ? "" : ":" + std::to_string(finding.line)) + ": " +
           std::string(name(finding.kind)) + ": " + finding.what + "\n";
  return out + file + ": " + std::to_string(report.lines) + " lines, " +
         (report.whole() ? "whole" : std::to_string(report.findings.size()) + " flaws") +
         ", head " + to_text(report.head);
}

std::string to_json(const AuditReport& report, const std::string& file) {
  json findings = json::array();
  for (const AuditFinding& finding : report.findings)
    findings.push_back(
        {{"kind", name(finding.kind)}, {"line", finding.line}, {"what", finding.what}});
  return json{{"file", file},
              {"whole", report.whole()},
              {"lines", report.lines},
              {"head", to_text(report.head)},
              {"findings", std::move(findings)}}
      .dump(-1, ' ', true, json::error_handler_t::replace);
}

std::filesystem::path audit_file(const std::filesystem::path& folder_or_file) {
  return std::filesystem::is_regular_file(folder_or_file) ? folder_or_file
                                                          : folder_or_file / kAuditFile;
}

std::optional<crypto::VerifyKey> audit_beginner(const std::filesystem::path& file,
                                                const std::vector<crypto::VerifyKey>& keys) {
  const auto content = storage::read_file(file, kMaxCheckedBytes);
  if (!content.ok()) return std::nullopt;
  const std::string first(content->begin(), std::ranges::find(*content, '\n'));
  const json line = json::parse(first, nullptr, false);
  if (!line.is_object() || !line.contains("previous")) return std::nullopt;
  for (const crypto::VerifyKey& key : keys)
    if (line["previous"] == to_hex(audit_start(key).hash)) return key;
  return std::nullopt;
}

crypto::VerifyKey audit_key(const AuditParty& party) {
  if (party.federation.empty()) {
    if (!party.member.empty())
      throw StartupError("the log of a member needs --federation, which contains the member's key");
    const identity::Description own =
        identity::describe(party.log.parent_path().empty() ? "." : party.log.parent_path());
    std::vector<crypto::VerifyKey> keys;
    for (const auto* list : {&own.held, &own.retired})
      for (const identity::PublicKeys& k : *list)
        keys.push_back(k.signing_key);
    return audit_beginner(party.log, keys).value_or(own.held.back().signing_key);
  }
  const config::Roster roster = config::load_federation(party.federation).roster;
  if (party.member.empty()) return roster.coordinator_signing_key;
  for (const config::RosterMember& member : roster.members)
    if (member.name == party.member) return member.signing_key;
  throw StartupError(party.federation.string() + " has no member '" + party.member + "'");
}

AuditReport check_audit_file(const std::filesystem::path& log, const crypto::VerifyKey& key,
                             const std::vector<std::string>& shown) {
  const Bytes bytes = storage::read_file(log, kMaxCheckedBytes).or_stop();
  std::vector<AuditHead> heads;
  for (const std::string& text : shown)
    heads.push_back(parse_audit_head(text).or_stop());
  return check_audit_log(bytes, key, heads);
}

}  // namespace sotto::observability
