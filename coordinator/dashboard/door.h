// Where the dashboard is reached: the address as the operator gave it, checked before anything is
// opened. The loopback address may be used as it is; any other one only behind TLS and a token,
// because what it shows and does is nobody else's business. Start-up code: throws StartupError.
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

/// As the command line has them; empty where not given.
struct AddressOptions {
  std::string address;           // ADDRESS:PORT, [IPV6]:PORT or localhost:PORT
  std::string token_file;        // mode 0600, at least 32 characters
  std::string certificate_file;  // PEM, the chain
  std::string key_file;          // PEM, mode 0600
};

struct AddressDoor {
  std::string ip;
  std::uint16_t port = 0;  // 0: a free one
  std::optional<Bytes32> token_hash;
  std::shared_ptr<boost::asio::ssl::context> tls;  // null: plain HTTP

  /// A name that this server may be called by: those of its certificate, or of this machine.
  [[nodiscard]] bool is_our_name(std::string_view name) const;
};

/// Nothing where no address is given.
std::optional<AddressDoor> open_address(const AddressOptions& options);

}  // namespace sotto::coordinator::dashboard
