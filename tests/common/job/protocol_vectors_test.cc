// What docs/protocol.md says around a round, byte for byte as tests/vectors/protocol/protocol.json
// has it: files, job, model and the plain lanes of an upload.
#include "common/config/parse.h"
#include "common/crypto/hash.h"
#include "common/encoding/quantizer.h"
#include "common/identity/identity.h"
#include "common/job/plan.h"
#include "common/privacy/mechanisms/clip.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/blob_transfer.h"
#include "common/wire/codec.h"
#include "coordinator/driver/round_plan.h"
#include "tests/common/config/samples.h"
#include "tests/common/secagg/vectors.h"

namespace sotto {
namespace {

using secagg::vectors::bytes;
using secagg::vectors::bytes32;
using secagg::vectors::Json;
using secagg::vectors::lane_specs;
using secagg::vectors::secret;

template <class T>
T value(config::Parsed<T> parsed) {
  if (const auto* errors = std::get_if<config::ConfigErrors>(&parsed)) {
    ADD_FAILURE() << errors->joined();
    return {};
  }
  return std::get<T>(std::move(parsed));
}

struct ProtocolVectors : ::testing::Test {
  Json known = secagg::vectors::load("../protocol/protocol.json");

  [[nodiscard]] config::FederationConfig federation() const {
    return value(config::parse_federation(known["federation"]["file"].get<std::string>(), "f"));
  }

  [[nodiscard]] crypto::SigningKey coordinator() const {
    return crypto::SigningKey::from_seed(secret(known["federation"]["coordinator_seed"]));
  }

  [[nodiscard]] crypto::SigningKey member() const {
    return crypto::SigningKey::from_seed(secret(known["card"]["seed"]));
  }

  /// Of a frame that decodes and that the encoder makes again.
  template <class M>
  static M message(const Json& frame, std::uint32_t sender, RoundNumber round = {}) {
    const auto decoded = wire::decode(bytes(frame));
    if (!decoded.ok() || !std::holds_alternative<M>(decoded->message)) {
      ADD_FAILURE() << "not the message that it should be";
      return {};
    }
    EXPECT_EQ(raw(decoded->sender), sender);
    EXPECT_EQ(decoded->round, round);
    EXPECT_EQ(to_hex(wire::encode(decoded->sender, decoded->round, decoded->message)), frame);
    return std::get<M>(decoded->message);
  }
};

config::Identity identity_of(const config::Card& card, const Json& seed) {
  return {.name = card.name,
          .signing = crypto::SigningKey::from_seed(secret(seed)),
          .transport_secret = {},
          .transport_public = card.transport_key};
}

// ---- files

TEST_F(ProtocolVectors, ACardIsWhatItsOwnerSigns) {
  const Json& v = known["card"];
  const std::string file = v["file"];
  const config::Card card = value(config::parse_card(file, "card"));
  EXPECT_EQ(to_hex(card.signed_bytes()), v["signed"]);
  EXPECT_EQ(config::to_json(config::card_of(identity_of(card, v["seed"]))), file);
}

TEST_F(ProtocolVectors, ASuccessorAndARevocationAreSignedByTheFormerKey) {
  const Json& v = known["card"];
  const config::Card old = value(config::parse_card(v["file"].get<std::string>(), "card"));
  const std::string file = v["successor"]["file"];
  const config::Card card = value(config::parse_card(file, "successor"));
  EXPECT_EQ(to_hex(card.signed_bytes()), v["successor"]["signed"]);
  EXPECT_EQ(to_hex(card.succession_bytes()), v["successor"]["signed_by_replaced"]);
  EXPECT_EQ(config::to_json(config::successor_card(identity_of(card, v["successor"]["seed"]),
                                                   identity_of(old, v["seed"]))),
            file);
  const config::Revocation revocation = config::revocation_of(identity_of(old, v["seed"]));
  EXPECT_EQ(to_hex(revocation.signed_bytes()), v["revocation"]["signed"]);
  EXPECT_EQ(config::to_json(revocation), v["revocation"]["file"]);
}

TEST_F(ProtocolVectors, AFederationFileIsWhatTheCoordinatorSigns) {
  const Json& v = known["federation"];
  const config::FederationConfig read = federation();
  EXPECT_EQ(to_hex(read.roster.canonical()), v["roster_hashed"]);
  EXPECT_EQ(to_hex(read.roster.hash()), v["roster_hash"]);
  EXPECT_EQ(to_hex(read.signed_bytes()), v["signed"]);
  EXPECT_EQ(coordinator().sign(read.signed_bytes()), read.signature);
  EXPECT_EQ(config::to_json(read), v["file"]);
}

// ---- the job

TEST_F(ProtocolVectors, HelloWithAndWithoutARun) {
  const Json& v = known["hello"];
  const config::Roster roster = federation().roster;
  wire::Hello hello{.roster_version = roster.version, .roster_hash = roster.hash()};
  EXPECT_EQ(message<wire::Hello>(v["without_run"], 2), hello);
  hello.run = bytes32(known["job_offer"]["run"]);
  EXPECT_EQ(message<wire::Hello>(v["with_run"], 2), hello);
}

TEST_F(ProtocolVectors, AJobOfferIsSignedOverTheHashOfTheText) {
  const Json& v = known["job_offer"];
  auto offer = message<wire::JobOffer>(v["frame"], 0);
  EXPECT_EQ(offer.job, v["job"]);
  EXPECT_EQ(to_hex(crypto::hash("SOTTO job", {view_of(offer.job)})), v["job_hash"]);
  EXPECT_EQ(coordinator().sign(bytes(v["signed"])), offer.signature);
  EXPECT_TRUE(secagg::verify_job_offer(coordinator().verify_key(), offer));
}

TEST_F(ProtocolVectors, AJobReplyIsSignedWithoutTheLengthOfItsReason) {
  for (const Json& v : known["job_replies"]) {
    const auto reply = message<wire::JobReply>(v["frame"], 2);
    EXPECT_EQ(static_cast<int>(reply.answer), v["answer"]);
    EXPECT_EQ(reply.training_examples, v["training_examples"]);
    EXPECT_EQ(reply.evaluation_examples, v["evaluation_examples"]);
    EXPECT_EQ(reply.least_sum, v["least_sum"]);
    EXPECT_EQ(reply.reason, v["reason"]);
    EXPECT_EQ(member().sign(bytes(v["signed"])), reply.signature);
    EXPECT_TRUE(secagg::verify_job_reply(member().verify_key(), reply));
  }
}

TEST_F(ProtocolVectors, TheEndOfARunIsSignedWithoutTheLengthOfItsReason) {
  for (const Json& v : known["run_finished"]) {
    const auto finished = message<wire::RunFinished>(v["frame"], 0);
    EXPECT_EQ(finished.completed, v["completed"] == 1);
    EXPECT_EQ(to_hex(finished.model_hash), v["model_hash"]);
    EXPECT_EQ(finished.reason, v["reason"]);
    EXPECT_EQ(coordinator().sign(bytes(v["signed"])), finished.signature);
    EXPECT_TRUE(secagg::verify_run_finished(coordinator().verify_key(), finished));
  }
}

// ---- the model

FlatParameters model_of(const Json& v) {
  FlatParameters model;
  for (const Json& tensor : v["tensors"])
    model.layout.push_back({tensor["name"], tensor["shape"].get<std::vector<std::int64_t>>()});
  model.values = v["values"].get<std::vector<float>>();
  return model;
}

TEST_F(ProtocolVectors, AModelsBlobAndItsHash) {
  const Json& v = known["model"];
  const FlatParameters model = model_of(v);
  EXPECT_EQ(to_hex(encode_parameters(model)), v["blob"]);
  EXPECT_EQ(to_hex(model.hash()), v["hash"]);
  const auto decoded = decode_parameters(bytes(v["blob"]));
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(decoded->layout, model.layout);
  EXPECT_EQ(decoded->values, model.values);
}

TEST_F(ProtocolVectors, ARangeIsAnsweredWithItsBytesUpToTheEndOfTheBlob) {
  const Json& v = known["model"];
  const RoundNumber round = RoundNumber::of(2, 1);
  const Bytes blob = bytes(v["blob"]);
  for (const Json& range : v["ranges"]) {
    const auto request = message<wire::BlobRequest>(range["request"], 2, round);
    const auto data = wire::answer(request, blob);
    ASSERT_TRUE(data.ok()) << data.error().message;
    EXPECT_EQ(to_hex(wire::encode(kCoordinatorId, round, *data)), range["answer"]);
  }
  const auto absent = message<wire::BlobData>(v["absent"], 2, round);
  EXPECT_EQ(absent, wire::absent({.blob = absent.blob, .offset = 64, .length = 64}));
}

// ---- the lanes

config::JobConfig job_with(const std::string& task, const Json& labels, const Json& bits) {
  const std::vector<std::string> overrides = {
      "task.type=\"" + task + "\"", "task.labels=" + labels.dump(),
      "secure_aggregation.quantization_bits=" + bits.dump(), "secure_aggregation.max_colluders=1"};
  return value(config::parse_job(config::samples::kJob, "job", overrides));
}

TEST_F(ProtocolVectors, LanesFollowFromTheJobAndTheCohort) {
  for (const Json& v : known["lanes"]) {
    Json labels = Json::array();
    for (int i = 0; i < v["labels"]; ++i)
      labels.push_back("kind" + std::to_string(i));
    const encoding::EncodingSpec spec =
        job::encoding_of(job_with(v["task"], labels, v["quantization_bits"]));
    EXPECT_EQ(encoding::lane_specs(spec, v["values"], v["n"]), lane_specs(v["lanes"]));
    EXPECT_EQ(encoding::lane_specs(encoding::without_metrics(spec), v["values"], v["n"]),
              lane_specs(v["without_counters"]));
  }
}

struct UploadVector : ProtocolVectors {
  const Json& v = known["upload"];
  config::JobConfig job = job_of(v, known["job_offer"]);

  static config::JobConfig job_of(const Json& upload, const Json& offer) {
    auto job = job_with("sequence_classification", upload["labels"], upload["quantization_bits"]);
    job.secure_aggregation.value_range = upload["value_range"];
    job.hash = bytes32(offer["job_hash"]);  // the vector's job is shorter than a whole one
    return job;
  }

  [[nodiscard]] wire::RoundHeader header() const {
    return wire::parse_header(bytes(v["header"]["bytes"])).value();
  }
};

TEST_F(UploadVector, TheCoordinatorPlansThisHeader) {
  std::vector<MemberId> cohort;
  for (std::uint32_t id : v["cohort"])
    cohort.push_back(MemberId{id});
  FlatParameters model = model_of(known["model"]);
  const auto plan =
      coordinator::make_round_plan(job, federation().roster, bytes32(v["header"]["run"]),
                                   RoundNumber::of(v["server_round"], v["attempt"]), cohort, model,
                                   coordinator::EvaluationCounters::kSummed);
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  EXPECT_EQ(plan->header, header());
  EXPECT_EQ(to_hex(secagg::header_hash(plan->header)), v["header"]["hash"]);
}

TEST_F(UploadVector, AnUpdateAndItsCountersBecomeTheseLanes) {
  auto clipped = clip(FlatUpdate(v["update"].get<std::vector<float>>()), 100);
  ASSERT_TRUE(clipped.ok());
  secagg::vectors::ScriptedRandom random;
  random.say(v["rounding_seed"]);
  const auto lanes =
      encoding::encode(job::encoding_of(job), header().lanes, bytes32(v["header"]["hash"]),
                       std::move(*clipped), {.weight = 1, .metrics = v["metrics"]}, random);
  ASSERT_TRUE(lanes.ok()) << lanes.error().message;
  for (std::size_t i = 0; i < lanes->lanes.size(); ++i)
    EXPECT_EQ(secagg::vectors::words_of(lanes->lanes[i]), v["words"][i]);
  EXPECT_EQ(to_hex(lanes->pack()), v["packed_unmasked"]);
  EXPECT_TRUE(random.used_up());
}

}  // namespace
}  // namespace sotto
