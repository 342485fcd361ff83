#include "common/cli/unlock.h"

#include <cstdio>
#include <utility>

#include "common/base/result.h"
#include "common/cli/command.h"
#include "common/cli/passphrase.h"

namespace sotto::cli {

namespace {

namespace fs = std::filesystem;
using identity::SealedBy;

void refuse_both(const std::string& a, const std::string& b, const std::string& names) {
  if (!a.empty() && !b.empty()) throw StartupError("give only one of " + names);
}

SealedBy wanted_seal(const SealOptions& options, const SealNames& names, SealedBy otherwise) {
  refuse_both(options.passphrase_file, options.key_file,
              names.passphrase_file + " and " + names.key_file);
  SealedBy specified = otherwise;
  if (!options.passphrase_file.empty()) specified = SealedBy::kPassphrase;
  if (!options.key_file.empty()) specified = SealedBy::kKeyFile;
  if (options.by.empty()) return specified;
  const SealedBy by = options.by == name(SealedBy::kNothing)      ? SealedBy::kNothing
                      : options.by == name(SealedBy::kPassphrase) ? SealedBy::kPassphrase
                                                                  : SealedBy::kKeyFile;
  const bool a_file = !options.passphrase_file.empty() || !options.key_file.empty();
  if (a_file && by != specified)
    throw StartupError(names.by + " " + options.by + " cannot be combined with " +
                       (options.key_file.empty() ? names.passphrase_file : names.key_file));
  return by;
}

}  // namespace

void add_unlock_options(Command& command, UnlockOptions& options) {
  command.add_option("--passphrase-file", options.passphrase_file,
                     "File (mode 0600) or pipe (/dev/fd/3) with the keystore's passphrase; asked "
                     "for at the terminal unless given");
  command.add_option("--key-file", options.key_file, "File with the key that seals the keystore");
}

identity::Opener opener_for(const identity::Description& description, const fs::path& file,
                            const UnlockOptions& options) {
  refuse_both(options.passphrase_file, options.key_file, "--passphrase-file and --key-file");
  if (!options.passphrase_file.empty()) return read_passphrase(options.passphrase_file);
  if (!options.key_file.empty()) return read_key_file(options.key_file);
  if (description.sealed_by != SealedBy::kPassphrase) return identity::Nothing{};
  return ask_passphrase("passphrase of " + file.string(), "give it with --passphrase-file");
}

identity::Keystore open_keystore(const fs::path& folder, const UnlockOptions& options) {
  return identity::Keystore::open(
      folder, opener_for(identity::describe(folder), folder / identity::kKeystoreFile, options));
}

void add_seal_options(Command& command, SealOptions& options, const SealNames& names,
                      const std::string& otherwise) {
  command
      .add_option(names.by, options.by,
                  "Seal of the file: passphrase, key_file, or nothing, with which only the modes "
                  "of file and folder protect it; " +
                      otherwise)
      ->one_of({"nothing", "passphrase", "key_file"});
  command.add_option(names.passphrase_file, options.passphrase_file,
                     "File (mode 0600) or pipe with the passphrase of the seal, instead of a "
                     "question at the terminal");
  command.add_option(names.key_file, options.key_file,
                     "File with the key of the seal, which is created if it does not exist");
}

identity::Opener new_seal(const SealOptions& options, const SealNames& names, SealedBy otherwise,
                          const std::string& what, crypto::SecureRandom& random) {
  switch (wanted_seal(options, names, otherwise)) {
    case SealedBy::kNothing:
      return identity::Nothing{};
    case SealedBy::kKeyFile:
      if (options.key_file.empty())
        throw StartupError(names.by + " key_file needs " + names.key_file + " FILE");
      return fs::exists(options.key_file) ? read_key_file(options.key_file)
                                          : make_key_file(options.key_file, random);
    case SealedBy::kPassphrase:
      break;
  }
  identity::Passphrase passphrase =
      options.passphrase_file.empty()
          ? ask_new_passphrase(what, "give it with " + names.passphrase_file)
          : read_passphrase(options.passphrase_file);
  if (const auto weak = weakness_of(passphrase))
    std::fprintf(stderr, "warning: %s\n", weak->c_str());
  return passphrase;
}

}  // namespace sotto::cli
