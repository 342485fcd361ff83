#include "coordinator/dashboard/address_listener.h"

#include <algorithm>
#include <charconv>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "common/base/result.h"
#include "common/crypto/secret.h"
#include "common/identity/secret_file.h"
#include "common/storage/file_descriptor.h"
#include "coordinator/dashboard/api.h"

namespace sotto::coordinator::dashboard {

namespace {

namespace asio = boost::asio;

constexpr std::size_t kMinTokenLength = 32;

struct Address {
  asio::ip::address ip;
  std::uint16_t port = 0;
};

Address parse(const std::string& text) {
  const auto bad = [&] {
    return StartupError(
        "--dashboard " + text +
        " is not an address; give it as 127.0.0.1:7300, localhost:7300 or [::1]:7300");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) throw bad();
  std::string host = text.substr(0, colon);
  if (host == "localhost") host = "127.0.0.1";
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  Address out;
  boost::system::error_code failed;
  out.ip = asio::ip::make_address(host, failed);
  const char* end = text.data() + text.size();
  const auto [stop, wrong] = std::from_chars(text.data() + colon + 1, end, out.port);
  if (failed || wrong != std::errc{} || stop != end) throw bad();
  return out;
}

Bytes32 read_token(const std::string& file) {
  const crypto::SecretCell text =
      config::read_secret_file(file, "create one with: (umask 077; openssl rand -hex 32 > TOKEN)");
  BytesView token(text.data(), text.size());
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r'))
    token = token.first(token.size() - 1);
  if (token.size() < kMinTokenLength)
    throw StartupError(file + ": a token needs at least " + std::to_string(kMinTokenLength) +
                       " characters; create one with: openssl rand -hex 32");
  if (!std::ranges::all_of(token, [](std::uint8_t c) { return c > 0x20 && c < 0x7f; }))
    throw StartupError(file + ": a token must be one line of printable characters without spaces");
  return hash_of_token(token);
}

void check_private(const std::string& file) {
  struct stat status {};

  if (::stat(file.c_str(), &status) != 0)
    throw StartupError(storage::system_error("cannot read " + file).message);
  if ((status.st_mode & 077) != 0)
    throw StartupError(file + " is a private key that other users can read; run: chmod 600 " +
                       file);
}

std::shared_ptr<asio::ssl::context> load_tls(const AddressOptions& options) {
  check_private(options.key_file);
  auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  boost::system::error_code failed;
  tls->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, failed);
  tls->use_certificate_chain_file(options.certificate_file, failed);
  if (failed)
    throw StartupError("cannot use the certificate " + options.certificate_file + ": " +
                       failed.message());
  tls->use_private_key_file(options.key_file, asio::ssl::context::pem, failed);
  if (failed)
    throw StartupError("cannot use the key " + options.key_file + " with the certificate " +
                       options.certificate_file + ": " + failed.message());
  return tls;
}

}  // namespace

bool AddressListener::is_our_name(std::string_view name) const {
  const std::string text(name);
  if (!tls) return text == "localhost" || text == ip || text == "127.0.0.1" || text == "::1";
  X509* certificate = SSL_CTX_get0_certificate(tls->native_handle());
  return !text.empty() && certificate != nullptr &&
         (X509_check_host(certificate, text.data(), text.size(), 0, nullptr) == 1 ||
          X509_check_ip_asc(certificate, text.c_str(), 0) == 1);
}

std::optional<AddressListener> open_address(const AddressOptions& options) {
  const bool tls = !options.certificate_file.empty() || !options.key_file.empty();
  if (options.address.empty()) {
    if (tls || !options.token_file.empty())
      throw StartupError(
          "a token, certificate or key for the dashboard needs the option --dashboard");
    return std::nullopt;
  }
  const Address address = parse(options.address);
  if (tls && (options.certificate_file.empty() || options.key_file.empty()))
    throw StartupError("--dashboard-certificate and --dashboard-key must be given together");
  if (!address.ip.is_loopback() && (!tls || options.token_file.empty()))
    throw StartupError(
        "--dashboard " + options.address +
        " can be reached from other machines, which needs --dashboard-certificate, --dashboard-key "
        "and --dashboard-token; or use 127.0.0.1 and reach it through ssh -L");
  AddressListener listener{
      .ip = address.ip.to_string(), .port = address.port, .token_hash = {}, .tls = {}};
  if (!options.token_file.empty()) listener.token_hash = read_token(options.token_file);
  if (tls) listener.tls = load_tls(options);
  return listener;
}

}  // namespace sotto::coordinator::dashboard
