// Records in use: opened only through a capability, into locked and guarded memory, counted, wiped.
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

namespace sotto::records {

/// Why a record is opened.
enum class Purpose : std::uint8_t { kTrain, kEvaluate, kCheck };

inline constexpr std::size_t kPurposes = 3;
/// "train", "evaluate", "check".
std::string_view name_of(Purpose purpose);

/// How often records were opened, by Purpose; also those that the cache still had.
using OpenCounts = std::array<std::uint64_t, kPurposes>;

struct StoreOptions {
  /// Locked memory for all that is open or cached. An Error at open() where it cannot be locked:
  /// what can be swapped is not opened.
  std::size_t memory_bytes = std::size_t{2} << 20;
  /// How long after it was decrypted a record that nobody holds may stay in that memory. 0: it is
  /// wiped at once.
  Duration time_to_live{0};
  TimePoint (*clock)() = nullptr;  // needed
};

class SecureRecordStore;
struct Slot;  // of a store

/// The right to open a store's records: of one thread, for one purpose. Cannot be copied; on
/// another thread, or moved away, it opens nothing. When a store's last one goes, all that it
/// cached is wiped.
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

/// One decrypted record, until this goes. Then it is wiped, or left to the cache.
class OpenedRecord {
 public:
  OpenedRecord(OpenedRecord&& other) noexcept;
  OpenedRecord& operator=(OpenedRecord&& other) noexcept;
  OpenedRecord(const OpenedRecord&) = delete;
  OpenedRecord& operator=(const OpenedRecord&) = delete;
  ~OpenedRecord();

  /// In guarded memory: a view, to be read and not to be kept.
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

/// Any thread. Outlives its capabilities and opened records (SOTTO_CHECK).
class SecureRecordStore {
 public:
  /// What can fail: the file (as RecordFile::open says), a record that is longer than memory_bytes,
  /// memory that cannot be locked.
  static Result<std::unique_ptr<SecureRecordStore>> open(const std::filesystem::path& file,
                                                         const crypto::Secret32& site_key,
                                                         StoreOptions options);
  ~SecureRecordStore();
  SecureRecordStore(const SecureRecordStore&) = delete;
  SecureRecordStore& operator=(const SecureRecordStore&) = delete;

  [[nodiscard]] Kind kind() const;
  [[nodiscard]] std::size_t count() const;
  [[nodiscard]] const Bytes32& id() const;
  /// Of the file.
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] const std::string& name() const;

  /// For the calling thread.
  [[nodiscard]] Capability grant(Purpose purpose);

  /// An Error, and nothing opened: a capability of another store or thread, or moved away; a record
  /// that was changed; no room beside what is open. index < count().
  Result<OpenedRecord> open_record(const Capability& capability, std::size_t index);

  /// What was made of a record is sealed elsewhere and opened there: counts like opening it, and is
  /// refused like it.
  Status count_use(const Capability& capability);

  [[nodiscard]] OpenCounts counts() const;

  /// Decrypted records in memory now, open or cached.
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

}  // namespace sotto::records
