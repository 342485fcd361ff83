#include <algorithm>

#include "common/model/optimizers/server_optimizer.h"

namespace sotto {

// The table has one line for each server optimizer: NAME.cc defines the ServerOptimizerKind `NAME`.
#define SOTTO_SERVER_OPTIMIZERS(EACH) \
  EACH(fedavg)                        \
  EACH(fedadam)                       \
  EACH(fedyogi)

namespace optimizers {
#define SOTTO_DECLARE(name) extern const ServerOptimizerKind name;
SOTTO_SERVER_OPTIMIZERS(SOTTO_DECLARE)
#undef SOTTO_DECLARE
}  // namespace optimizers

std::span<const ServerOptimizerKind* const> server_optimizer_kinds() {
#define SOTTO_LIST(name) &optimizers::name,
  static constexpr const ServerOptimizerKind* kKinds[] = {SOTTO_SERVER_OPTIMIZERS(SOTTO_LIST)};
#undef SOTTO_LIST
  return kKinds;
}

const ServerOptimizerKind* find_server_optimizer(std::string_view name) {
  const auto kinds = server_optimizer_kinds();
  const auto at = std::ranges::find(kinds, name, &ServerOptimizerKind::name);
  return at == kinds.end() ? nullptr : *at;
}

}  // namespace sotto
