#include "coordinator/dashboard/http_session.h"

namespace sotto::coordinator::dashboard {

std::shared_ptr<HttpSessionBase> make_plain_session(std::shared_ptr<HttpSessionContext> context,
                                                    Listener listener, ClientSocket socket) {
  return std::make_shared<HttpSession<PlainStream>>(std::move(context), listener,
                                                    std::move(socket));
}

}  // namespace sotto::coordinator::dashboard
