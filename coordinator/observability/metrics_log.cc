#include "coordinator/observability/metrics_log.h"

#include <fstream>

#include <fcntl.h>
#include <nlohmann/json.hpp>

#include "common/base/result.h"
#include "common/storage/atomic_file.h"
#include "common/storage/storage.h"

namespace sotto::coordinator {

void MetricsLog::open(const std::filesystem::path& file, std::uint64_t finished_rounds) {
  std::string kept;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const auto record = nlohmann::json::parse(line, nullptr, false);
    if (!record.is_object()) continue;
    if (record.value("status", "") == "done" &&
        record.value("server_round", std::uint64_t{0}) > finished_rounds)
      continue;
    kept += line + "\n";
  }
  in.close();
  storage::write_text(file, kept).or_stop();
  out_ = storage::FileDescriptor(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  end_ = kept.size();
  if (!out_.is_open()) throw StartupError("cannot write " + file.string());
  file_ = file;
}

void MetricsLog::append(const RoundRecord& record) {
  const std::string line = to_json(record) + "\n";
  // A round that is in the checkpoint but not in this file would be missing permanently.
  if (!storage::write_all_at(out_, view_of(line), end_).ok() ||
      storage::storage().sync_data(out_.get()) != 0)
    throw StartupError("cannot write " + file_.string() + ": the disk is full or damaged");
  end_ += line.size();
}

}  // namespace sotto::coordinator
