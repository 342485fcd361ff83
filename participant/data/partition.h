// Cutting one data set into the shards of virtual participants. For simulations and examples: a
// real site brings its own.
#pragma once

#include <cstdint>
#include <vector>

#include "participant/data/examples.h"

namespace sotto::data {

/// Label skew: of every label (of tagged sentences: that of their first entity), part i gets a
/// share drawn from Dirichlet(alpha, ..., alpha). Small alpha: each part sees mostly some labels;
/// large: nearly the same for all. Each part gets at least one example where there are enough.
/// Deterministic from the seed; order inside a part is shuffled. Texts without labels are dealt
/// evenly.
std::vector<std::vector<learning::Example>> dirichlet_partition(
    const std::vector<learning::Example>& examples, std::size_t labels, std::size_t parts,
    double alpha, std::uint64_t seed);

/// Independent and identically distributed: shuffled and dealt in turn.
std::vector<std::vector<learning::Example>> even_partition(
    const std::vector<learning::Example>& examples, std::size_t parts, std::uint64_t seed);

}  // namespace sotto::data
