// SecureRecordStore holds records in use. They are opened only through a capability, into locked
// and guarded memory; each opening is counted, and the plaintext is wiped after use.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/crypto/secret.h"
#include "participant/data/record.h"

namespace sotto::data {

/// The purpose for which a record is opened.
enum class Purpose : std::uint8_t { kTrain, kEvaluate, kCheck };

inline constexpr std::size_t kPurposes = 3;
/// Returns "train", "evaluate" or "check".
std::string_view name_of(Purpose purpose);

/// The number of times that records were opened, by Purpose, including those that were still in the
/// cache.
using OpenCounts = std::array<std::uint64_t, kPurposes>;

struct StoreOptions {
  /// The size of the locked memory for all open and cached records. open() returns an Error where
  /// the memory cannot be locked, because records must not be swapped to disk.
  std::size_t memory_bytes = std::size_t{2} << 20;
  /// How long after its decryption a record that nobody holds may stay in that memory. 0: it is
  /// wiped at once.
  Duration time_to_live{0};
  TimePoint (*clock)() = nullptr;  // required
};

class SecureRecordStore;
struct Slot;  // of a store

/// A Capability is the right to open a store's records on one thread for one purpose. It cannot be
/// copied; it opens nothing on another thread or after it was moved from. When the last capability
/// of a store is destroyed, everything in the store's cache is wiped.
class Capability {
 public:
  Capability(Capability&& other) noexcept;
  Capability& operator=(Capability&&) = delete;
  Capability(const Capability&) = delete;
  Capability& operator=(const Capability&) = delete;
  ~Capability();

 private:
  friend class SecureRecordStore;

  Capability(SecureRecordStore& store, Purpose purpose, std::uint64_t thread)
      : store_(&store), purpose_(purpose), thread_(thread) {}

  SecureRecordStore* store_;
  Purpose purpose_;
  std::uint64_t thread_;
};

/// OpenedRecord holds one decrypted record. On destruction the record is wiped or left to the
/// cache.
class OpenedRecord {
 public:
  OpenedRecord(OpenedRecord&& other) noexcept;
  OpenedRecord& operator=(OpenedRecord&& other) noexcept;
  OpenedRecord(const OpenedRecord&) = delete;
  OpenedRecord& operator=(const OpenedRecord&) = delete;
  ~OpenedRecord();

  /// Returns a view into guarded memory, which is to be read and not kept.
  [[nodiscard]] BytesView bytes() const { return bytes_; }

 private:
  friend class SecureRecordStore;

  OpenedRecord(SecureRecordStore& store, Slot* slot, BytesView bytes)
      : store_(&store), slot_(slot), bytes_(bytes) {}

  void release();

  SecureRecordStore* store_;
  Slot* slot_;
  BytesView bytes_;
};

/// Any thread may use it. It must outlive its capabilities and opened records (SOTTO_CHECK).
class SecureRecordStore {
 public:
  /// Opens a store. Returns the errors of RecordFile::open(), and an Error for a record that is
  /// longer than memory_bytes and for memory that cannot be locked.
  static Result<std::unique_ptr<SecureRecordStore>> open(const std::filesystem::path& file,
                                                         const crypto::Secret32& site_key,
                                                         StoreOptions options);
  ~SecureRecordStore();
  SecureRecordStore(const SecureRecordStore&) = delete;
  SecureRecordStore& operator=(const SecureRecordStore&) = delete;

  [[nodiscard]] Kind kind() const;
  [[nodiscard]] std::size_t count() const;
  [[nodiscard]] const Bytes32& id() const;
  /// Returns the size of the file.
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] const std::string& name() const;

  /// Makes a capability for the calling thread.
  [[nodiscard]] Capability grant(Purpose purpose);

  /// Opens a record; index < count(). Returns an Error and opens nothing with a capability of
  /// another store or thread or one that was moved from, for a record that was changed, and when
  /// the open records leave no room.
  Result<OpenedRecord> open_record(const Capability& capability, std::size_t index);

  /// Counts the use of data derived from a record that is sealed and opened elsewhere. It counts as
  /// open_record() does and returns the same errors for the capability.
  Status count_use(const Capability& capability);

  [[nodiscard]] OpenCounts counts() const;

  /// Returns the number of decrypted records in memory now, open or cached.
  [[nodiscard]] std::size_t in_memory() const;

 private:
  friend class Capability;
  friend class OpenedRecord;
  struct State;
  explicit SecureRecordStore(std::unique_ptr<State> state);

  [[nodiscard]] Status permits(const Capability& capability) const;
  void give_back_capability();
  void give_back_record(Slot* slot);

  std::unique_ptr<State> state_;
};

}  // namespace sotto::data
