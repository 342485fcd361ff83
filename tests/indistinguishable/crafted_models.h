// Models whose weights a hostile coordinator chose, so that training fails on the examples that
// hold one token and on no other.
#pragma once

#include <cstddef>

#include "common/model/flat_parameters.h"

namespace sotto::outside_test {

/// `model` with an embedding of `token` that is so large that the loss of a text with that token is
/// not finite in float32. `model` is BERT, or GPT-2 with a head of its own.
FlatParameters with_infinite_loss(FlatParameters model, std::size_t token);

/// A model of the same layout in which no value is above 2^20 in magnitude, the loss of every text
/// is finite, and the gradient of a text is finite unless it holds `token`. The layout is that of
/// BERT with mean pooling, or of GPT-2, with one layer and a width that 8 divides.
FlatParameters with_infinite_gradient(FlatParameters model, std::size_t token);

}  // namespace sotto::outside_test
