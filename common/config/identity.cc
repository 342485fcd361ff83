#include "common/config/identity.h"

#include "common/base/result.h"
#include "common/config/fields.h"
#include "common/config/secret_file.h"
#include "common/crypto/key_agreement.h"
#include "common/journal/atomic_file.h"

namespace sotto::config {

namespace {

namespace fs = std::filesystem;

// identity.json is JSON, but written and read here piece by piece: a JSON library would leave
// copies of the keys in ordinary memory. Only what we wrote ourselves is accepted.
constexpr std::string_view kBeforeName = "{\n  \"format\": \"sotto identity 1\",\n  \"name\": \"";
constexpr std::string_view kBeforeSeed = "\",\n  \"signing_seed\": \"";
constexpr std::string_view kBeforeTransport = "\",\n  \"transport_secret\": \"";
constexpr std::string_view kEnd = "\"\n}\n";

fs::path file_in(const fs::path& folder) {
  return folder / "identity.json";
}

/// Takes the file apart; any surprise makes ok() false.
class IdentityReader {
 public:
  explicit IdentityReader(BytesView text) : text_(text) {}

  void expect(std::string_view literal) {
    const BytesView part = take(literal.size());
    const BytesView wanted = view_of(literal);
    ok_ = ok_ && std::equal(part.begin(), part.end(), wanted.begin(), wanted.end());
  }

  std::string name() {
    std::size_t length = 0;
    while (length < text_.size() && text_[length] != '"')
      ++length;
    const BytesView part = take(length);
    std::string out(part.begin(), part.end());
    ok_ = ok_ && is_name(out);
    return out;
  }

  crypto::Secret32 secret() {
    auto out = secret_from_hex(take(64));
    ok_ = ok_ && out.has_value();
    return out ? std::move(*out) : crypto::Secret32();
  }

  [[nodiscard]] bool finished() const { return ok_ && text_.empty(); }

 private:
  BytesView take(std::size_t count) {
    ok_ = ok_ && count <= text_.size();
    if (!ok_) return {};
    const BytesView part = text_.first(count);
    text_ = text_.subspan(count);
    return part;
  }

  BytesView text_;
  bool ok_ = true;
};

Bytes32 transport_public_of(const crypto::Secret32& secret) {
  return crypto::AgreementKey(secret.clone()).public_key();
}

}  // namespace

Identity make_identity(std::string_view name, crypto::SecureRandom& random) {
  if (!is_name(name))
    throw StartupError("\"" + std::string(name) +
                       "\" is no name; allowed: 1 to 64 letters, digits, '.', '_' or '-', the "
                       "first a letter or digit");
  crypto::SigningKey signing = crypto::SigningKey::generate(random);
  crypto::Secret32 transport = crypto::Secret32::random(random);
  const Bytes32 transport_public = transport_public_of(transport);
  return {std::string(name), std::move(signing), std::move(transport), transport_public};
}

void save_identity(const fs::path& folder, const Identity& identity) {
  const fs::path file = file_in(folder);
  std::error_code error;
  if (fs::exists(fs::symlink_status(file, error)))
    throw StartupError(file.string() +
                       " exists: keys are never overwritten; choose another folder, or move this "
                       "one away if its keys are to be given up");
  make_private_folder(folder);
  const crypto::Secret64 seed = secret_to_hex(identity.signing.seed());
  const crypto::Secret64 transport = secret_to_hex(identity.transport_secret);
  const Status written = journal::write_file_atomically(
      file,
      {view_of(kBeforeName), view_of(identity.name), view_of(kBeforeSeed), seed.expose(),
       view_of(kBeforeTransport), transport.expose(), view_of(kEnd)},
      journal::FileAccess::kOwnerOnly);
  if (!written.ok()) throw StartupError(written.error().message);
}

Identity load_identity(const fs::path& folder) {
  const fs::path file = file_in(folder);
  const crypto::SecretCell text = read_secret_file(file, "`init` makes an identity");
  check_private_folder(folder);
  IdentityReader reader({text.data(), text.size()});
  reader.expect(kBeforeName);
  std::string name = reader.name();
  reader.expect(kBeforeSeed);
  const crypto::Secret32 seed = reader.secret();
  reader.expect(kBeforeTransport);
  crypto::Secret32 transport = reader.secret();
  reader.expect(kEnd);
  if (!reader.finished())
    throw StartupError(file.string() + " is damaged or was edited; restore it from a copy");
  const Bytes32 transport_public = transport_public_of(transport);
  return {std::move(name), crypto::SigningKey::from_seed(seed), std::move(transport),
          transport_public};
}

Card card_of(const Identity& identity) {
  Card card{.name = identity.name,
            .signing_key = identity.signing.verify_key(),
            .transport_key = identity.transport_public};
  card.signature = identity.signing.sign(card.signed_bytes());
  return card;
}

}  // namespace sotto::config
