// A trained model as people use it: predict, evaluate, tokenize and model export.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/process/commands.h"

namespace sotto::process_test {
namespace {

using nlohmann::json;

const fs::path kCheckpoints = SOTTO_SOURCE_DIR "/tests/vectors/checkpoints";

class UseModel : public CommandsTest {
 protected:
  UseModel() {
    for (const auto& [name, checkpoint] : {std::pair{"classifier", "bert-seq-bf16"},
                                           {"tagger", "bert-tok"},
                                           {"language", "gpt2-lm"}})
      fs::create_directory_symlink(kCheckpoints / checkpoint, at(name));
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(at(name), std::ios::binary) << text;
  }

  [[nodiscard]] static json manifest(const std::string& checkpoint) {
    std::ifstream in(kCheckpoints / checkpoint / "manifest.json");
    return json::parse(in);
  }

  /// The texts of a checkpoint's cases, one in each line.
  [[nodiscard]] static std::string texts_of(const json& manifest) {
    std::string out;
    for (const json& c : manifest["cases"])
      out += c["text"].get<std::string>() + "\n";
    return out;
  }

  [[nodiscard]] std::vector<json> objects() const {
    std::vector<json> out;
    std::istringstream lines(this->out());
    for (std::string line; std::getline(lines, line);)
      out.push_back(json::parse(line));
    return out;
  }

  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> out;
    std::istringstream all(this->out());
    for (std::string line; std::getline(all, line);)
      out.push_back(line);
    return out;
  }

  static void expect_near(const json& found, const json& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i].get<double>(), expected[i].get<double>(), 1e-4) << i;
  }

  /// The label that the library's logits choose.
  [[nodiscard]] static std::string label_of(const json& manifest, const json& c) {
    const auto logits = c["logits"].get<std::vector<double>>();
    const auto best = std::ranges::max_element(logits) - logits.begin();
    return manifest["labels"][std::to_string(best)];
  }
};

TEST_F(UseModel, PredictGivesIdsLogitsAndProbabilitiesOfEveryLine) {
  const json expected = manifest("bert-seq-bf16");
  write("texts.txt", texts_of(expected));
  run_well("sotto-participant predict classifier texts.txt --json");
  const std::vector<json> answers = objects();
  ASSERT_EQ(answers.size(), expected["cases"].size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const json& c = expected["cases"][i];
    EXPECT_EQ(answers[i]["index"], i);
    EXPECT_EQ(answers[i]["ids"], c["input_ids"]);
    expect_near(answers[i]["logits"], c["logits"]);
    EXPECT_EQ(answers[i]["label"], label_of(expected, c));
    EXPECT_EQ(answers[i]["probability"], answers[i]["probabilities"][label_of(expected, c)]);
    double sum = 0;
    for (const json& p : answers[i]["probabilities"])
      sum += p.get<double>();
    EXPECT_NEAR(sum, 1, 1e-9);
  }
}

TEST_F(UseModel, PredictAnswersTheStandardInputLineByLine) {
  const json expected = manifest("bert-seq-bf16");
  write("texts.txt", texts_of(expected));
  run_well("sotto-participant predict classifier - <texts.txt --batch 2 >piped && cat piped");
  const std::vector<std::string> answers = lines();
  ASSERT_EQ(answers.size(), expected["cases"].size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const json& c = expected["cases"][i];
    EXPECT_TRUE(answers[i].starts_with(label_of(expected, c) + "\t0.")) << answers[i];
    EXPECT_TRUE(answers[i].ends_with("\t" + c["text"].get<std::string>())) << answers[i];
  }
}

TEST_F(UseModel, PredictAnswersALineBeforeTheNextOneComes) {
  run_well(R"(mkfifo questions
sotto-participant predict classifier - --batch 1 <questions >answers &
exec 3>questions
echo ok >&3
for i in $(seq 300); do test -s answers && break; sleep 0.1; done
test -s answers || exit 1
echo ok >&3
exec 3>&-
wait $!)");
}

TEST_F(UseModel, PredictReadsTablesAndCutsLongTexts) {
  write("texts.csv", "id,question\n1,\"ok, and\nmore\"\n2,ok\n");
  run_well("sotto-participant predict classifier texts.csv --text question --max-length 5");
  ASSERT_EQ(lines().size(), 2U) << out();
  EXPECT_TRUE(lines()[0].ends_with("\tok, and more")) << out();
  EXPECT_NE(err().find("1 of 2 texts have more than 5 tokens and were cut"), std::string::npos)
      << err();
  write("texts.jsonl", "{\"question\": \"ok\"}\n");
  run_well("sotto-participant predict classifier texts.jsonl --text question --json");
  expect_near(objects()[0]["logits"], manifest("bert-seq-bf16")["cases"][4]["logits"]);
}

TEST_F(UseModel, PredictTagsWordsAndRunningTexts) {
  const json expected = manifest("bert-tok");
  std::string sentences;
  for (const json& c : expected["cases"]) {
    for (const json& word : c["words"])
      sentences += word.get<std::string>() + "\tO\n";
    sentences += "\n";
  }
  write("words.conll", sentences);
  run_well("sotto-participant predict tagger words.conll --json");
  const std::vector<json> answers = objects();
  ASSERT_EQ(answers.size(), expected["cases"].size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const json& c = expected["cases"][i];
    EXPECT_EQ(answers[i]["ids"], c["input_ids"]);
    for (std::size_t word = 0; word < c["words"].size(); ++word) {
      const json& logits = c["logits"][c["first_piece"][word].get<std::size_t>()];
      expect_near(answers[i]["words"][word]["logits"], logits);
      EXPECT_EQ(answers[i]["words"][word]["text"], c["words"][word]);
      const auto values = logits.get<std::vector<double>>();
      const auto best = std::ranges::max_element(values) - values.begin();
      EXPECT_EQ(answers[i]["words"][word]["tag"],
                expected["labels"][static_cast<std::size_t>(best)]);
    }
  }
  // An entity lies where its characters are, also behind characters of several bytes.
  write("text.txt", "ok\nD\u00FCsseldorf \u2014 London\n");
  run_well("sotto-participant predict tagger text.txt --json");
  const json second = objects()[1];
  const std::u32string text = U"D\u00FCsseldorf \u2014 London";
  ASSERT_FALSE(second["entities"].empty()) << "this tests nothing";
  const json last = second["entities"].back();
  const auto begin = last["begin"].get<std::size_t>(), end = last["end"].get<std::size_t>();
  ASSERT_LE(end, text.size());
  std::string characters;
  for (const char32_t c : text.substr(begin, end - begin))
    characters += c == U'\u2014'   ? "\u2014"
                  : c == U'\u00FC' ? "\u00FC"
                                   : std::string(1, static_cast<char>(c));
  EXPECT_EQ(last["text"], characters) << last;
  run_well("sotto-participant predict tagger text.txt");
  EXPECT_TRUE(lines().back().starts_with("2\t" + last["label"].get<std::string>() + "\t0."))
      << out();
}

TEST_F(UseModel, PredictGivesTheLogProbabilityOfEveryToken) {
  const json expected = manifest("gpt2-lm");
  write("texts.txt", texts_of(expected));
  run_well("sotto-participant predict language texts.txt --json");
  const std::vector<json> answers = objects();
  ASSERT_EQ(answers.size(), expected["cases"].size());
  double all = 0, tokens = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const json& each = expected["cases"][i]["token_log_probs"];
    expect_near(answers[i]["token_log_probabilities"], each);
    double sum = 0;
    for (const json& p : each)
      sum += p.get<double>();
    EXPECT_NEAR(answers[i]["log_probability"].get<double>(), sum, 1e-2);
    EXPECT_NEAR(std::log(answers[i]["perplexity"].get<double>()),
                -sum / static_cast<double>(each.size()), 1e-4);
    all += sum;
    tokens += static_cast<double>(each.size());
  }
  run_well("sotto-participant evaluate language texts.txt --json");
  EXPECT_EQ(objects()[0]["tokens"], tokens);
  EXPECT_NEAR(objects()[0]["loss"].get<double>(), -all / tokens, 1e-3);
  EXPECT_NEAR(std::log(objects()[0]["perplexity"].get<double>()), -all / tokens, 1e-3);
}

TEST_F(UseModel, EvaluateCountsEveryLabelAndConfusion) {
  const json expected = manifest("bert-seq-bf16");
  const std::vector<std::string> names{"negative", "neutral", "positive"};
  std::string examples;
  std::vector<std::vector<int>> confusion(3, std::vector<int>(3, 0));
  double loss = 0;
  int right = 0;
  for (std::size_t i = 0; i < expected["cases"].size(); ++i) {
    const json& c = expected["cases"][i];
    const std::size_t label = i % 3;
    examples += names[label] + "\t" + c["text"].get<std::string>() + "\n";
    const auto predicted = std::ranges::find(names, label_of(expected, c)) - names.begin();
    ++confusion[label][static_cast<std::size_t>(predicted)];
    right += static_cast<std::size_t>(predicted) == label ? 1 : 0;
    double sum = 0;
    for (const json& logit : c["logits"])
      sum += std::exp(logit.get<double>());
    loss += std::log(sum) - c["logits"][label].get<double>();
  }
  const auto count = static_cast<double>(expected["cases"].size());
  write("examples.tsv", examples);
  run_well("sotto-participant evaluate classifier examples.tsv --json");
  const json found = objects()[0];
  EXPECT_EQ(found["examples"], expected["cases"].size());
  EXPECT_EQ(found["confusion"]["labels"], names);
  EXPECT_EQ(found["confusion"]["counts"], confusion);
  EXPECT_NEAR(found["accuracy"].get<double>(), right / count, 1e-9);
  EXPECT_NEAR(found["loss"].get<double>(), loss / count, 1e-3);
  double f1 = 0;
  for (std::size_t l = 0; l < 3; ++l) {
    int said = 0, present = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      said += confusion[k][l];
      present += confusion[l][k];
    }
    const json& score = found["labels"][names[l]];
    EXPECT_EQ(score["support"], present);
    if (said > 0) {
      EXPECT_NEAR(score["precision"].get<double>(), 1.0 * confusion[l][l] / said, 1e-9);
    }
    EXPECT_NEAR(score["recall"].get<double>(), 1.0 * confusion[l][l] / present, 1e-9);
    EXPECT_NEAR(score["f1"].get<double>(), 2.0 * confusion[l][l] / (said + present), 1e-9);
    f1 += score["f1"].get<double>() / 3;
  }
  EXPECT_NEAR(found["macro_f1"].get<double>(), f1, 1e-9);
  run_well("sotto-participant evaluate classifier examples.tsv");
  EXPECT_NE(out().find("6 examples, accuracy"), std::string::npos) << out();
  EXPECT_NE(out().find("neutral"), std::string::npos) << out();
}

TEST_F(UseModel, EvaluateFindsEntitiesByKind) {
  // The tags that the model gives itself are all found; another kind is wrong and missed.
  write("text.txt", "Sarah Brightman sings in London\nok\n");
  run_well("sotto-participant predict tagger text.txt --json");
  std::string own, other;
  for (const json& answer : objects()) {
    std::string before = "O";
    for (const json& word : answer["words"]) {
      std::string tag = word["tag"];
      if (tag.starts_with("I-") && before.substr(1) != tag.substr(1)) tag[0] = 'B';
      before = tag;
      own += word["text"].get<std::string>() + " " + tag + "\n";
      other += word["text"].get<std::string>() + " B-PER\n";
    }
    own += "\n";
    other += "\n";
  }
  write("own.conll", own);
  write("other.conll", other);
  run_well("sotto-participant evaluate tagger own.conll --json");
  EXPECT_EQ(objects()[0]["entity_f1"], 1) << own << out();
  EXPECT_EQ(objects()[0]["sentences"], 2);
  run_well("sotto-participant evaluate tagger other.conll --json");
  EXPECT_EQ(objects()[0]["labels"]["LOC"]["support"], 0);
  EXPECT_EQ(objects()[0]["labels"]["PER"]["support"], 6);
  EXPECT_LT(objects()[0]["entity_f1"], 1);
}

/// The figures of a run, from the model that it leaves.
TEST_F(UseModel, EvaluateGivesTheFiguresOfTheRunThatMadeTheModel) {
  const std::string test = SOTTO_SOURCE_DIR "/configs/quickstart/data/test.tsv";
  run_well("head -n 300 " + test + " >examples.tsv");
  run_well("PATH='" + fs::path(SOTTO_BINARY_DIR "/participant").string() +
           "':$PATH; sotto-simulate " + Federation::job() +
           " --participants 4 --out run --evaluation examples.tsv"
           " --set rounds.num_server_rounds=2");
  std::ifstream metrics(at("run/metrics.jsonl"));
  json last;
  for (std::string line; std::getline(metrics, line);)
    last = json::parse(line);
  run_well("sotto-participant evaluate run/model examples.tsv --json");
  const json found = objects()[0];
  ASSERT_EQ(last["declared_evaluation_examples"], 300) << last;
  EXPECT_EQ(found["examples"], 300);
  EXPECT_NEAR(found["accuracy"].get<double>(), last["evaluation"]["accuracy"].get<double>(), 1e-4);
  EXPECT_NEAR(found["macro_f1"].get<double>(), last["evaluation"]["macro_f1"].get<double>(), 1e-4);
  EXPECT_NEAR(found["loss"].get<double>(), last["evaluation"]["loss"].get<double>(), 2e-3);
}

TEST_F(UseModel, TokenizeShowsIdsPiecesAndWhatIsCut) {
  const json c = manifest("bert-seq-bf16")["cases"][1];
  run_well("sotto-participant tokenize classifier --text '" + c["text"].get<std::string>() +
           "' --json");
  EXPECT_EQ(objects()[0]["ids"], c["input_ids"]);
  EXPECT_EQ(objects()[0]["pieces"][0], "[CLS]");
  EXPECT_EQ(objects()[0]["pieces"].size(), c["input_ids"].size());
  EXPECT_EQ(objects()[0]["cut"], false);
  run_well("echo '" + c["text"].get<std::string>() +
           "' | sotto-participant tokenize classifier - --max-length 4");
  EXPECT_TRUE(out().starts_with("2:[CLS] ")) << out();
  EXPECT_TRUE(
      out().ends_with("\t" + std::to_string(c["input_ids"].size() - 4) + " more tokens are cut\n"))
      << out();
}

TEST_F(UseModel, ExportChangesTheTypeAndNotTheAnswers) {
  write("texts.txt", "ok\n");
  run_well("sotto-participant model export classifier --out exported --dtype float16");
  EXPECT_NE(out().find("parameters in float16"), std::string::npos) << out();
  std::ifstream in(at("exported/config.json"));
  EXPECT_EQ(json::parse(in)["dtype"], "float16");
  run_well("sotto-participant predict exported texts.txt --json");
  const json expected = manifest("bert-seq-bf16")["cases"][4];
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(objects()[0]["logits"][i].get<double>(), expected["logits"][i].get<double>(), 5e-3);
  expect_refused("sotto-participant model export classifier --out exported",
                 "exists already, and an export replaces no files");
}

TEST_F(UseModel, WrongInputIsOneErrorThatNamesFileAndPlace) {
  const auto refused = [&](const std::string& arguments, const std::string& why) {
    expect_refused("sotto-participant " + arguments, why);
    EXPECT_EQ(std::ranges::count(err(), '\n'), 1) << err();
    EXPECT_EQ(out(), "") << arguments;
  };
  write("texts.txt", "ok\n");
  write("empty.txt", "");
  write("latin.txt", "ok\nZ\xFCrich\n");
  write("labelled.tsv", "neutral\tok\nangry\tok\n");
  write("table.csv", "question,mood\nok,neutral\n");
  write("words.conll", "ok\tB-ORG\n");
  write("pointer/config.json", "");
  fs::create_directories(at("pointer"));
  for (const char* file : {"config.json", "tokenizer.json"})
    fs::copy_file(kCheckpoints / "bert-seq-bf16" / file, at("pointer") + "/" + file);
  write("pointer/model.safetensors",
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 5\n");
  refused("predict classifier empty.txt", "empty.txt: contains no text");
  refused("predict classifier latin.txt", "latin.txt:2: the text is not UTF-8");
  refused("predict classifier .", ".: is a folder; name a file with texts");
  refused("predict classifier missing.txt", "missing.txt: cannot be read");
  refused("predict texts.txt texts.txt", "texts.txt: is not a folder");
  refused("predict pointer texts.txt", "model.safetensors");
  refused("predict classifier table.csv", "name the column or key of the text with --text");
  refused("predict classifier texts.txt --text question", "the file name has another ending");
  refused("predict classifier - --format jsonl --text x", "the standard input is read as lines");
  refused("predict language texts.txt --task token_classification", "has no head for the task");
  refused("evaluate classifier labelled.tsv", "labelled.tsv:2:1: the label is not one of");
  refused("evaluate classifier table.csv --text question", "name the column or key of the label");
  refused("evaluate tagger words.conll", "words.conll:1:4: the label is not one of PER, LOC");
  refused("tokenize classifier", "name either a file with texts or a text with --text");
  refused("model export classifier --base tagger --out new", "holds no adapter");
}

/// The examples of the document, in a folder that has what they name.
TEST_F(UseModel, EveryExampleOfTheDocumentRuns) {
  std::ifstream document(SOTTO_SOURCE_DIR "/docs/using-models.md");
  write("texts.txt", "ok\nplay the song\n");
  write("questions.csv", "id,question,mood\n1,ok,neutral\n2,play the song,positive\n");
  write("test.tsv", "neutral\tok\npositive\tplay the song\n");
  write("sentences.conll", "Sarah B-PER\nsings O\n\nok O\n");
  write("lora.json", R"({"name": "adapted", "model": {"path": "classifier", "max_length": 32},
      "task": {"type": "sequence_classification", "labels": ["negative", "neutral", "positive"]},
      "rounds": {"num_server_rounds": 1, "min_available_participants": 3},
      "local_training": {"sampling_rate": 0.5},
      "lora": {"r": 2, "target_modules": ["query"]}})");
  run_well("sotto-participant model init --job lora.json --out adapter");
  fs::remove(at("adapter/model.safetensors"));
  int examples = 0;
  for (std::string line; std::getline(document, line);) {
    if (!line.starts_with("    ") || line.find("sotto-participant") == std::string::npos) continue;
    run_well(line.substr(4));
    ++examples;
  }
  EXPECT_GE(examples, 8);
}

}  // namespace
}  // namespace sotto::process_test
