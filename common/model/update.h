// The types of an update before its encoding. Each processing step takes one type and returns the
// next, so that a wrong order does not compile. All are move-only.
#pragma once

#include <utility>
#include <vector>

#include "common/base/bytes.h"

namespace sotto {

/// Local parameters minus the round's model, flat, in the model's layout. Its norm has no bound.
struct FlatUpdate {
  std::vector<float> values;

  FlatUpdate() = default;

  explicit FlatUpdate(std::vector<float> v) : values(std::move(v)) {}

  FlatUpdate(FlatUpdate&&) = default;
  FlatUpdate& operator=(FlatUpdate&&) = default;
  FlatUpdate(const FlatUpdate&) = delete;
  FlatUpdate& operator=(const FlatUpdate&) = delete;
};

/// A FlatUpdate whose L2 norm is at most its bound. Only clip() in common/privacy/mechanisms/clip.h
/// creates one.
class ClippedUpdate {
 public:
  ClippedUpdate(ClippedUpdate&&) = default;
  ClippedUpdate& operator=(ClippedUpdate&&) = default;
  ClippedUpdate(const ClippedUpdate&) = delete;
  ClippedUpdate& operator=(const ClippedUpdate&) = delete;

  [[nodiscard]] const std::vector<float>& values() const { return values_; }

  [[nodiscard]] double norm_bound() const { return norm_bound_; }

 private:
  friend Result<ClippedUpdate> clip(FlatUpdate&& update, double norm_bound);

  ClippedUpdate(std::vector<float> values, double norm_bound)
      : values_(std::move(values)), norm_bound_(norm_bound) {}

  std::vector<float> values_;
  double norm_bound_;
};

}  // namespace sotto
