#include "common/crypto/secret.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <vector>

#include <sodium.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "common/crypto/guarded_memory.h"

namespace sotto::crypto {
namespace {

// Cells have 32 bytes to 16 KiB, in powers of two: for a key, a key schedule, a keystream buffer.
constexpr std::size_t kSmallestCell = 32;
constexpr std::size_t kLargestCell = std::size_t{16} << 10;
constexpr std::size_t kClasses =
    std::bit_width(kLargestCell) - std::bit_width(kSmallestCell) + std::size_t{1};
// Slabs double up to the second size: a participant stays within the usual 8 MiB of RLIMIT_MEMLOCK,
// and a simulation with millions of secrets stays within the kernel's 65,530 mappings (a page and
// two guards for each secret would run out after some 16,000).
constexpr std::size_t kFirstSlab = std::size_t{64} << 10;
constexpr std::size_t kLargestSlab = std::size_t{1} << 20;

std::size_t class_of(std::size_t size) {
  return std::bit_width(std::bit_ceil(std::max(size, kSmallestCell))) -
         std::bit_width(kSmallestCell);
}

constexpr std::size_t cell_bytes(std::size_t size_class) {
  return kSmallestCell << size_class;
}

/// Arena allocates slabs of locked memory between guard pages and divides them into cells. Free
/// cells are zero. The lists of free cells are stored outside of the slabs, so that a stray write
/// into a cell cannot change them.
class Arena {
 public:
  Arena() { SOTTO_CHECK(sodium_init() >= 0, "libsodium cannot start"); }

  std::uint8_t* take(std::size_t size) {
    SOTTO_CHECK(size > 0 && size <= kLargestCell, "a secret is 1 byte to 16 KiB");
    const std::lock_guard<std::mutex> lock(mutex_);
    auto& free = free_[class_of(size)];
    if (free.empty()) grow(class_of(size));
    std::uint8_t* cell = free.back();
    free.pop_back();
    return cell;
  }

  void give_back(std::uint8_t* cell, std::size_t size) noexcept {
    sodium_memzero(cell, size);
    const std::lock_guard<std::mutex> lock(mutex_);
    free_[class_of(size)].push_back(cell);  // grow() has reserved the capacity
  }

 private:
  void grow(std::size_t size_class) {
    const std::size_t bytes =
        std::min(kFirstSlab << std::min<std::size_t>(memory_.size(), 8), kLargestSlab);
    std::uint8_t* slab = map_slab(bytes);
    const std::size_t cells = bytes / cell_bytes(size_class);
    capacity_[size_class] += cells;
    auto& free = free_[size_class];
    free.reserve(capacity_[size_class]);
    for (std::size_t i = cells; i-- > 0;)
      free.push_back(slab + i * cell_bytes(size_class));
  }

  std::uint8_t* map_slab(std::size_t bytes) {
    Result<GuardedMemory> slab = GuardedMemory::map(bytes);
    SOTTO_CHECK(slab.ok(), "no memory for secrets");
    if (!slab->is_locked() && !warned_) {
      warned_ = true;
      std::fprintf(stderr,
                   "warning: not all secrets are locked against swapping (mlock: %s); raise the "
                   "limit on locked memory (ulimit -l)\n",
                   std::strerror(slab->lock_error()));
    }
    memory_.push_back(std::move(slab).value());
    return memory_.back().bytes().data();
  }

  std::mutex mutex_;  // secrets are created on the loop thread and on the pool
  std::array<std::vector<std::uint8_t*>, kClasses> free_;
  std::array<std::size_t, kClasses> capacity_{};
  std::vector<GuardedMemory> memory_;  // the slabs
  bool warned_ = false;
};

/// The arena is never destroyed, because static objects may hold secrets until the process ends.
Arena& arena() {
  static Arena* const instance = new Arena;
  return *instance;
}

bool cpu_has_aes() {
#if defined(__x86_64__) || defined(__i386__)
  return sodium_runtime_has_aesni() == 1;
#elif defined(__aarch64__)
  return (::getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
  return false;
#endif
}

}  // namespace

SecretCell::SecretCell(std::size_t size) : data_(arena().take(size)), size_(size) {}

SecretCell::~SecretCell() {
  if (data_ != nullptr) arena().give_back(data_, size_);
}

SecretCell::SecretCell(SecretCell&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretCell& SecretCell::operator=(SecretCell&& other) noexcept {
  if (this != &other) {
    if (data_ != nullptr) arena().give_back(data_, size_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

bool constant_time_equal(BytesView a, BytesView b) {
  return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

void wipe(std::span<std::uint8_t> bytes) {
  if (!bytes.empty()) sodium_memzero(bytes.data(), bytes.size());
}

void require_aes(bool cpu_has_aes) {
  if (!cpu_has_aes)
    throw StartupError(
        "this CPU has no AES instructions; without them the masks would be made by table look-ups, "
        "whose timing gives keys away");
}

void initialize_process() {
  if (sodium_init() < 0) throw StartupError("libsodium cannot start: no source of random bytes");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    throw StartupError("cannot turn core dumps and debugger attachment off (prctl)");
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0)
    throw StartupError("cannot set the limit on core dumps to 0 (setrlimit)");
  require_aes(cpu_has_aes());
}

}  // namespace sotto::crypto
