// Any bytes as a model file (first byte 0) or as the index of its shards (1): they may be refused,
// never crash or reach outside; what is taken lies in the input, in order and without holes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "common/model/safetensors.h"
#include "common/model/weight_files.h"

namespace {

using sotto::BytesView;

void true_or_abort(bool holds) {
  if (!holds) std::abort();
}

void read_file(BytesView bytes) {
  const auto tensors = sotto::parse_safetensors(bytes);
  if (!tensors.ok()) return;
  // The data ends with the file, so from the end its parts lie one before the other.
  std::size_t data = 0;
  for (const sotto::TensorView& t : *tensors)
    data += t.data.size();
  const std::uint8_t* next = bytes.data() + bytes.size() - data;
  for (const sotto::TensorView& t : *tensors) {
    true_or_abort(t.data.empty() || t.data.data() == next);
    next += t.data.size();
    const auto count = sotto::element_count(t.shape);
    true_or_abort(count.has_value());
    const auto values = sotto::floats_of(t);
    true_or_abort(!values.ok() || values->size() == *count);
  }
}

void read_index(BytesView bytes) {
  const auto files = sotto::parse_shard_index(bytes);
  if (!files.ok()) return;
  for (const auto& [tensor, file] : *files)
    true_or_abort(file.find('/') == std::string::npos && file != "..");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const BytesView rest(data + 1, size - 1);
  if (data[0] == 0) read_file(rest);
  if (data[0] == 1) read_index(rest);
  return 0;
}
