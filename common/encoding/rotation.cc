#include "common/encoding/rotation.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "common/base/check.h"
#include "common/crypto/hash.h"
#include "common/crypto/mask_stream.h"

namespace sotto::encoding {

namespace {

constexpr std::size_t kBlock = kRotationBlock;
constexpr std::size_t kInCache = std::size_t{1} << 12;  // floats: half of a 32 KiB cache
constexpr std::size_t kVector = 16;                     // floats that one step of a loop processes
constexpr std::size_t kSignBytes = 4096;                // bytes of the stream at a time

/// Computes the stages of distance 1 to kVector / 2, inside runs of kVector values.
void transform_runs(std::span<float> x) {
  for (std::size_t at = 0; at < x.size(); at += kVector) {
    float* const run = x.data() + at;
    for (std::size_t distance = 1; distance < kVector; distance *= 2)
      for (std::size_t i = 0; i < kVector; ++i) {
        if ((i & distance) != 0) continue;
        const float a = run[i];
        const float b = run[i + distance];
        run[i] = a + b;
        run[i + distance] = a - b;
      }
  }
}

/// Computes the stages of distances d and 2 d (a multiple of kVector) in one pass over memory.
void transform_two_stages(std::span<float> x, std::size_t distance) {
  for (std::size_t group = 0; group < x.size(); group += 4 * distance) {
    for (std::size_t i = group; i < group + distance; i += kVector) {
      float* const p0 = x.data() + i;
      float* const p1 = p0 + distance;
      float* const p2 = p1 + distance;
      float* const p3 = p2 + distance;
      for (std::size_t j = 0; j < kVector; ++j) {
        const float a = p0[j] + p1[j];
        const float b = p0[j] - p1[j];
        const float c = p2[j] + p3[j];
        const float d = p2[j] - p3[j];
        p0[j] = a + c;
        p1[j] = b + d;
        p2[j] = a - c;
        p3[j] = b - d;
      }
    }
  }
}

void transform_stage(std::span<float> x, std::size_t distance) {
  for (std::size_t group = 0; group < x.size(); group += 2 * distance)
    for (std::size_t i = group; i < group + distance; ++i) {
      const float a = x[i];
      const float b = x[i + distance];
      x[i] = a + b;
      x[i + distance] = a - b;
    }
}

/// Computes the stages from distance `from` on; x.size() is a power of two.
void transform_stages(std::span<float> x, std::size_t from) {
  std::size_t distance = from;
  for (; 4 * distance <= x.size(); distance *= 4)
    transform_two_stages(x, distance);
  if (distance < x.size()) transform_stage(x, distance);
}

/// The Walsh-Hadamard transform in place, not scaled. It computes all stages inside pieces of the
/// cache's size first, then the stages of larger distance.
void transform(std::span<float> x) {
  if (x.size() < kVector) {
    for (std::size_t distance = 1; distance < x.size(); distance *= 2)
      transform_stage(x, distance);
    return;
  }
  const std::size_t piece = std::min(kInCache, x.size());
  for (std::size_t at = 0; at < x.size(); at += piece) {
    transform_runs(x.subspan(at, piece));
    transform_stages(x.subspan(at, piece), kVector);
  }
  if (piece < x.size()) transform_stages(x, piece);
}

/// Multiplies x[j] by -scale where bit j of the stream is set, and by scale elsewhere. `first` is
/// the index of x in the whole vector, a multiple of kBlock.
void apply_signs(std::span<float> x, std::uint64_t first, const crypto::Secret32& key,
                 float scale) {
  constexpr std::size_t kSigns = 8 * kSignBytes;
  std::vector<std::uint8_t> stream(kSignBytes);
  for (std::size_t at = 0; at < x.size(); at += kSigns) {
    const std::span<float> part = x.subspan(at, std::min(kSigns, x.size() - at));
    crypto::keystream(key, 0, (first + at) / 8 / 16,
                      std::span(stream).first((part.size() + 7) / 8));
    for (std::size_t j = 0; j < part.size(); ++j)
      part[j] *= ((unsigned{stream[j / 8]} >> (j % 8)) & 1U) != 0 ? -scale : scale;
  }
}

float orthonormal_scale(std::size_t length) {
  return static_cast<float>(1 / std::sqrt(static_cast<double>(length)));
}

crypto::Secret32 sign_key(const Bytes32& header_hash) {
  return crypto::kdf("SA1 rot", crypto::Secret32::copy_of(header_hash), {});  // h is no secret
}

}  // namespace

std::uint64_t rotated_length(std::uint64_t values) {
  SOTTO_CHECK(values >= 1, "a rotation of nothing");
  const std::uint64_t whole = values / kBlock * kBlock;
  return whole == values ? whole : whole + std::bit_ceil(values - whole);
}

std::vector<float> rotate(std::span<const float> values, const Bytes32& header_hash) {
  std::vector<float> out(rotated_length(values.size()));
  std::ranges::copy(values, out.begin());
  const crypto::Secret32 key = sign_key(header_hash);
  for (std::size_t at = 0; at < out.size(); at += kBlock) {
    const auto block = std::span(out).subspan(at, std::min(kBlock, out.size() - at));
    apply_signs(block, at, key, orthonormal_scale(block.size()));
    transform(block);
  }
  return out;
}

void rotate_block_back(std::span<float> block, std::uint64_t first, const Bytes32& header_hash) {
  SOTTO_CHECK(first % kBlock == 0 && block.size() <= kBlock, "a block of the rotation");
  transform(block);
  apply_signs(block, first, sign_key(header_hash), orthonormal_scale(block.size()));
}

}  // namespace sotto::encoding
