#include "coordinator/dashboard/control_socket.h"

#include <fcntl.h>

namespace sotto::coordinator::dashboard {

Result<ControlSocket> ControlSocket::in(const std::filesystem::path& folder) {
  storage::FileDescriptor opened(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!opened.is_open()) return storage::system_error("cannot open the folder " + folder.string());
  return ControlSocket(std::move(opened));
}

}  // namespace sotto::coordinator::dashboard
