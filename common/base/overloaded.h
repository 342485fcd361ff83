// Overloaded makes one visitor of a variant from several lambdas.
#pragma once

namespace sotto {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace sotto
