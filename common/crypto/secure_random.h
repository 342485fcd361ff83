// SecureRandom is the only source of unpredictable bytes. The core receives it as an argument, so
// that a simulation is reproducible; programs pass OsRandom.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

namespace sotto::crypto {

class SecureRandom {
 public:
  virtual ~SecureRandom() = default;
  /// Fills `out` with uniform, unpredictable bytes. It cannot fail: if the system's generator
  /// fails, the process aborts.
  virtual void fill(std::span<std::uint8_t> out) = 0;
};

/// OsRandom is the operating system's generator through libsodium. Stateless, thread-safe.
class OsRandom final : public SecureRandom {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

/// StreamRandom expands one 32-byte seed (ChaCha20) and is fast enough for bulk noise and sampling.
/// Production code seeds it from OsRandom, simulations and tests from a number. The stream does not
/// depend on how calls divide it; bytes that were returned are wiped. One thread.
class StreamRandom final : public SecureRandom {
 public:
  explicit StreamRandom(SecureRandom& seed_source);
  explicit StreamRandom(std::uint64_t test_seed);
  ~StreamRandom() override;
  StreamRandom(const StreamRandom&) = delete;
  StreamRandom& operator=(const StreamRandom&) = delete;
  void fill(std::span<std::uint8_t> out) override;

  /// These functions return uniform 64 bits, a uniform number in [0, bound) without bias (bound >
  /// 0), and a uniform number in [0, 1) with 53 bits.
  std::uint64_t next_u64();
  std::uint64_t below(std::uint64_t bound);
  double unit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sotto::crypto
