// Training from a record store is training from the files that it was made of, to the bit.
#include <numeric>

#include <gtest/gtest.h>

#include "common/config/parse.h"
#include "participant/data/example_source.h"
#include "participant/data/import.h"
#include "participant/data/record_file.h"
#include "participant/learning/tokenized_examples.h"
#include "participant/learning/torch_models.h"
#include "tests/participant/learning/test_device.h"
#include "tests/temporary_directory.h"

namespace sotto::learning {
namespace {

using data::Format;
using data::Purpose;
using data::SecureRecordStore;

TimePoint standing_clock() {
  return {};
}

struct StoredExamples : testing::Test {
  static config::JobConfig job_of(const std::string& example) {
    return config::load_job(std::string(SOTTO_SOURCE_DIR "/configs/") + example + "/job.json", {});
  }

  static std::filesystem::path shard(const std::string& example, const std::string& file) {
    return std::filesystem::path(SOTTO_SOURCE_DIR "/configs") / example / "data/shards" / file;
  }

  std::shared_ptr<SecureRecordStore> store_of(const std::filesystem::path& file, Format format) {
    const data::ImportPlan plan{.format = format};
    data::RecordWriter writer(kind_of(plan), key, random);
    const auto source = data::open_source(file, plan).value();
    while (const auto record = source->next().value())
      writer.add(*record);
    SOTTO_CHECK(writer.write(folder / "store").ok(), "written");
    return SecureRecordStore::open(folder / "store", key, {.clock = standing_clock}).value();
  }

  TemporaryDirectory folder;
  crypto::OsRandom random;
  crypto::Secret32 key = crypto::Secret32::random(random);
};

TEST_F(StoredExamples, AreThoseOfTheFileForEveryTask) {
  const struct {
    const char *example, *file;
    Format format;
  } cases[] = {{"quickstart", "aurora/train.tsv", Format::kLabelled},
               {"ner", "news/train.tsv", Format::kConll},
               {"tinyshakespeare", "menenius/train.tsv", Format::kLines}};

  for (const auto& c : cases) {
    const config::JobConfig job = job_of(c.example);
    const auto plain = data::read_examples(shard(c.example, c.file), job).value();
    const auto store = store_of(shard(c.example, c.file), c.format);
    {
      const data::Examples stored = data::stored_examples(store, job).value();
      ASSERT_EQ(stored.size(), plain.size());
      EXPECT_FALSE(stored.source().is_plain());
      const auto reader = stored.source().reader(Purpose::kTrain);
      for (std::size_t i = 0; i < plain.size(); ++i) {
        const data::ExampleView e = reader->read(i).value();
        ASSERT_EQ(e.text, plain[i].text) << c.example << " " << i;
        ASSERT_EQ(e.label, plain[i].label) << c.example << " " << i;
        ASSERT_TRUE(std::ranges::equal(e.words, plain[i].words)) << c.example << " " << i;
        ASSERT_TRUE(std::ranges::equal(e.tags, plain[i].tags)) << c.example << " " << i;
        ASSERT_EQ(store->in_memory(), 1U) << "one record at a time";
      }
    }
    EXPECT_EQ(store->counts(), (data::OpenCounts{plain.size(), 0, 0}));
    EXPECT_EQ(store->in_memory(), 0U);
  }
}

TEST_F(StoredExamples, TrainToTheSameBitsAsTheFileAndAreCounted) {
  config::JobConfig job = job_of("quickstart");
  const auto file = shard("quickstart", "aurora/eval.tsv");
  const auto plain = data::read_examples(file, job).value();
  const FlatParameters model = initial_model(job).value();
  const auto update_of = [&](const data::SiteExamples& examples) {
    const auto trainer =
        make_trainer(job, {.device = test_device_setting(), .threads = 1}, examples).value();
    crypto::StreamRandom seeded(7);
    auto update = trainer->train(model, 1, seeded, nullptr).value().update.values;
    return std::pair(std::move(update), trainer->evaluate(model).value());
  };
  const auto store = store_of(file, Format::kLabelled);
  const data::Examples stored = data::stored_examples(store, job).value();
  const auto of_store = update_of({stored, stored}), of_file = update_of({plain, plain});
  EXPECT_TRUE(same_values(of_store.first, of_file.first));
  EXPECT_EQ(of_store.second, of_file.second);
  const data::OpenCounts counts = store->counts();
  EXPECT_GT(counts[0], plain.size() / 2) << "two steps of a half";
  EXPECT_EQ(counts[1], plain.size());
  EXPECT_EQ(counts[2], 2 * plain.size()) << "each split is looked at when training begins";
  EXPECT_EQ(store->in_memory(), 0U);
}

TEST_F(StoredExamples, AreCutAsTheTokenizerCutsAndTheSiteIsTold) {
  for (const char* example : {"quickstart", "ner"}) {
    config::JobConfig job = job_of(example);
    job.model.max_length = 8;
    const bool tagged = example == std::string("ner");
    const auto plain =
        data::read_examples(shard(example, tagged ? "news/eval.tsv" : "aurora/eval.tsv"), job)
            .value();
    const auto tokenizer =
        std::make_shared<const text::Tokenizer>(text::load_tokenizer(job.model.path).value());
    const auto read =
        TokenizedExamples::create(tokenizer, plain, job, TokenizedExamples::Split::kEvaluation)
            .value();
    auto loader = read.loader(Purpose::kCheck);
    std::size_t long_ones = 0;
    for (std::uint64_t i = 0; i < plain.size(); ++i) {
      const Sequence& found = *loader.read({&i, 1}).value().front();
      const std::vector<std::string_view> words(plain[i].words.begin(), plain[i].words.end());
      const text::TokenizedWords cut = tokenizer->encode_words(words, 8);
      EXPECT_EQ(found.ids, tagged ? cut.ids : tokenizer->encode_framed(plain[i].text, 8)) << i;
      for (std::size_t w = 0; w < words.size(); ++w)
        EXPECT_EQ(found.words[w].at, cut.first_piece[w]) << i << " " << w;
      long_ones += (tagged ? tokenizer->encode_words(words, 10'000).ids
                           : tokenizer->encode_framed(plain[i].text, 10'000))
                               .size() > 8
                       ? 1U
                       : 0U;
    }
    EXPECT_GT(long_ones, 0U);
    EXPECT_EQ(read.tokens().cut(), long_ones);
    EXPECT_EQ(read.tokens().warnings().front().find(std::to_string(long_ones) + " of "), 0U);
  }
}

TEST_F(StoredExamples, OfAnotherKindAreRefusedAndOfOtherClassesLeftOutWithoutShowingThem) {
  const auto file = shard("quickstart", "aurora/eval.tsv");
  const auto store = store_of(file, Format::kLabelled);
  EXPECT_EQ(data::stored_examples(store, job_of("ner")).error().message,
            (folder / "store").string() + " contains labelled texts; the job needs tagged words");
  config::JobConfig job = job_of("quickstart");
  job.task.labels.erase(job.task.labels.begin());
  const data::Examples stored = data::stored_examples(store, job).value();
  const auto trainer =
      make_trainer(job, {.device = test_device_setting(), .threads = 1}, {stored, stored});
  ASSERT_TRUE(trainer.ok()) << "a refusal would tell that the class is there";
  const auto warnings = (*trainer)->data_warnings();
  EXPECT_EQ(std::ranges::count_if(warnings,
                                  [](const std::string& line) {
                                    return line.find("do not fit") != std::string::npos;
                                  }),
            2)
      << "training and evaluation";
  ASSERT_FALSE(warnings.empty());
  const std::string& said = warnings.front();
  EXPECT_NE(said.find((folder / "store").string() + ": record "), std::string::npos) << said;
  EXPECT_NE(said.find("has a label that the job does not name; it names BookRestaurant, "),
            std::string::npos)
      << said;
  EXPECT_EQ(said.find("AddToPlaylist"), std::string::npos) << said;
}

}  // namespace
}  // namespace sotto::learning
