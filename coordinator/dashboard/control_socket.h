// RUN_FOLDER/control.sock, for both ends. Addressed through the open folder, because the address of
// a Unix-domain socket has room for 107 characters only and run folders lie deeper.
#pragma once

#include <filesystem>
#include <string>

#include "common/base/result.h"
#include "common/storage/file_descriptor.h"

namespace sotto::coordinator::dashboard {

class ControlSocket {
 public:
  static Result<ControlSocket> in(const std::filesystem::path& folder);

  /// What to bind or connect to; holds as long as this object.
  [[nodiscard]] std::string address() const {
    return "/proc/self/fd/" + std::to_string(folder_.get()) + "/control.sock";
  }

 private:
  explicit ControlSocket(journal::FileDescriptor folder) : folder_(std::move(folder)) {}

  journal::FileDescriptor folder_;
};

}  // namespace sotto::coordinator::dashboard
