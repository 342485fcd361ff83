// Partition of one data set into the shards of virtual participants, for simulations and examples.
// A real site has its own data.
#pragma once

#include <cstdint>
#include <vector>

#include "participant/data/examples.h"

namespace sotto::data {

/// Partitions with label skew: of every label (for tagged sentences, the label of their first
/// entity), part i gets a share drawn from Dirichlet(alpha, ..., alpha). With a small alpha each
/// part has mostly some labels; with a large one all parts have nearly the same distribution. Each
/// part gets at least one example where there are enough. The result is deterministic from the
/// seed, and the order inside a part is shuffled. Texts without labels are distributed evenly.
std::vector<std::vector<data::Example>> dirichlet_partition(
    const std::vector<data::Example>& examples, std::size_t labels, std::size_t parts, double alpha,
    std::uint64_t seed);

/// Partitions into independent and identically distributed parts: the examples are shuffled and
/// distributed in turn.
std::vector<std::vector<data::Example>> even_partition(const std::vector<data::Example>& examples,
                                                       std::size_t parts, std::uint64_t seed);

}  // namespace sotto::data
