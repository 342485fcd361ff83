// The JSON Schemas for editors and the configuration reference, from the tables of fields.
#include <iterator>
#include <span>

#include "common/base/check.h"
#include "common/config/fields.h"
#include "common/config/json_tree.h"
#include "common/config/parse.h"

namespace sotto::config {

namespace {

Json text(std::string_view v) {
  return {std::string(v)};
}

Json whole(double v) {
  return {static_cast<std::uint64_t>(v)};
}

Json object_schema(const std::vector<Field>& fields);

void put_range(Json& schema, const Range& l) {
  schema[l.above_min ? "exclusiveMinimum" : "minimum"] = {l.min};
  schema[l.below_max ? "exclusiveMaximum" : "maximum"] = {l.max};
}

void put_words(Json& schema, std::span<const std::string_view> words) {
  Json::Array allowed;
  for (const std::string_view word : words)
    allowed.push_back(text(word));
  schema["enum"] = {std::move(allowed)};
}

void put_text(Json& schema, const Limits& l) {
  schema["type"] = text("string");
  if (!l.allowed.empty()) {
    put_words(schema, l.allowed);
  } else if (l.text == TextRule::kName) {
    schema["pattern"] = text("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$");
  } else if (l.text == TextRule::kEndpoint) {
    schema["pattern"] = text("^tcp://[!-~]+:[0-9]{1,5}$");
  }
}

/// PutType adds the type and limits of a field's value to `schema`.
struct PutType {
  const Limits& l;
  Json& schema;

  void operator()(const bool*) const { schema["type"] = text("boolean"); }

  void operator()(const double*) const {
    schema["type"] = text("number");
    put_range(schema, l.range);
  }

  void operator()(const std::string*) const { put_text(schema, l); }

  void operator()(const ChoiceSlot& v) const {
    schema["type"] = text("string");
    put_words(schema, v.words());
  }

  void operator()(const std::filesystem::path*) const {
    schema["type"] = text("string");
    schema["minLength"] = whole(1);
  }

  template <std::size_t N>
  void operator()(const std::array<std::uint8_t, N>*) const {
    schema["type"] = text("string");
    schema["pattern"] = text("^[0-9a-fA-F]{" + std::to_string(2 * N) + "}$");
  }

  void operator()(const std::vector<std::string>*) const {
    put_list();
    put_text(schema["items"], l);
    schema["items"]["minLength"] = whole(1);
  }

  void operator()(const std::vector<std::uint32_t>*) const {
    put_list();
    put_integer(schema["items"]);
  }

  template <class Item>
  void operator()(const std::vector<Item>*) const {
    put_list();
    Item item;
    schema["items"] = object_schema(fields_of(item));
  }

  template <class Integer>
  void operator()(const Integer*) const {
    put_integer(schema);
  }

 private:
  void put_integer(Json& at) const {
    at["type"] = text("integer");
    at["minimum"] = whole(l.range.min);
    at["maximum"] = whole(l.range.max);
  }

  void put_list() const {
    schema["type"] = text("array");
    schema["minItems"] = whole(static_cast<double>(l.min_items));
    schema["maxItems"] = whole(static_cast<double>(l.max_items));
  }
};

/// Returns whether the default is worth showing. The empty text and the zero key stand for "not
/// set".
bool has_default(const Field& field) {
  if (field.presence == Presence::kRequired) return false;
  if (std::holds_alternative<Bytes32*>(field.slot) || std::holds_alternative<Bytes64*>(field.slot))
    return false;
  const Json value = value_of(field);
  const auto* as_text = std::get_if<std::string>(&value.value);
  return as_text == nullptr || !as_text->empty();
}

Json field_schema(const Field& field) {
  Json schema{Json::Object{}};
  schema["description"] = text(field.help);
  std::visit(PutType{field.limits, schema}, field.slot);
  if (has_default(field)) schema["default"] = value_of(field);
  return schema;
}

void put_object(Json& schema) {
  if (schema.object() != nullptr) return;
  schema["type"] = text("object");
  schema["additionalProperties"] = {false};
  schema["properties"] = {Json::Object{}};
}

void require(Json& schema, std::string_view key) {
  Json& required = schema["required"];
  if (!std::holds_alternative<Json::Array>(required.value)) required = {Json::Array{}};
  auto& names = std::get<Json::Array>(required.value);
  for (const Json& name : names)
    if (std::get<std::string>(name.value) == key) return;
  names.push_back(text(key));
}

/// Returns the schema of an object. Sections become nested objects; a section that contains a
/// required field is required itself.
Json object_schema(const std::vector<Field>& fields) {
  Json root;
  put_object(root);
  for (const Field& field : fields) {
    Json* at = &root;
    std::string_view rest = field.path;
    for (std::size_t dot = rest.find('.');; dot = rest.find('.')) {
      const std::string_view key = rest.substr(0, dot);
      if (field.presence == Presence::kRequired) require(*at, key);
      at = &(*at)["properties"][key];
      if (dot == std::string_view::npos) break;
      put_object(*at);
      rest.remove_prefix(dot + 1);
    }
    *at = field_schema(field);
  }
  return root;
}

std::string table_row(const Field& field) {
  std::string shown = "required";
  if (has_default(field))
    shown = "`" + canonical_text(value_of(field)) + "`";
  else if (field.presence == Presence::kOptional)
    shown = "none";
  return "| `" + std::string(field.path) + "` | " + shown + " | " + describe(field) + " | " +
         std::string(field.help) + " |\n";
}

std::string table(const std::vector<Field>& fields) {
  std::string out = "| Key | Default | Allowed | Meaning |\n|---|---|---|---|\n";
  for (const Field& field : fields)
    out += table_row(field);
  return out + "\n";
}

constexpr std::string_view kIntroduction = R"(# Configuration reference

This document is generated by `sotto-coordinator config reference > docs/configuration.md` from the
table that the parser of the files uses, and a test compares the two. JSON Schemas for editors are in
`configs/schema/`; a file may name its schema under `"$schema"`.

There are three files, one for each owner, so that no party edits the file of another party:

| File | Owner | Content |
|---|---|---|
| `job.json` | the data scientist | what is trained and how; simulation and deployment use the same file |
| `site.json` | a participant | its data, resources and policy, which can only tighten what a job asks for; it never leaves the site |
| `federation.json` | the operator of the coordinator | the members; `sotto-coordinator enroll` writes and signs it |

The following rules apply to all three files. Comments that begin with `//` are allowed. An unknown
key, a key that occurs twice, a missing key and a value out of range are errors. All errors of a file
are reported together, each with its path and the allowed values. Relative paths start at the folder
of the file that contains them. `--set PATH=VALUE` replaces one value of `job.json` or `site.json`,
for example `--set differential_privacy.target_epsilon=4`.

)";

constexpr std::string_view kJob = R"(## job.json

Every party uses the same bytes of a job: the resolved job with sorted keys and no white space, without
`model.path` and with the hashes of the model's two files. The hash of these bytes is covered by every
signature of a run.

)";

constexpr std::string_view kSite = R"(## site.json

)";

constexpr std::string_view kFederation = R"(## federation.json

)";

constexpr std::string_view kMembers =
    R"(Each item of `successions` is a card with `replaces`, which is described below. Each item of
`roster.members` has these keys:

)";

constexpr std::string_view kCard = R"(## Cards and key files

`sotto-participant init` creates `keystore.json` and `NAME.card.json`. The keystore contains the secret
keys, has mode 0600 and never leaves the site ([site.md](site.md#keys)). The card is public, and the
operator enrols it. A card that replaces another one has the section `replaces`:

)";

constexpr std::string_view kRevocation =
    R"(`sotto-participant keys revoke` writes `NAME.revocation.json`, which `sotto-coordinator revoke` reads:

)";

constexpr std::string_view kPinned =
    R"(`sotto-participant join` keeps a copy of `federation.json`. In `pinned.json` it records what this
participant compares later files with: the coordinator's two keys, the name and endpoint of the
federation, the version, hash and expiry of the roster, the participant's own member id, the name and
keys of every member that it has known, and the revoked keys. The participant rejects a file that
another coordinator signed, a file with an older roster, a file that lacks a key which is pinned as
revoked, and a file with other keys of a known member that its old keys did not sign
([site.md](site.md#a-newer-roster)).
)";

}  // namespace

std::string json_schema(std::string_view kind) {
  JobConfig job;
  SiteConfig site;
  FederationConfig federation;
  SOTTO_CHECK(kind == "job" || kind == "site" || kind == "federation", "no such schema");
  Json body = object_schema(kind == "job"    ? fields_of(job)
                            : kind == "site" ? fields_of(site)
                                             : fields_of(federation));
  body["properties"]["$schema"]["type"] = text("string");
  Json schema;
  schema["$schema"] = text("https://json-schema.org/draft/2020-12/schema");
  schema["title"] = text("Sotto " + std::string(kind) + ".json");
  auto& members = std::get<Json::Object>(body.value);
  auto& all = std::get<Json::Object>(schema.value);
  all.insert(all.end(), std::make_move_iterator(members.begin()),
             std::make_move_iterator(members.end()));
  return pretty_text(schema);
}

std::string reference_markdown() {
  JobConfig job;
  SiteConfig site;
  FederationConfig federation;
  RosterMember member;
  Card card;
  Revocation revocation;
  std::string out(kIntroduction);
  out.append(kJob).append(table(fields_of(job)));
  out.append(kSite).append(table(fields_of(site)));
  out.append(kFederation).append(table(fields_of(federation)));
  out.append(kMembers).append(table(fields_of(member)));
  out.append(kCard).append(table(fields_of(card)));
  out.append(kRevocation).append(table(fields_of(revocation)));
  return out.append(kPinned);
}

}  // namespace sotto::config
