#include "participant/data/secure_record_store.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "common/base/check.h"
#include "common/crypto/guarded_memory.h"
#include "common/crypto/secret.h"
#include "participant/data/record_file.h"

namespace sotto::data {
namespace {

/// Returns a number that differs for all threads, including those that have ended. The operating
/// system's numbers are reused.
std::uint64_t this_thread() {
  static std::atomic<std::uint64_t> next = 1;
  thread_local const std::uint64_t number = next++;
  return number;
}

constexpr std::size_t kGranule = 64;

std::size_t rounded(std::size_t size) {
  return (size + kGranule - 1) / kGranule * kGranule;
}

/// GuardedSlots allocates pieces of one guarded memory region. A region with a page and two guard
/// pages for each record would need a system call and a mapping for each. One thread at a time may
/// use it. Memory that is not allocated is zero.
class GuardedSlots {
 public:
  explicit GuardedSlots(crypto::GuardedMemory memory);

  /// Allocates a piece; size > 0. Returns nothing where no free piece is large enough.
  std::optional<std::span<std::uint8_t>> take(std::size_t size);
  /// Wipes and frees a piece that take() returned.
  void give_back(std::span<std::uint8_t> slot);

 private:
  crypto::GuardedMemory memory_;
  std::map<std::size_t, std::size_t> free_;  // offset to size, both multiples of a granule
};

GuardedSlots::GuardedSlots(crypto::GuardedMemory memory) : memory_(std::move(memory)) {
  free_[0] = memory_.bytes().size();
}

std::optional<std::span<std::uint8_t>> GuardedSlots::take(std::size_t size) {
  SOTTO_CHECK(size > 0, "a slot has a size");
  const std::size_t needed = rounded(size);
  const auto found =
      std::ranges::find_if(free_, [needed](const auto& run) { return run.second >= needed; });
  if (found == free_.end()) return std::nullopt;
  const auto [offset, room] = *found;
  free_.erase(found);
  if (room > needed) free_[offset + needed] = room - needed;
  return memory_.bytes().subspan(offset, size);
}

void GuardedSlots::give_back(std::span<std::uint8_t> slot) {
  crypto::wipe(slot);
  const auto offset = static_cast<std::size_t>(slot.data() - memory_.bytes().data());
  auto run = free_.emplace(offset, rounded(slot.size())).first;
  if (const auto next = std::next(run);
      next != free_.end() && run->first + run->second == next->first) {
    run->second += next->second;
    free_.erase(next);
  }
  if (run == free_.begin()) return;
  if (const auto before = std::prev(run); before->first + before->second == run->first) {
    before->second += run->second;
    free_.erase(run);
  }
}

}  // namespace

std::string_view name_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::kTrain:
      return "train";
    case Purpose::kEvaluate:
      return "evaluate";
    case Purpose::kCheck:
      return "check";
  }
  SOTTO_CHECK(false, "a purpose without a name");
}

/// A decrypted record. The store's mutex protects it, except for the bytes, which do not change.
struct Slot {
  std::size_t index = 0;
  std::span<std::uint8_t> bytes;
  TimePoint wiped_at{};  // the time from which on it is not handed out again
  std::uint32_t holders = 0;
  bool is_cached = false;
  std::list<Slot>::iterator place{};
};

struct SecureRecordStore::State {
  State(RecordFile f, GuardedSlots m, StoreOptions o)
      : file(std::move(f)), options(o), memory(std::move(m)) {}

  Slot* cached(std::size_t index);
  std::optional<std::span<std::uint8_t>> take(std::size_t size);
  Slot& insert(std::size_t index, std::span<std::uint8_t> bytes, TimePoint now);
  void drop(Slot& slot);
  void uncache(Slot& slot);
  void wipe_unheld_until(TimePoint now);

  const RecordFile file;
  const StoreOptions options;
  mutable std::mutex mutex;  // protects the members below, which loaders on several threads share
  GuardedSlots memory;
  std::list<Slot> slots;  // in the order of decryption, which is also the order of wiping
  std::unordered_map<std::size_t, Slot*> cache;
  OpenCounts counts{};
  std::size_t capabilities = 0;
};

Slot* SecureRecordStore::State::cached(std::size_t index) {
  const auto found = cache.find(index);
  return found == cache.end() ? nullptr : found->second;
}

/// Wipes the records that have been in the cache for the longest time until there is room.
std::optional<std::span<std::uint8_t>> SecureRecordStore::State::take(std::size_t size) {
  auto room = memory.take(size);
  for (auto at = slots.begin(); !room && at != slots.end();) {
    Slot& slot = *at++;
    if (slot.holders > 0) continue;
    drop(slot);
    room = memory.take(size);
  }
  return room;
}

Slot& SecureRecordStore::State::insert(std::size_t index, std::span<std::uint8_t> bytes,
                                       TimePoint now) {
  Slot& slot = slots.emplace_back();
  slot.place = std::prev(slots.end());
  slot.index = index;
  slot.bytes = bytes;
  slot.wiped_at = now + options.time_to_live;
  // Two threads may have decrypted the same record; only one of the copies is cached.
  slot.is_cached = options.time_to_live > Duration{0} && cache.emplace(index, &slot).second;
  return slot;
}

void SecureRecordStore::State::uncache(Slot& slot) {
  if (slot.is_cached) cache.erase(slot.index);
  slot.is_cached = false;
}

void SecureRecordStore::State::drop(Slot& slot) {
  uncache(slot);
  memory.give_back(slot.bytes);
  slots.erase(slot.place);
}

/// Records in use are removed from the cache, so that they are wiped with their holder.
void SecureRecordStore::State::wipe_unheld_until(TimePoint now) {
  for (auto at = slots.begin(); at != slots.end() && at->wiped_at <= now;) {
    Slot& slot = *at++;
    if (slot.holders == 0)
      drop(slot);
    else
      uncache(slot);
  }
}

Result<std::unique_ptr<SecureRecordStore>> SecureRecordStore::open(
    const std::filesystem::path& file, const crypto::Secret32& site_key, StoreOptions options) {
  SOTTO_CHECK(options.clock != nullptr, "a record store needs a clock");
  SOTTO_ASSIGN_OR_RETURN(RecordFile opened, RecordFile::open(file, site_key));
  for (std::size_t i = 0; i < opened.count(); ++i)
    if (opened.size_of(i) > options.memory_bytes)
      return Error{file.string() + ": record " + std::to_string(i + 1) + " has " +
                   std::to_string(opened.size_of(i)) +
                   " bytes, which is more than the memory for opened records"};
  SOTTO_ASSIGN_OR_RETURN(crypto::GuardedMemory memory,
                         crypto::GuardedMemory::map(options.memory_bytes));
  if (!memory.is_locked())
    return Error{file.string() + ": " + std::to_string(options.memory_bytes >> 10U) +
                 " KiB for opened records cannot be locked against swapping (" +
                 std::strerror(memory.lock_error()) +
                 "); raise the limit on locked memory (ulimit -l)"};
  return std::unique_ptr<SecureRecordStore>(new SecureRecordStore(
      std::make_unique<State>(std::move(opened), GuardedSlots(std::move(memory)), options)));
}

SecureRecordStore::SecureRecordStore(std::unique_ptr<State> state) : state_(std::move(state)) {}

SecureRecordStore::~SecureRecordStore() {
  SOTTO_CHECK(state_->capabilities == 0 && state_->slots.empty(),
              "a record store goes before what it handed out");
}

Kind SecureRecordStore::kind() const {
  return state_->file.kind();
}

std::size_t SecureRecordStore::count() const {
  return state_->file.count();
}

const Bytes32& SecureRecordStore::id() const {
  return state_->file.id();
}

std::uint64_t SecureRecordStore::bytes() const {
  return state_->file.bytes();
}

const std::string& SecureRecordStore::name() const {
  return state_->file.name();
}

Capability SecureRecordStore::grant(Purpose purpose) {
  const std::lock_guard lock(state_->mutex);
  ++state_->capabilities;
  return {*this, purpose, this_thread()};
}

Result<OpenedRecord> SecureRecordStore::open_record(const Capability& capability,
                                                    std::size_t index) {
  State& s = *state_;
  const auto refused = [&](std::string_view why) {
    return Error{s.file.name() + ": record " + std::to_string(index + 1) +
                 " stays sealed: " + std::string(why)};
  };
  if (const Status permitted = permits(capability); !permitted)
    return refused(permitted.error().message);
  SOTTO_CHECK(index < count(), "a record that the store does not have");
  std::optional<std::span<std::uint8_t>> room;
  {
    const std::lock_guard lock(s.mutex);
    s.wipe_unheld_until(s.options.clock());
    if (Slot* slot = s.cached(index)) {
      ++slot->holders;
      ++s.counts[static_cast<std::size_t>(capability.purpose_)];
      return OpenedRecord(*this, slot, slot->bytes);
    }
    room = s.take(s.file.size_of(index));
  }
  if (!room) return refused("all memory for opened records is in use");
  const Status read = s.file.read(index, *room);  // the expensive part, without the lock
  const std::lock_guard lock(s.mutex);
  if (!read) {
    s.memory.give_back(*room);
    return read.error();
  }
  Slot& slot = s.insert(index, *room, s.options.clock());
  ++slot.holders;
  ++s.counts[static_cast<std::size_t>(capability.purpose_)];
  return OpenedRecord(*this, &slot, slot.bytes);
}

Status SecureRecordStore::permits(const Capability& capability) const {
  if (capability.store_ != this) return Error{"the capability belongs to another store"};
  if (capability.thread_ != this_thread()) return Error{"the capability belongs to another thread"};
  return {};
}

Status SecureRecordStore::count_use(const Capability& capability) {
  if (const Status permitted = permits(capability); !permitted)
    return Error{state_->file.name() + ": stays sealed: " + permitted.error().message};
  const std::lock_guard lock(state_->mutex);
  ++state_->counts[static_cast<std::size_t>(capability.purpose_)];
  return {};
}

OpenCounts SecureRecordStore::counts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

std::size_t SecureRecordStore::in_memory() const {
  const std::lock_guard lock(state_->mutex);
  return state_->slots.size();
}

void SecureRecordStore::give_back_capability() {
  const std::lock_guard lock(state_->mutex);
  if (--state_->capabilities == 0) state_->wipe_unheld_until(TimePoint::max());
}

void SecureRecordStore::give_back_record(Slot* slot) {
  const std::lock_guard lock(state_->mutex);
  --slot->holders;
  if (slot->holders == 0 && (!slot->is_cached || state_->capabilities == 0)) state_->drop(*slot);
  state_->wipe_unheld_until(state_->options.clock());
}

Capability::Capability(Capability&& other) noexcept
    : store_(std::exchange(other.store_, nullptr)),
      purpose_(other.purpose_),
      thread_(other.thread_) {}

Capability::~Capability() {
  if (store_ != nullptr) store_->give_back_capability();
}

OpenedRecord::OpenedRecord(OpenedRecord&& other) noexcept
    : store_(std::exchange(other.store_, nullptr)),
      slot_(std::exchange(other.slot_, nullptr)),
      bytes_(std::exchange(other.bytes_, {})) {}

OpenedRecord& OpenedRecord::operator=(OpenedRecord&& other) noexcept {
  if (this != &other) {
    release();
    store_ = std::exchange(other.store_, nullptr);
    slot_ = std::exchange(other.slot_, nullptr);
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

OpenedRecord::~OpenedRecord() {
  release();
}

void OpenedRecord::release() {
  if (store_ != nullptr) std::exchange(store_, nullptr)->give_back_record(slot_);
}

}  // namespace sotto::data
