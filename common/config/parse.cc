#include "common/config/parse.h"

#include "common/base/result.h"
#include "common/config/field_values.h"
#include "common/config/json_tree.h"
#include "common/config/model_files.h"
#include "common/config/rules.h"
#include "common/crypto/hash.h"
#include "common/storage/atomic_file.h"
#include "common/wire/codec.h"

namespace sotto::config {

namespace {

namespace fs = std::filesystem;

/// Parses a text: syntax, overrides, every field, then the rules between fields.
template <class Config>
Parsed<Config> parse(std::string_view json, std::string_view file_name,
                     std::span<const std::string> overrides) {
  JsonDocument document = read_json(json);
  Mistakes mistakes(file_name);
  for (const JsonError& error : document.errors)
    mistakes.add(error);
  Config config;
  // The fields are checked even if keys are repeated, but not if the file is not a JSON object.
  const bool readable = document.root.object() != nullptr || document.errors.empty();
  if (readable) {
    const std::vector<Field> fields = fields_of(config);
    apply_overrides(document.root, overrides, fields, mistakes);
    read_fields(document.root, fields, {}, mistakes);
    check_rules(config, mistakes);
  }
  if (!mistakes.lines().empty()) return ConfigErrors{mistakes.lines()};
  return config;
}

std::string read_or_throw(const fs::path& file) {
  constexpr std::uint64_t kMaxBytes =
      32 << 20;  // 10,000 members: 3 MB; 5,000 successions: 5 MB; revoked keys: 7 MB
  const Bytes bytes = storage::read_file(file, kMaxBytes).or_stop();
  return {bytes.begin(), bytes.end()};
}

fs::path beside(const fs::path& file, const fs::path& path) {
  return path.is_absolute() ? path : (file.parent_path() / path).lexically_normal();
}

/// Sets the hashes of the model's files, or compares them with those that the job sets.
void fill_model_hashes(JobConfig& job, const fs::path& file) {
  const std::string where = file.string() + ": $.model.path: ";
  const ModelHashes found = hash_model_files(job.model.path).or_stop(where);
  const auto take = [&](Bytes32& slot, const Bytes32& hash, const char* key) {
    if (slot != Bytes32{} && slot != hash)
      throw StartupError(file.string() + ": $.model." + key + ": found " + to_hex(slot) +
                         "; the file in " + job.model.path + " has " + to_hex(hash));
    slot = hash;
  };
  take(job.model.config_hash, found.config, "config_hash");
  take(job.model.vocab_hash, found.vocab, "vocab_hash");
  if (job.lora.r == 0) return;
  take(job.model.weights_hash, hash_model_weights(job.model.path).or_stop(where), "weights_hash");
}

}  // namespace

void fill_canonical(JobConfig& job) {
  job.canonical = canonical_text(tree_of(canonical_fields_of(job), Scope::kShared));
  job.hash = crypto::hash("SOTTO job", {view_of(job.canonical)});
}

std::string ConfigErrors::joined() const {
  std::string out;
  for (const std::string& line : lines)
    out += (out.empty() ? "" : "\n") + line;
  return out;
}

Parsed<JobConfig> parse_job(std::string_view json, std::string_view file_name,
                            std::span<const std::string> overrides) {
  Parsed<JobConfig> parsed = parse<JobConfig>(json, file_name, overrides);
  auto* job = std::get_if<JobConfig>(&parsed);
  if (job == nullptr) return parsed;
  fill_canonical(*job);
  constexpr std::uint32_t kMaxBytes = wire::Limits{}.job_bytes;
  if (job->canonical.size() > kMaxBytes)
    return ConfigErrors{{std::string(file_name) + ": the job has " +
                         std::to_string(job->canonical.size()) + " bytes; at most " +
                         std::to_string(kMaxBytes) + " bytes can be offered to participants"}};
  return parsed;
}

Parsed<JobConfig> parse_received_job(std::string_view canonical) {
  Parsed<JobConfig> parsed = parse_job(canonical, "the received job");
  const auto* job = std::get_if<JobConfig>(&parsed);
  if (job != nullptr && job->canonical != canonical)
    return ConfigErrors{
        {"the received job is not in canonical form, so that its hash would differ from the one "
         "that all parties sign"}};
  if (job != nullptr && job->secure_aggregation.max_colluders == 0)
    return ConfigErrors{
        {"the received job: $.secure_aggregation.max_colluders: found 0; needed: the number that "
         "the coordinator computes from its roster"}};
  return parsed;
}

Parsed<SiteConfig> parse_site(std::string_view json, std::string_view file_name,
                              std::span<const std::string> overrides) {
  return parse<SiteConfig>(json, file_name, overrides);
}

Parsed<FederationConfig> parse_federation(std::string_view json, std::string_view file_name) {
  Parsed<FederationConfig> parsed = parse<FederationConfig>(json, file_name, {});
  if (auto* federation = std::get_if<FederationConfig>(&parsed))
    if (federation->listen.empty()) federation->listen = federation->endpoint;
  return parsed;
}

std::string to_json(const FederationConfig& federation) {
  FederationConfig copy = federation;
  std::vector<Field> fields = fields_of(copy);
  std::erase_if(fields, [&](const Field& f) {  // so that older programs can read the file
    return (f.path == "revoked_keys" && federation.revoked_keys.empty()) ||
           (f.path == "successions" && federation.successions.empty());
  });
  return pretty_text(tree_of(fields, Scope::kLocal));
}

Parsed<Card> parse_card(std::string_view json, std::string_view file_name) {
  return parse<Card>(json, file_name, {});
}

std::string to_json(const Card& card) {
  Card copy = card;
  std::vector<Field> fields = fields_of(copy);
  if (!card.is_successor())
    std::erase_if(fields, [](const Field& f) { return f.path.starts_with("replaces."); });
  return pretty_text(tree_of(fields, Scope::kLocal));
}

Parsed<Revocation> parse_revocation(std::string_view json, std::string_view file_name) {
  return parse<Revocation>(json, file_name, {});
}

std::string to_json(const Revocation& revocation) {
  Revocation copy = revocation;
  return pretty_text(tree_of(fields_of(copy), Scope::kLocal));
}

JobConfig load_job(const fs::path& file, std::span<const std::string> overrides) {
  JobConfig job = value_or_throw(parse_job(read_or_throw(file), file.string(), overrides));
  if (!job.model.path.empty()) {
    job.model.path = beside(file, job.model.path).string();
    fill_model_hashes(job, file);
    fill_canonical(job);
  }
  return job;
}

SiteConfig load_site(const fs::path& file, std::span<const std::string> overrides) {
  SiteConfig site = value_or_throw(parse_site(read_or_throw(file), file.string(), overrides));
  for (fs::path* path : {&site.model_path, &site.data.train, &site.data.evaluation})
    *path = beside(file, *path);
  return site;
}

FederationConfig load_federation(const fs::path& file) {
  return value_or_throw(parse_federation(read_or_throw(file), file.string()));
}

Card load_card(const fs::path& file) {
  return value_or_throw(parse_card(read_or_throw(file), file.string()));
}

Revocation load_revocation(const fs::path& file) {
  return value_or_throw(parse_revocation(read_or_throw(file), file.string()));
}

}  // namespace sotto::config
