#include "coordinator/observability/tensorboard_log.h"

#include <array>
#include <bit>
#include <cstdio>
#include <system_error>

#include "common/base/result.h"

namespace sotto::coordinator {

namespace {

constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  constexpr std::uint32_t kReflected = 0x82f63b78;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    table[i] = i;
    for (int bit = 0; bit < 8; ++bit)
      table[i] = (table[i] >> 1) ^ ((table[i] & 1) != 0 ? kReflected : 0);
  }
  return table;
}();

/// Records store a rotated CRC with an offset, because a CRC over data that contains CRCs is weak.
std::uint32_t masked(std::uint32_t crc) {
  return std::rotr(crc, 15) + 0xa282ead8U;
}

template <class Unsigned>
std::string little_endian(Unsigned value) {
  std::string out;
  for (std::size_t i = 0; i < sizeof(value); ++i)
    out += static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  return out;
}

// The encoding of protocol buffers: a key consists of the field's number and its wire type.
std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7)
    out += static_cast<char>(static_cast<unsigned char>(value | 0x80));
  return out + static_cast<char>(value);
}

std::string number_field(std::uint64_t field, std::uint64_t value) {
  return varint(field << 3) + varint(value);
}

std::string double_field(std::uint64_t field, double value) {
  return varint(field << 3 | 1) + little_endian(std::bit_cast<std::uint64_t>(value));
}

std::string bytes_field(std::uint64_t field, std::string_view value) {
  return varint(field << 3 | 2) + varint(value.size()) + std::string(value);
}

std::string float_field(std::uint64_t field, float value) {
  return varint(field << 3 | 5) + little_endian(std::bit_cast<std::uint32_t>(value));
}

// Event: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7.
std::string event(std::uint64_t unix_s, std::uint64_t step) {
  return double_field(1, static_cast<double>(unix_s)) + number_field(2, step);
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffff;
  for (char c : bytes)
    crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

void TensorboardLog::on_event(const RunEvent& event, std::uint64_t unix_s) {
  if (const auto* started = std::get_if<RunStarted>(&event)) open(*started, unix_s);
  if (const auto* ended = std::get_if<RoundEnded>(&event)) append(ended->record, unix_s);
}

void TensorboardLog::open(const RunStarted& started, std::uint64_t unix_s) {
  const std::filesystem::path folder = started.folder / "tensorboard";
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  // TensorBoard reads the files of a folder in the order of their names.
  char name[48];
  std::snprintf(name, sizeof(name), "events.out.tfevents.%010llu.sotto",
                static_cast<unsigned long long>(unix_s));
  out_.open(folder / name, std::ios::binary | std::ios::app);
  if (failed || !out_) throw StartupError("cannot write " + (folder / name).string());
  write_record(event(unix_s, 0) + bytes_field(3, "brain.Event:2"));
  constexpr std::uint64_t kStart = 1;  // SessionLog.SessionStatus.START
  write_record(event(unix_s, started.finished_rounds + 1) +
               bytes_field(7, number_field(1, kStart)));
}

void TensorboardLog::append(const RoundRecord& r, std::uint64_t unix_s) {
  std::vector<Scalar> scalars = {{"round/lost", is_done(r) ? 0 : 1},
                                 {"round/participants", r.survivors},
                                 {"round/upload_bytes", static_cast<double>(r.upload_bytes)}};
  for (const auto& [phase, spent] : r.phase_s)
    scalars.emplace_back("seconds/" + phase, spent);
  if (r.epsilon) scalars.emplace_back("privacy/epsilon", *r.epsilon);
  if (r.participant_epsilon)
    scalars.emplace_back("privacy/participant_epsilon", *r.participant_epsilon);
  write_scalars(r.server_round, unix_s, scalars);
  if (!r.evaluation) return;
  scalars.clear();
  for (const tasks::Figure& figure : r.evaluation->figures)
    scalars.emplace_back("evaluation/" + std::string(figure.kind.name), figure.value);
  write_scalars(r.evaluated_round, unix_s, scalars);
}

void TensorboardLog::write_scalars(std::uint64_t step, std::uint64_t unix_s,
                                   const std::vector<Scalar>& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars)
    summary += bytes_field(1, bytes_field(1, tag) + float_field(2, static_cast<float>(value)));
  write_record(event(unix_s, step) + bytes_field(5, summary));
}

void TensorboardLog::write_record(std::string_view event) {
  const std::string length = little_endian(std::uint64_t{event.size()});
  out_ << length << little_endian(masked(crc32c(length))) << event
       << little_endian(masked(crc32c(event))) << std::flush;
}

}  // namespace sotto::coordinator
