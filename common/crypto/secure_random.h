// The one source of unpredictable bytes. The core takes it as an argument, so that a simulation is
// reproducible; programs pass OsRandom.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

namespace sotto::crypto {

class SecureRandom {
 public:
  virtual ~SecureRandom() = default;
  /// Fills with uniform, unpredictable bytes. Cannot fail: the process aborts if the system cannot.
  virtual void fill(std::span<std::uint8_t> out) = 0;
};

/// The operating system's generator through libsodium. Stateless, thread-safe.
class OsRandom final : public SecureRandom {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

/// Expands one 32-byte seed (ChaCha20). Fast, for bulk noise and sampling; in production seeded
/// from OsRandom, in simulations and tests from a number. The stream does not depend on how it is
/// cut into calls; what was handed out is wiped. One thread.
class StreamRandom final : public SecureRandom {
 public:
  explicit StreamRandom(SecureRandom& seed_source);
  explicit StreamRandom(std::uint64_t test_seed);
  ~StreamRandom() override;
  StreamRandom(const StreamRandom&) = delete;
  StreamRandom& operator=(const StreamRandom&) = delete;
  void fill(std::span<std::uint8_t> out) override;

  /// Uniform 64 bits; uniform in [0, bound) without bias (bound > 0); uniform in [0, 1) with 53
  /// bits.
  std::uint64_t next_u64();
  std::uint64_t below(std::uint64_t bound);
  double unit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sotto::crypto
