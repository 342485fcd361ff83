// Whether a site sends an update, and how it looks, does not depend on single examples that cannot
// be computed: they contribute zero, and the others what they contribute without them. Only the
// site's own warnings tell.
#include <cmath>
#include <fstream>
#include <functional>
#include <new>
#include <numeric>
#include <set>

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include "common/tasks/labelled_counters.h"
#include "participant/learning/dp_sgd/draw_gradient_torch.h"
#include "participant/learning/tasks/evaluation_torch.h"
#include "participant/learning/torch_models.h"
#include "participant/learning/transformer/job_model.h"
#include "participant/text/tokenizer.h"
#include "tests/participant/learning/failing_memory.h"
#include "tests/participant/learning/own_folder.h"
#include "tests/participant/learning/test_device.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;

/// Examples of a record store, whose every opening while training goes through `on_use`.
class WatchedSource final : public data::ExampleSource {
 public:
  using OnUse = std::function<Status()>;

  WatchedSource(std::vector<data::Example> examples, OnUse on_use)
      : examples_(std::move(examples)), on_use_(std::move(on_use)) {}

  [[nodiscard]] std::size_t size() const override { return examples_.size(); }

  [[nodiscard]] std::unique_ptr<data::ExampleReader> reader(data::Purpose /*all*/) const override {
    return std::make_unique<Reader>(*this);
  }

  [[nodiscard]] bool is_plain() const override { return false; }

  [[nodiscard]] const data::LeftOut& left_out() const override { return left_out_; }

 private:
  struct Reader final : data::ExampleReader {
    explicit Reader(const WatchedSource& from) : source(from) {}

    Result<data::ExampleView> read(std::size_t index) override {
      const data::Example& e = source.examples_[index];
      return data::ExampleView{.text = e.text, .label = e.label, .person = e.person};
    }

    Status use() override { return source.on_use_(); }

    const WatchedSource& source;
  };

  std::vector<data::Example> examples_;
  OnUse on_use_;
  data::LeftOut left_out_;
};

double norm_of(const std::vector<double>& v) {
  return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    squares += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(squares);
}

/// A language model of width 64; one step, all examples in it, hardly any noise.
class FailingExamples : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = own_folder();
    fs::copy(SOTTO_SOURCE_DIR "/configs/tinyshakespeare/model/tokenizer.json",
             folder_ / "tokenizer.json");
    std::ofstream(folder_ / "config.json")
        << R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 512,)"
        << R"( "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 8,)"
        << R"( "num_key_value_heads": 8, "intermediate_size": 64, "rms_norm_eps": 1e-05,)"
        << R"( "max_position_embeddings": 512, "rope_theta": 10000.0, "hidden_act": "silu",)"
        << R"( "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": false,)"
        << R"( "initializer_range": 0.1})";
    job_.model = {
        .path = folder_.string(), .max_length = 40, .initial = config::InitialModel::kRandom};
    job_.task.type = "causal_language_modeling";
    job_.differential_privacy = {.clipping_norm = 1, .noise_multiplier = 1e-6};
    job_.local_training = {.local_steps = 1,
                           .sampling_rate = 1,
                           .physical_batch_size = 4,
                           .optimizer = config::LocalOptimizer::kSgd,
                           .learning_rate = 1};
    resources_ = {.device = test_device_setting(), .threads = 1};
    model_ = initial_model(job_).value();
    const auto tokenizer = text::load_tokenizer(folder_).value();
    for (const data::Example& e : lines())
      ASSERT_EQ(tokenizer.encode_framed(e.text, 40).size(),
                tokenizer.encode_framed(lines()[0].text, 40).size());
  }

  /// Eight lines of the same number of tokens, so that a batch has them in their order.
  static std::vector<data::Example> lines() {
    std::vector<data::Example> out;
    for (const char* text : {"a b c d e f", "b c d e f a", "c d e f a b", "d e f a b c",
                             "e f a b c d", "f a b c d e", "a c e b d f", "f e d c b a"})
      out.push_back({text, 0});
    return out;
  }

  struct Step {
    std::vector<double> sum;  // of gradients
    std::vector<std::string> warnings;
  };

  [[nodiscard]] std::unique_ptr<training::Trainer> trainer_of(data::Examples train) const {
    return make_trainer(job_, resources_, {std::move(train), {}}).value();
  }

  Result<Step> try_step(training::Trainer& trainer) const {
    crypto::StreamRandom random(3);
    const auto trained = trainer.train(model_, 1, random, nullptr);
    if (!trained) return trained.error();
    Step step{{}, trained->warnings};
    const auto count = static_cast<double>(trainer.training_units());
    for (const float v : trained->update.values) {
      SOTTO_CHECK(std::isfinite(v), "an update is finite");
      step.sum.push_back(-count * static_cast<double>(v));
    }
    return step;
  }

  [[nodiscard]] Step step_of(data::Examples train) const {
    return try_step(*trainer_of(std::move(train))).value();
  }

  std::span<float> values_of(const std::string& name) {
    std::size_t at = 0;
    for (const ParameterShape& p : model_.layout) {
      if (p.name == name) return std::span(model_.values).subspan(at, p.count());
      at += p.count();
    }
    ADD_FAILURE() << name;
    return {};
  }

  /// The token that only this letter has among those of the tests.
  [[nodiscard]] std::size_t token_of(const std::string& letter) const {
    const auto ids = text::load_tokenizer(folder_).value().encode_framed("a " + letter, 40);
    return static_cast<std::size_t>(ids.back());
  }

  /// Weights with which an activation of this token, and of no other, has a square that float32
  /// cannot hold.
  void poison(const std::string& letter) {
    constexpr float kMost = kMaxParameterMagnitude;
    const std::size_t token = token_of(letter);
    const std::span<float> words = values_of("model.embed_tokens.weight");
    for (std::size_t v = 0; v < 512; ++v)
      words[v * 64 + 63] = v == token ? kMost : 0;
    values_of("model.layers.0.post_attention_layernorm.weight")[63] = kMost;
    for (const char* name :
         {"model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.up_proj.weight"})
      for (std::size_t i = 0; i < 64; ++i)
        values_of(name)[i * 64 + 63] = kMost;
    // Attention must leave the last element alone.
    std::ranges::fill(values_of("model.layers.0.self_attn.o_proj.weight"), 0.0F);
  }

  /// Makes the embedding of a token, which is returned, not a number.
  std::size_t spoil(const std::string& letter) {
    const std::size_t token = token_of(letter);
    std::ranges::fill(values_of("model.embed_tokens.weight").subspan(64 * token, 64),
                      std::nanf(""));
    return token;
  }

  fs::path folder_;
  config::JobConfig job_;
  config::SiteResources resources_;
  FlatParameters model_;
};

TEST_F(FailingExamples, AnExampleThatOverflowsContributesNothingAndTheOthersStay) {
  poison("q");
  std::vector<data::Example> more = lines();
  more.push_back({"a b c d e q", 0});
  for (const config::Clipping rule : {config::Clipping::kFlat, config::Clipping::kAutomatic,
                                      config::Clipping::kPerLayer, config::Clipping::kAdaptive})
    for (const bool two_passes : {false, true}) {
      job_.differential_privacy.clipping = rule;
      resources_.gradient_checkpointing = two_passes;
      const Step without = step_of(lines()), with = step_of(more);
      EXPECT_EQ(with.sum.size(), without.sum.size());
      EXPECT_LT(distance(with.sum, without.sum), 5e-3) << config::word_of(rule);
      EXPECT_GT(norm_of(without.sum), 0.3) << config::word_of(rule);
      EXPECT_EQ(without.warnings, std::vector<std::string>{});
      ASSERT_EQ(with.warnings.size(), 1U);
      EXPECT_EQ(with.warnings[0].find("1 drawn example contributed nothing: the loss or the "
                                      "gradient was not finite (first in step 1, there of model."),
                0U)
          << with.warnings[0];
    }
}

// Her other examples keep the weight that they have beside it.
TEST_F(FailingExamples, AnExampleOfAPersonThatOverflowsContributesNothingAndTheOthersStay) {
  poison("q");
  job_.differential_privacy.unit = privacy::ProtectedUnit::kPerson;
  std::vector<data::Example> persons = lines();
  for (std::size_t i = 0; i < persons.size(); ++i)
    persons[i].person = i < 4 ? "p" : "q";
  std::vector<data::Example> failing = persons;
  failing[3].text = "a b c d e q";
  const auto sum_of = [this](std::vector<data::Example> examples) {
    data::SiteExamples site{data::Examples(std::move(examples)), {}};
    site.training_persons = 2;
    return try_step(*make_trainer(job_, resources_, std::move(site)).value()).value();
  };
  const Step all = sum_of(persons), with = sum_of(failing);
  persons.erase(persons.begin() + 3);
  const Step three = sum_of(persons);
  ASSERT_EQ(with.warnings.size(), 1U);
  EXPECT_EQ(with.warnings[0].find("1 drawn example contributed nothing"), 0U);
  // With three examples p's sum counts thirds, with a failing fourth one quarters.
  std::vector<data::Example> q_only(persons.begin() + 3, persons.end());
  const Step q = sum_of(std::move(q_only));
  std::vector<double> expected = q.sum;
  for (std::size_t i = 0; i < expected.size(); ++i)
    expected[i] += 0.75 * (three.sum[i] - q.sum[i]);
  EXPECT_LT(distance(with.sum, expected), 5e-3);
  EXPECT_GT(distance(with.sum, three.sum), 0.05);
  EXPECT_GT(distance(with.sum, all.sum), 0.05);
}

// At the sum itself, with a weight that no coordinator can send.
TEST_F(FailingExamples, WhereALossIsNotFiniteTheExampleIsLeftOutWithAndWithoutPrivacy) {
  const ModelSpec spec = spec_of(job_).value();
  Transformer model(spec, modules_of(spec).value(), test_device());
  const auto tokenizer = text::load_tokenizer(folder_).value();
  const std::size_t poisoned = spoil("q");
  ASSERT_TRUE(model.load(model_).ok());
  std::vector<Sequence> texts;
  for (const data::Example& e : lines())
    texts.push_back({tokenizer.encode_framed(e.text, 40), 0, {}});
  texts.insert(texts.begin() + 2, texts[0]);
  texts[2].ids.back() = static_cast<std::int32_t>(poisoned);
  const std::vector<std::size_t> lengths(texts.size(), texts[0].ids.size());
  const auto task = make_task_learning(job_);
  const DrawPlan plan{.model = model,
                      .task = *task,
                      .lengths = lengths,
                      .batch_size = 4,
                      .read = [&](std::span<const std::uint64_t> indices) -> Result<Batch> {
                        std::vector<const Sequence*> rows;
                        for (const std::uint64_t i : indices)
                          rows.push_back(&texts[i]);
                        return make_batch(rows, 0, test_device());
                      },
                      .new_pass = [] { return Pass{}; }};
  const std::vector<std::uint64_t> all{0, 1, 2, 3, 4, 5, 6, 7, 8}, without{0, 1, 3, 4, 5, 6, 7, 8};
  for (const bool is_private : {true, false}) {
    const auto sum_of = [&](const std::vector<std::uint64_t>& draw) {
      model.gradient().zero_();
      Clipping clipping(job_.differential_privacy, model.parameters());
      const DrawOutcome seen =
          is_private ? add_clipped(plan, draw, clipping) : add_plain(plan, draw);
      EXPECT_EQ(seen.computed, 8U);
      EXPECT_EQ(seen.not_finite, draw.size() - 8);
      EXPECT_EQ(seen.failed, 0U);
      EXPECT_TRUE(std::isfinite(seen.loss));
      return model.gradient().mul(is_private ? 1.0 : static_cast<double>(draw.size()));
    };
    const at::Tensor expected = sum_of(without), found = sum_of(all);
    EXPECT_GT(expected.norm().item<double>(), 0.3);
    EXPECT_LT((found - expected).norm().item<double>(), 1e-5 * expected.norm().item<double>());
  }
}

TEST_F(FailingExamples, ABatchThatFailsOnceIsComputedAgainAndLosesNobody) {
  const std::vector<WatchedSource::OnUse> failures{
      [] { return Status(Error{"the store said no"}); }, []() -> Status { throw std::bad_alloc(); },
      []() -> Status { TORCH_CHECK(false, "an operation failed"); }};
  for (const bool is_private : {true, false}) {
    job_.differential_privacy.enabled = is_private;
    const Step whole = step_of(lines());
    for (const auto& failure : failures)
      for (const int failing : {1, 3, 7}) {
        int calls = 0;
        const Step found = step_of(data::Examples(std::make_shared<WatchedSource>(
            lines(), [&]() -> Status { return ++calls == failing ? failure() : Status{}; })));
        EXPECT_LT(distance(found.sum, whole.sum), 1e-5 * norm_of(whole.sum));
        EXPECT_EQ(found.warnings, std::vector<std::string>{});
        EXPECT_GT(calls, 8) << "nothing was computed again";
      }
  }
}

TEST_F(FailingExamples, AnExampleThatFailsAgainContributesNothingAndTheOthersStay) {
  // The first batch fails at its second example and is read again one by one, where the second one
  // fails again.
  std::vector<data::Example> others = lines();
  others.erase(others.begin() + 1);
  for (const bool is_private : {true, false}) {
    job_.differential_privacy.enabled = is_private;
    const Step expected = step_of(others);
    int calls = 0;
    const Step found =
        step_of(data::Examples(std::make_shared<WatchedSource>(lines(), [&]() -> Status {
          ++calls;
          if (calls == 2 || calls == 4) return Error{"record 1: no"};
          return {};
        })));
    EXPECT_LT(distance(found.sum, expected.sum), 5e-3 * norm_of(expected.sum));
    EXPECT_EQ(found.warnings,
              std::vector<std::string>{"1 drawn example contributed nothing: opening or "
                                       "computing failed (first in step 1: record 1: no)"});
  }
}

TEST_F(FailingExamples, WhereEveryOneFailsTheStepIsNoiseAlone) {
  const Step found = step_of(data::Examples(std::make_shared<WatchedSource>(
      lines(), []() -> Status { return Error{"the store is closed"}; })));
  EXPECT_LT(norm_of(found.sum), 5e-3);
  EXPECT_GT(norm_of(found.sum), 0);
  ASSERT_FALSE(found.warnings.empty());
  EXPECT_EQ(found.warnings[0].find("8 drawn examples contributed nothing"), 0U);
}

// An allocation fails anywhere in a step: with all examples or with none, but never with a part of
// a sum, which could hold an example twice or drop the others of a batch.
TEST_F(FailingExamples, MemoryThatFailsAnywhereLeavesTheWholeSumOrNoiseAlone) {
  resources_.device = cpu_alone();  // what fails are allocations of this thread
  for (const bool two_passes : {false, true}) {
    resources_.gradient_checkpointing = two_passes;
    const auto trainer = trainer_of(lines());
    const Step whole = try_step(*trainer).value();
    const std::int64_t allocations =
        allocations_of([&] { SOTTO_CHECK(try_step(*trainer).ok(), "a step"); });
    std::size_t computed_again = 0;
    for (std::int64_t failing = 1; failing <= allocations; failing += 23) {
      Result<Step> found = Error{""};
      with_failing_allocation(failing, [&] { found = try_step(*trainer); });
      if (!found) continue;  // where no example is looked at
      const double apart = distance(found->sum, whole.sum);
      if (apart < 5e-4)
        ++computed_again;
      else
        EXPECT_LT(norm_of(found->sum), 5e-3) << "allocation " << failing << ", apart " << apart;
    }
    EXPECT_GT(computed_again, static_cast<std::size_t>(allocations / 23) * 3 / 4);
  }
}

TEST_F(FailingExamples, AnEvaluationCountsOneThatIsNotFiniteAsWrongWithTheLargestLoss) {
  const auto tokenizer =
      std::make_shared<const text::Tokenizer>(text::load_tokenizer(folder_).value());
  const ModelSpec spec = spec_of(job_).value();
  Transformer model(spec, modules_of(spec).value(), test_device());
  spoil("q");
  ASSERT_TRUE(model.load(model_).ok());
  const auto counts_of = [&](std::vector<data::Example> texts) {
    const auto examples = TokenizedExamples::create(tokenizer, std::move(texts), job_,
                                                    TokenizedExamples::Split::kEvaluation)
                              .value();
    const auto task = make_task_learning(job_);
    return task->task().in_steps(
        evaluate_examples({.model = model,
                           .task = *task,
                           .examples = examples,
                           .physical_batch_size = job_.local_training.physical_batch_size,
                           .device = test_device()}));
  };
  const std::vector<std::uint64_t> without = counts_of(lines());
  std::vector<data::Example> more = lines();
  more.insert(more.begin() + 2, {"a b c d e q", 0});
  const std::vector<std::uint64_t> with = counts_of(more);
  const std::uint64_t tokens = tokenizer->encode_framed("a b c d e q", 40).size() - 1;
  EXPECT_EQ(with[0], without[0] + tokens);
  EXPECT_EQ(with[1], without[1]);
  EXPECT_NEAR(
      static_cast<double>(with[2]),
      static_cast<double>(without[2]) + static_cast<double>(tokens) * tasks::kMostLoss * 1000, 10);
}

TEST_F(FailingExamples, AnEvaluationReadsABatchThatFailsAgainOneByOne) {
  const auto counts_of = [&](data::Examples evaluation) {
    return make_trainer(job_, resources_, {lines(), std::move(evaluation)})
        .value()
        ->evaluate(model_)
        .value();
  };
  const std::vector<std::uint64_t> whole = counts_of(lines());
  int calls = 0;
  const auto failing_at = [&](std::set<int> at) {
    calls = 0;
    return data::Examples(std::make_shared<WatchedSource>(lines(), [&calls, at]() -> Status {
      return at.contains(++calls) ? Status(Error{"record 1: no"}) : Status{};
    }));
  };
  EXPECT_EQ(counts_of(failing_at({2})), whole);
  const std::vector<std::uint64_t> left_out = counts_of(failing_at({2, 4, 5}));
  EXPECT_EQ(left_out[0], whole[0] / 8 * 7) << "its second reading, and that to count it as wrong";
}

/// A family whose tokenizer puts nothing in front of a text.
class OneTokenLines : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    folder_ = own_folder();
    std::ofstream(folder_ / "vocab.json")
        << R"({"a": 0, "b": 1, "c": 2, "\u0120": 3, "<|endoftext|>": 4})";
    std::ofstream(folder_ / "merges.txt") << "#version: 0.2\n";
    std::ofstream(folder_ / "tokenizer_config.json") << R"({"tokenizer_class": "GPT2Tokenizer"})";
    std::ofstream(folder_ / "config.json") << GetParam();
    job_.model = {
        .path = folder_.string(), .max_length = 12, .initial = config::InitialModel::kRandom};
    job_.task.type = "causal_language_modeling";
    job_.differential_privacy.noise_multiplier = 0.5;
    job_.local_training = {.local_steps = 2, .sampling_rate = 1, .physical_batch_size = 2};
  }

  fs::path folder_;
  config::JobConfig job_;
};

INSTANTIATE_TEST_SUITE_P(
    Families, OneTokenLines,
    ::testing::Values(
        R"({"model_type": "gpt2", "vocab_size": 5, "n_embd": 16, "n_layer": 1, "n_head": 2,
            "n_positions": 12})",
        R"({"model_type": "qwen2", "vocab_size": 5, "hidden_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 16,
            "rms_norm_eps": 1e-6, "max_position_embeddings": 12, "rope_theta": 10000.0,
            "hidden_act": "silu", "tie_word_embeddings": true})"),
    [](const auto& c) { return std::string(c.index == 0 ? "gpt2" : "qwen2"); });

TEST_P(OneTokenLines, AreTrainedOnAndEvaluatedWithoutALoss) {
  const std::vector<data::Example> texts{{"a", 0}, {"b", 0}, {"c", 0}, {"a b c", 0}};
  for (const bool is_private : {true, false}) {
    job_.differential_privacy.enabled = is_private;
    const auto trainer =
        make_trainer(job_, {.device = test_device_setting(), .threads = 1}, {texts, texts}).value();
    const FlatParameters model = initial_model(job_).value();
    crypto::StreamRandom random(1);
    const auto trained = trainer->train(model, 1, random, nullptr);
    ASSERT_TRUE(trained.ok()) << trained.error().message;
    EXPECT_EQ(trained->warnings, std::vector<std::string>{});
    const auto counts = trainer->evaluate(model).value();
    EXPECT_EQ(counts[0], 4U) << "of \"a b c\": blank, b, blank, c";
    EXPECT_LE(counts[1], counts[0]);
    EXPECT_NEAR(static_cast<double>(counts[2]), 4 * 1609, 1000);  // ln 5 each
  }
}

}  // namespace
}  // namespace sotto::learning
