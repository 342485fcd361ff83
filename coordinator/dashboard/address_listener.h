// The address at which the dashboard listens, as the operator gave it, checked before anything is
// opened. A loopback address may be used without further options; any other one requires TLS and a
// token, because the dashboard shows and controls the run. Start-up code: throws StartupError.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace boost::asio::ssl {
class context;
}

namespace sotto::coordinator::dashboard {

/// The options of the command line; empty where not given.
struct AddressOptions {
  std::string address;           // ADDRESS:PORT, [IPV6]:PORT or localhost:PORT
  std::string token_file;        // mode 0600, at least 32 characters
  std::string certificate_file;  // PEM, the chain
  std::string key_file;          // PEM, mode 0600
};

struct AddressListener {
  std::string ip;
  std::uint16_t port = 0;  // 0: the system chooses one
  std::optional<Bytes32> token_hash;
  std::shared_ptr<boost::asio::ssl::context> tls;  // null: plain HTTP

  /// Returns true when a request may name this server so: by a name in its certificate, or without
  /// TLS by its address or a loopback name.
  [[nodiscard]] bool is_our_name(std::string_view name) const;
};

/// Checks the options and loads the token and the TLS files. Returns nothing when no address is
/// given.
std::optional<AddressListener> open_address(const AddressOptions& options);

}  // namespace sotto::coordinator::dashboard
