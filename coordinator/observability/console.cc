#include "coordinator/observability/console.h"

#include <algorithm>
#include <cstdio>

namespace sotto::coordinator {

void Console::on_status(const RunStatus& status, std::uint64_t /*unix_s*/) {
  last_ = status;
  if (!rewrites()) return;
  std::fprintf(stderr, "\r\033[K%s%s", console_line(status).c_str(),
               is_final(status.state) ? "\n" : "");
  std::fflush(stderr);
}

void Console::on_event(const RunEvent& event, std::uint64_t /*unix_s*/) {
  if (const LogLine line = describe(event); !line.text.empty())
    print_line((line.severity == Severity::kWarning ? "warning: " : "") + line.text);
  if (const auto* ended = std::get_if<RoundEnded>(&event)) print_round(ended->record);
}

void Console::print_line(const std::string& text) const {
  std::fprintf(stderr, "%s%s\n", rewrites() ? "\r\033[K" : "", text.c_str());
}

void Console::print_round(const RoundRecord& record) {
  if (options_.json) {
    std::printf("%s\n", to_json(record).c_str());
    std::fflush(stdout);
    return;
  }
  if (!is_done(record)) return;
  if (rewrites()) {
    if (record.closing_evaluation && record.evaluation && record.evaluation->entities)
      print_line(entity_table(*record.evaluation->entities));
    return;
  }
  RoundRecord shown = record;
  if (options_.elapsed_s) {
    shown.wall_s = options_.elapsed_s();
    const auto done = static_cast<double>(record.server_round);
    const double left = static_cast<double>(last_.num_server_rounds) + 1 - done;
    last_.eta_s = shown.wall_s / done * std::max(left, 0.0);
  }
  print_line(round_line(shown, last_));
}

}  // namespace sotto::coordinator
