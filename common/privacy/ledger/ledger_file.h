// The ledger's SQLite file: opening it, reading it while another process writes, its schema and its
// older versions. Only ledger.cc uses it, on one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sotto::privacy {

struct CloseDatabase {
  void operator()(sqlite3* database) const;
};

using Database = std::unique_ptr<sqlite3, CloseDatabase>;

/// Opens the file for writing. Creates it where there is none and upgrades an older version to the
/// newest. A commit is durable before it returns. The caller excludes a second writer.
Result<Database> open_ledger_file(const std::filesystem::path& file);

/// Returns a copy of the present contents of the file in memory, upgraded to the newest version.
/// The file is not changed and its writer is not disturbed. Without a file the result is empty.
Result<Database> copy_of_ledger_file(const std::filesystem::path& file);

Status execute(sqlite3* database, const char* sql);

/// Statement is one prepared statement: the caller binds values in order, then steps, then reads
/// columns.
class Statement {
 public:
  static Result<Statement> prepare(sqlite3* database, const char* sql);

  Statement& bind(const std::string& text);
  Statement& bind(const Bytes32& bytes);
  Statement& bind(std::uint64_t number);
  Statement& bind(double number);

  /// Binds null where there is no value.
  template <class T>
  Statement& bind(const std::optional<T>& value) {
    return value ? bind(*value) : bind_null();
  }

  Statement& bind_null();

  /// Returns true when there is a row and false at the end.
  Result<bool> step();
  /// Runs a statement without rows.
  Status run();

  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string text(int column) const;
  /// Returns zeros where the column does not hold 32 bytes.
  [[nodiscard]] Bytes32 bytes32(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };

  explicit Statement(sqlite3_stmt* raw) : raw_(raw) {}

  Statement& bound(int code);

  std::unique_ptr<sqlite3_stmt, Finalize> raw_;
  int at_ = 0;
  bool bind_failed_ = false;
};

}  // namespace sotto::privacy
