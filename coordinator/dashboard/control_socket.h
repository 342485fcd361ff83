// ControlSocket is the address of RUN_FOLDER/control.sock, for both ends. It goes through the open
// folder, because the address of a Unix-domain socket has room for only 107 characters and the
// paths of run folders can be longer.
#pragma once

#include <filesystem>
#include <string>

#include "common/base/result.h"
#include "common/storage/file_descriptor.h"

namespace sotto::coordinator::dashboard {

class ControlSocket {
 public:
  static Result<ControlSocket> in(const std::filesystem::path& folder);

  /// The path to bind or connect to, valid as long as this object.
  [[nodiscard]] std::string address() const {
    return "/proc/self/fd/" + std::to_string(folder_.get()) + "/control.sock";
  }

 private:
  explicit ControlSocket(storage::FileDescriptor folder) : folder_(std::move(folder)) {}

  storage::FileDescriptor folder_;
};

}  // namespace sotto::coordinator::dashboard
