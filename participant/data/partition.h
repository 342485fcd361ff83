// Partition of one data set into the shards of virtual participants, for simulations and examples.
// A real site has its own data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/range.h"
#include "common/base/result.h"
#include "participant/data/examples.h"

namespace sotto::data {

/// The parameters of Dirichlet distributions for which shards are drawn: below, nearly each label
/// is in one shard alone, and above, all shards have the same distribution.
inline constexpr Range kDirichlet{.min = 0.01, .max = 1e6};

/// Returns an Error where `dirichlet` is outside kDirichlet, or where there are no parts or fewer
/// training or evaluation examples than parts.
Status check_partition(double dirichlet, std::size_t parts, std::size_t training,
                       std::size_t evaluation);

/// Partitions with label skew: of every label (for tagged sentences, the label of their first
/// entity), part i gets a share drawn from Dirichlet(alpha, ..., alpha). With a small alpha each
/// part has mostly some labels; with a large one all parts have nearly the same distribution. Each
/// part gets at least one example where there are enough. The result is deterministic from the
/// seed, and the order inside a part is shuffled. Texts without labels are distributed evenly.
/// Needs check_partition() (SOTTO_CHECK).
std::vector<std::vector<data::Example>> dirichlet_partition(
    const std::vector<data::Example>& examples, std::size_t labels, std::size_t parts, double alpha,
    std::uint64_t seed);

/// Partitions into independent and identically distributed parts: the examples are shuffled and
/// distributed in turn.
std::vector<std::vector<data::Example>> even_partition(const std::vector<data::Example>& examples,
                                                       std::size_t parts, std::uint64_t seed);

struct HeldOut {
  std::vector<Example> train, evaluation;
};

/// Holds out examples at random until they are `share` of all, in (0, 1); at least one stays on
/// each side where there are two persons. All examples of a person are on the same side.
/// Deterministic from the seed.
HeldOut hold_out(std::vector<Example> examples, double share, std::uint64_t seed);

}  // namespace sotto::data
