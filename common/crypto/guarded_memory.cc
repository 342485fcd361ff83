#include "common/crypto/guarded_memory.h"

#include <cerrno>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "common/crypto/secret.h"

namespace sotto::crypto {
namespace {

std::size_t page_bytes() {
  return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

Result<GuardedMemory> GuardedMemory::map(std::size_t bytes) {
  const std::size_t page = page_bytes();
  const std::size_t size = (bytes + page - 1) / page * page;
  void* const whole =
      ::mmap(nullptr, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (whole == MAP_FAILED) return Error{"no memory for secrets"};
  auto* const inner = static_cast<std::uint8_t*>(whole) + page;
  if (::mprotect(inner, size, PROT_READ | PROT_WRITE) != 0) {
    ::munmap(whole, size + 2 * page);
    return Error{"no memory for secrets"};
  }
  ::madvise(inner, size, MADV_DONTDUMP);  // initialize_process() turns all dumps off
  const int lock_error = ::mlock(inner, size) == 0 ? 0 : errno;
  return GuardedMemory({inner, size}, lock_error);
}

GuardedMemory::GuardedMemory(GuardedMemory&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})), lock_error_(other.lock_error_) {}

GuardedMemory& GuardedMemory::operator=(GuardedMemory&& other) noexcept {
  if (this != &other) {
    unmap();
    bytes_ = std::exchange(other.bytes_, {});
    lock_error_ = other.lock_error_;
  }
  return *this;
}

GuardedMemory::~GuardedMemory() {
  unmap();
}

void GuardedMemory::unmap() {
  if (bytes_.empty()) return;
  wipe(bytes_);
  ::munmap(bytes_.data() - page_bytes(), bytes_.size() + 2 * page_bytes());
}

}  // namespace sotto::crypto
