// The ledger's SQLite file: opening it, reading it while another process writes, its schema and its
// older versions. ledger.cc alone uses it. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
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

/// For writing; made where there is none, brought to the newest version where it is older. A commit
/// is durable before it returns. The caller keeps a second writer away.
Result<Database> open_ledger_file(const std::filesystem::path& file);

/// What the file holds at this moment, in memory and in the newest version: the file stays as it
/// is, and who writes it is not disturbed. Empty where there is no file.
Result<Database> copy_of_ledger_file(const std::filesystem::path& file);

Status execute(sqlite3* database, const char* sql);

/// One prepared statement: bind in order, then step, then read columns.
class Statement {
 public:
  static Result<Statement> prepare(sqlite3* database, const char* sql);

  Statement& bind(const std::string& text);
  Statement& bind(const Bytes32& bytes);
  Statement& bind(std::uint64_t number);
  Statement& bind(double number);
  Statement& bind_null();

  /// True when there is a row, false at the end.
  Result<bool> step();

  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string text(int column) const;
  /// Zeros where the column does not hold 32 bytes.
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
