// Result holds a value or the reason why there is none. It reports mistakes of a peer or a file;
// SOTTO_CHECK reports bugs of this code, and a StartupError, thrown to main, reports mistakes of
// the operator at start-up.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include "common/base/check.h"

namespace sotto {

/// The failures that some caller treats differently. All others are kInvalid; their callers pass
/// the message on.
enum class ErrorCode : std::uint8_t {
  kInvalid,         // an input from a peer, a file or the operator is not valid
  kNotFound,        // there is no file of that name
  kBudgetExceeded,  // the charge would exceed a limit of the privacy ledger
};

struct Error {
  /// One sentence for a person: what was wrong, where, and, if known, what to do. It never contains
  /// a secret or a data record.
  std::string message;
  ErrorCode code = ErrorCode::kInvalid;
};

/// StartupError reports a mistake of the operator at start-up: main prints its message and exits
/// with 2.
class StartupError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value)  // NOLINT(google-explicit-constructor): `return value;` is the point
      : state_(std::in_place_index<0>, std::move(value)) {}

  Result(Error error)  // NOLINT(google-explicit-constructor)
      : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }

  explicit operator bool() const { return ok(); }

  /// Returns the value; needs ok() (SOTTO_CHECK).
  [[nodiscard]] T& value() & {
    SOTTO_CHECK(ok(), error_text());
    return std::get<0>(state_);
  }

  [[nodiscard]] const T& value() const& {
    SOTTO_CHECK(ok(), error_text());
    return std::get<0>(state_);
  }

  [[nodiscard]] T&& value() && {
    SOTTO_CHECK(ok(), error_text());
    return std::get<0>(std::move(state_));
  }

  [[nodiscard]] const Error& error() const {
    SOTTO_CHECK(!ok(), "error() of a Result that holds a value");
    return std::get<1>(state_);
  }

  /// Returns the value. Throws a StartupError with `context` and the message when there is none.
  [[nodiscard]] T or_stop(const std::string& context = "") && {
    if (!ok()) throw StartupError(context + error().message);
    return std::move(*this).value();
  }

  T* operator->() { return &value(); }

  const T* operator->() const { return &value(); }

  T& operator*() & { return value(); }

  const T& operator*() const& { return value(); }

 private:
  [[nodiscard]] std::string error_text() const { return ok() ? "" : std::get<1>(state_).message; }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;

  Result(Error error)  // NOLINT(google-explicit-constructor)
      : failed_(true), error_(std::move(error)) {}

  [[nodiscard]] bool ok() const { return !failed_; }

  explicit operator bool() const { return ok(); }

  [[nodiscard]] const Error& error() const {
    SOTTO_CHECK(failed_, "error() of a Result that holds a value");
    return error_;
  }

  void or_stop(const std::string& context = "") const {
    if (failed_) throw StartupError(context + error_.message);
  }

 private:
  bool failed_ = false;
  Error error_;
};

using Status = Result<void>;

/// SOTTO_TRY(expression) returns the error of a Status from the enclosing function. An expression
/// with a value does not compile, because the value (a lock, for example) would be dropped:
///   SOTTO_TRY(file.sync());
#define SOTTO_TRY(...) SOTTO_TRY_NAMED(SOTTO_CONCATENATED(sotto_try_, __COUNTER__), __VA_ARGS__)

/// SOTTO_ASSIGN_OR_RETURN(declaration, expression) declares a variable with the value of a Result,
/// or returns its error from the enclosing function. The declaration holds no comma outside of
/// parentheses:
///   SOTTO_ASSIGN_OR_RETURN(const Bytes content, read_file(file, limit));
#define SOTTO_ASSIGN_OR_RETURN(declaration, ...) \
  SOTTO_ASSIGN_NAMED(SOTTO_CONCATENATED(sotto_result_, __COUNTER__), declaration, __VA_ARGS__)

#define SOTTO_CONCATENATED(a, b) SOTTO_CONCATENATED_NOW(a, b)
#define SOTTO_CONCATENATED_NOW(a, b) a##b
#define SOTTO_TRY_NAMED(name, ...)                                                      \
  do {                                                                                  \
    if (const ::sotto::Status& name = (__VA_ARGS__); !name.ok()) return (name).error(); \
  } while (false)
#define SOTTO_ASSIGN_NAMED(name, declaration, ...) \
  auto name = (__VA_ARGS__);                       \
  if (!name.ok()) return name.error();             \
  declaration = std::move(name).value()

}  // namespace sotto
