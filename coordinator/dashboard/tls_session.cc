#include "coordinator/dashboard/http_session.h"

namespace sotto::coordinator::dashboard {

std::shared_ptr<HttpSessionBase> make_tls_session(std::shared_ptr<HttpSessionContext> context,
                                                  Listener listener, ClientSocket socket,
                                                  boost::asio::ssl::context& tls) {
  return std::make_shared<HttpSession<TlsStream>>(std::move(context), listener, std::move(socket),
                                                  tls);
}

}  // namespace sotto::coordinator::dashboard
