#include "common/identity/format.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/config/fields.h"
#include "common/crypto/hash.h"
#include "common/identity/secret_file.h"

namespace sotto::identity {

namespace {

constexpr std::string_view kBeginning = "{\n  \"format\": \"sotto keystore ";
constexpr std::string_view kVersion = "1";
constexpr std::string_view kBeforeName = "\",\n  \"name\": \"";
constexpr std::string_view kBeforeSeal = "\",\n  \"sealed_by\": \"";
constexpr std::string_view kBeforeOperations = ",\n  \"argon2id\": {\"operations\": ";
constexpr std::string_view kBeforeMemory = ", \"memory_kib\": ";
constexpr std::string_view kBeforeSalt = ", \"salt\": \"";
constexpr std::string_view kBeforeMaster = ",\n  \"master_key\": \"";
constexpr std::string_view kBeforeRoot = "\",\n  \"data_root\": \"";
constexpr std::string_view kBeforeKeys = "\",\n  \"keys\": [";
constexpr std::string_view kBeforeGeneration = "\n    {\"generation\": ";
constexpr std::string_view kBeforeUse = ", \"use\": \"";
constexpr std::string_view kBeforeSigningKey = "\", \"signing_key\": \"";
constexpr std::string_view kBeforeTransportKey = "\", \"transport_key\": \"";
constexpr std::string_view kBeforeSealed = "\", \"sealed\": \"";
constexpr std::string_view kEndOfEntry = "\"}";
constexpr std::string_view kBeforeRetired = "\n  ],\n  \"retired\": [";
constexpr std::string_view kEndOfRetired = "]";
constexpr std::string_view kBeforeMac = ",\n  \"mac\": \"";
constexpr std::string_view kBeforeChecksum = "\",\n  \"checksum\": \"";
constexpr std::string_view kEnd = "\"\n}\n";
constexpr std::size_t kDigits = 64;  // of 32 bytes

constexpr std::size_t kSealedSecret32 = sizeof(crypto::Nonce) + 32 + crypto::kAeadTagBytes;
constexpr std::size_t kSealedSecret64 = sizeof(crypto::Nonce) + 64 + crypto::kAeadTagBytes;

/// Scanner parses the text. Any deviation from the layout makes ok() false permanently.
class Scanner {
 public:
  explicit Scanner(BytesView text) : text_(text) {}

  void expect(std::string_view literal) {
    const BytesView part = take(literal.size());
    const BytesView wanted = view_of(literal);
    ok_ = ok_ && std::equal(part.begin(), part.end(), wanted.begin(), wanted.end());
  }

  /// Consumes `literal` and returns true if the text continues with it.
  bool maybe(std::string_view literal) {
    if (!ok_ || literal.size() > left().size()) return false;
    const BytesView wanted = view_of(literal), next = left().first(literal.size());
    const bool same = std::equal(next.begin(), next.end(), wanted.begin(), wanted.end());
    if (same) at_ += literal.size();
    return same;
  }

  /// Returns and consumes the text before the next quotation mark.
  std::string text() {
    const BytesView rest = left();
    const auto end = std::ranges::find(rest, '"');
    const BytesView part = take(static_cast<std::size_t>(end - rest.begin()));
    return {part.begin(), part.end()};
  }

  std::uint32_t number() {
    std::uint64_t out = 0;
    const std::size_t begin = at_;
    while (ok_ && !left().empty() && left()[0] >= '0' && left()[0] <= '9' && out <= UINT32_MAX)
      out = 10 * out + (take(1)[0] - '0');
    const std::size_t digits = at_ - begin;
    require(digits > 0 && out <= UINT32_MAX && (digits == 1 || text_[begin] != '0'));
    return static_cast<std::uint32_t>(out);
  }

  /// Returns `size` public bytes, from hexadecimal digits.
  Bytes bytes(std::size_t size) {
    const BytesView digits = take(2 * size);
    require(std::ranges::all_of(
        digits, [](std::uint8_t c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }));
    auto out = from_hex({reinterpret_cast<const char*>(digits.data()), digits.size()});  // NOLINT
    return ok_ && out.ok() ? *out : Bytes(size);
  }

  template <std::size_t N>
  std::array<std::uint8_t, N> array() {
    std::array<std::uint8_t, N> out{};
    std::ranges::copy(bytes(N), out.begin());
    return out;
  }

  crypto::Secret32 secret() {
    auto out = config::secret_from_hex(take(kDigits));
    require(out.has_value());
    return out ? std::move(*out) : crypto::Secret32();
  }

  void require(bool fact) { ok_ = ok_ && fact; }

  [[nodiscard]] bool ok() const { return ok_; }

  [[nodiscard]] bool finished() const { return ok_ && at_ == text_.size(); }

  [[nodiscard]] std::size_t at() const { return at_; }

 private:
  [[nodiscard]] BytesView left() const { return text_.subspan(at_); }

  BytesView take(std::size_t count) {
    require(count <= left().size());
    if (!ok_) return {};
    at_ += count;
    return text_.subspan(at_ - count, count);
  }

  BytesView text_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

std::string entry_of(const PublicKeys& keys) {
  std::string out(kBeforeGeneration);
  out += std::to_string(keys.generation);
  out.append(kBeforeUse).append(name(keys.use));
  out.append(kBeforeSigningKey).append(to_hex(keys.signing_key));
  return out.append(kBeforeTransportKey).append(to_hex(keys.transport_key));
}

PublicKeys scan_entry(Scanner& in) {
  PublicKeys out;
  in.expect(kBeforeGeneration);
  out.generation = in.number();
  in.expect(kBeforeUse);
  const std::string use = in.text();
  out.use = use == name(KeyUse::kAll) ? KeyUse::kAll : KeyUse::kSuccessorOnly;
  in.require(use == name(out.use));
  in.expect(kBeforeSigningKey);
  out.signing_key = in.array<32>();
  in.expect(kBeforeTransportKey);
  out.transport_key = in.array<32>();
  return out;
}

/// Parses the text before the master key.
void scan_header(Scanner& in, Contents& out) {
  Description& is = out.description;
  in.expect(kBeginning);
  in.expect(kVersion);
  in.expect(kBeforeName);
  is.name = in.text();
  in.require(config::is_name(is.name));
  in.expect(kBeforeSeal);
  const std::string seal = in.text();
  for (const SealedBy by : {SealedBy::kNothing, SealedBy::kPassphrase, SealedBy::kKeyFile})
    if (seal == name(by)) is.sealed_by = by;
  in.require(seal == name(is.sealed_by));
  in.expect("\"");
  if (is.sealed_by == SealedBy::kPassphrase) {
    in.expect(kBeforeOperations);
    is.cost.operations = in.number();
    in.expect(kBeforeMemory);
    is.cost.memory_kib = in.number();
    in.expect(kBeforeSalt);
    out.salt = in.array<sizeof(crypto::Salt)>();
    in.expect(kEndOfEntry);
  }
  in.expect(kBeforeMaster);
}

void scan_keys(Scanner& in, Contents& out) {
  Description& is = out.description;
  const auto ascends = [](const std::vector<PublicKeys>& list) {
    return list.size() < 2 || list[list.size() - 2].generation < list.back().generation;
  };
  in.expect(kBeforeKeys);
  do {
    is.held.push_back(scan_entry(in));
    in.require(is.held.size() <= kMaxHeld && ascends(is.held) && is.held.front().generation > 0);
    in.expect(kBeforeSealed);
    out.sealed_keys.push_back(in.bytes(kSealedSecret64));
    in.expect(kEndOfEntry);
  } while (in.maybe(","));
  in.expect(kBeforeRetired);
  while (in.ok() && !in.maybe(kEndOfRetired)) {
    if (!is.retired.empty()) in.expect(",");
    is.retired.push_back(scan_entry(in));
    in.require(is.retired.size() <= kMaxRetired && ascends(is.retired));
    in.expect(kEndOfEntry);
  }
}

Bytes32 checksum_of(std::initializer_list<BytesView> parts) {
  return crypto::hash("SOTTO keystore", parts);
}

crypto::Secret32 mac_key(const crypto::Secret32& master) {
  return crypto::kdf("SOTTO key mac", master, {});
}

/// Returns whether the last lines are the checksum of all text before them.
bool checksum_fits(BytesView text) {
  const std::size_t tail = kBeforeChecksum.size() + kDigits + kEnd.size();
  if (text.size() < tail) return false;
  Scanner in(text.last(tail));
  in.expect(kBeforeChecksum);
  const Bytes32 stated = in.array<32>();
  in.expect(kEnd);
  return in.finished() && stated == checksum_of({text.first(text.size() - tail)});
}

}  // namespace

std::string_view name(SealedBy seal) {
  switch (seal) {
    case SealedBy::kNothing:
      return "nothing";
    case SealedBy::kPassphrase:
      return "passphrase";
    case SealedBy::kKeyFile:
      return "key_file";
  }
  SOTTO_CHECK(false, "no such seal");
  return {};
}

std::string_view name(KeyUse use) {
  return use == KeyUse::kAll ? "all" : "successor";
}

std::string header_of(const Contents& contents) {
  const Description& is = contents.description;
  std::string out(kBeginning);
  out.append(kVersion).append(kBeforeName).append(is.name);
  out.append(kBeforeSeal).append(name(is.sealed_by)).append("\"");
  if (is.sealed_by == SealedBy::kPassphrase) {
    out.append(kBeforeOperations).append(std::to_string(is.cost.operations));
    out.append(kBeforeMemory).append(std::to_string(is.cost.memory_kib));
    out.append(kBeforeSalt).append(to_hex(contents.salt)).append(kEndOfEntry);
  }
  return out.append(kBeforeMaster);
}

Bytes associated_data(std::string_view owner) {
  return ByteWriter().bytes(view_of("SOTTO data root\n")).bytes(view_of(owner)).take();
}

Bytes associated_data(std::string_view owner, const PublicKeys& keys) {
  return ByteWriter()
      .bytes(view_of("SOTTO long keys\n"))
      .u32(keys.generation)
      .bytes(keys.signing_key)
      .bytes(keys.transport_key)
      .bytes(view_of(owner))
      .take();
}

Pieces write(const Contents& contents, const crypto::Secret32& master) {
  const Description& is = contents.description;
  Pieces out;
  out.head = header_of(contents);
  out.has_bare_master = is.sealed_by == SealedBy::kNothing;
  if (out.has_bare_master) out.bare_master = config::secret_to_hex(master);
  std::string& tail = out.tail;
  if (!out.has_bare_master) tail += to_hex(contents.sealed_master);
  tail.append(kBeforeRoot).append(to_hex(contents.sealed_root)).append(kBeforeKeys);
  for (std::size_t i = 0; i < is.held.size(); ++i)
    tail.append(i == 0 ? "" : ",")
        .append(entry_of(is.held[i]))
        .append(kBeforeSealed)
        .append(to_hex(contents.sealed_keys[i]))
        .append(kEndOfEntry);
  tail.append(kBeforeRetired);
  for (std::size_t i = 0; i < is.retired.size(); ++i)
    tail.append(i == 0 ? "" : ",").append(entry_of(is.retired[i])).append(kEndOfEntry);
  tail.append(kEndOfRetired);
  const BytesView bare = out.has_bare_master ? BytesView(out.bare_master.expose()) : BytesView();
  const crypto::Secret32 mac =
      crypto::kdf("SOTTO key mac", mac_key(master), {view_of(out.head), bare, view_of(out.tail)});
  out.mac = std::string(kBeforeMac) + to_hex(mac.expose());
  out.checksum =
      std::string(kBeforeChecksum) +
      to_hex(checksum_of({view_of(out.head), bare, view_of(out.tail), view_of(out.mac)})) +
      std::string(kEnd);
  return out;
}

Result<Parsed> parse(BytesView text) {
  const auto starts_with = [&](const std::string& beginning) {
    return text.size() >= beginning.size() &&
           std::ranges::equal(text.first(beginning.size()), view_of(beginning));
  };
  if (!checksum_fits(text)) {
    if (!starts_with(std::string(kBeginning)))
      return Error{"is not a keystore, or its beginning is damaged"};
    return Error{"is damaged, cut off or was edited (its checksum does not match)"};
  }
  if (!starts_with(std::string(kBeginning) + std::string(kVersion) + std::string(kBeforeName)))
    return Error{"is a keystore of another version than " + std::string(kVersion) +
                 ", which is the only one that this program reads"};
  Scanner in(text);
  Parsed out;
  Contents& contents = out.contents;
  scan_header(in, contents);
  const Description& is = contents.description;
  if (in.ok() && is.sealed_by == SealedBy::kPassphrase && !crypto::is_allowed(is.cost))
    return Error{"asks for " + std::to_string(is.cost.operations) + " passes of Argon2id over " +
                 std::to_string(is.cost.memory_kib) + " KiB; allowed are at most " +
                 std::to_string(crypto::kLargestCost.operations) + " passes and " +
                 std::to_string(crypto::kLargestCost.memory_kib) + " KiB, at least " +
                 std::to_string(crypto::kLeastCost.memory_kib) + " KiB"};
  if (is.sealed_by == SealedBy::kNothing) {
    contents.bare_master = in.secret();
  } else {
    contents.sealed_master = in.bytes(kSealedSecret32);
  }
  in.expect(kBeforeRoot);
  contents.sealed_root = in.bytes(kSealedSecret32);
  scan_keys(in, contents);
  out.covered = in.at();
  in.expect(kBeforeMac);
  out.mac = in.array<32>();
  in.expect(kBeforeChecksum);
  (void)in.bytes(32);
  in.expect(kEnd);
  if (!in.finished())
    return Error{
        "was not written by this program, because its layout differs from that of a keystore"};
  return out;
}

bool is_mac_of(const Bytes32& mac, BytesView covered, const crypto::Secret32& master) {
  return crypto::constant_time_equal(
      mac, crypto::kdf("SOTTO key mac", mac_key(master), {covered}).expose());
}

}  // namespace sotto::identity
