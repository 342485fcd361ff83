// A plain client for the coordinator's doors, that also says what no browser would.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "common/storage/file_descriptor.h"

namespace sotto::dashboard_test {

using std::chrono::milliseconds;

class Client {
 public:
  /// To 127.0.0.1.
  static Client to_port(std::uint16_t port);
  /// To FOLDER/control.sock, whose path is short enough here.
  static Client to_folder(const std::filesystem::path& folder);

  /// False when the other side has closed.
  bool send(std::string_view text);
  /// Until `mark` has come, the other side closed, or the time is up: everything so far.
  std::string read_until(std::string_view mark, milliseconds at_most = milliseconds(5000));
  /// Until the other side closes; nullopt when it does not in time.
  std::optional<std::string> read_to_end(milliseconds at_most = milliseconds(5000));

 private:
  explicit Client(int fd) : link_(fd) {}

  storage::FileDescriptor link_;
  std::string held_;
  bool ended_ = false;
};

/// "200" of "HTTP/1.1 200 OK".
std::string status_of(const std::string& answer);

}  // namespace sotto::dashboard_test
