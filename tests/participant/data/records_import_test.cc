// What becomes a record, and what is wrong with a file, with its line and column.
#include <fstream>

#include <gtest/gtest.h>

#include "participant/data/import.h"
#include "tests/temporary_directory.h"

namespace sotto::data {
namespace {

struct Import : testing::Test {
  /// "label|text" or "word|tag|..." of each record, or the error without the file's name.
  std::vector<std::string> read(const std::string& bytes, const ImportPlan& plan) {
    std::ofstream(folder / "f", std::ios::binary) << bytes;
    const std::string name = (folder / "f").string();
    const auto said = [&](const Error& error) {
      EXPECT_EQ(error.message.find(name), 0U) << error.message;
      return "error" + error.message.substr(name.size());
    };
    std::vector<std::string> out;
    auto source = open_source(folder / "f", plan);
    if (!source) return {said(source.error())};
    while (true) {
      const auto record = (*source)->next();
      if (!record) {
        out.push_back(said(record.error()));
        return out;
      }
      if (!*record) break;
      const auto fields = fields_of(**record, kind_of(plan));
      if (!fields) return {"fields that do not fit the kind"};
      std::string line;
      for (const std::string_view field : *fields)
        line += (line.empty() ? "" : "|") + std::string(field);
      out.push_back(line);
    }
    EXPECT_EQ((*source)->part_done(), 1.0);
    return out;
  }

  TemporaryDirectory folder;
};

using Records = std::vector<std::string>;

TEST_F(Import, TakesTheNamedColumnsOfATableAndNoOthers) {
  const std::string csv =
      "id,intent,text\n7,PlayMusic,\"play \"\"it\"\", loud\"\n8,GetWeather,rain?\n";
  EXPECT_EQ(read(csv, {.format = Format::kCsv, .text = "text", .label = "intent"}),
            (Records{"PlayMusic|play \"it\", loud", "GetWeather|rain?"}));
  EXPECT_EQ(read("text\tn\nhello\t1\n", {.format = Format::kTsv, .text = "text"}),
            (Records{"hello"}));
}

TEST_F(Import, ReadsJsonLinesConllAndWhatTrainingReads) {
  EXPECT_EQ(
      read("{\"t\": \"caf\\u00e9\", \"l\": \"A\", \"n\": 3}\n\n{\"l\": \"B\", \"t\": \"x\"}\n",
           {.format = Format::kJsonl, .text = "t", .label = "l"}),
      (Records{"A|café", "B|x"}));
  EXPECT_EQ(read("-DOCSTART- O\n\nAnna NNP B-PER\nBo\tI-PER\nran O\n\n\nhere\tO\n",
                 {.format = Format::kConll, .classes = {"PER"}}),
            (Records{"Anna|B-PER|Bo|I-PER|ran|O", "here|O"}));
  EXPECT_EQ(read("A\tone\ttwo\r\n\nB\tthree\n", {.format = Format::kLabelled}),
            (Records{"A|one\ttwo", "B|three"}));
  EXPECT_EQ(read("one\ttwo\nthree\n", {.format = Format::kLines}), (Records{"one\ttwo", "three"}));
}

TEST_F(Import, WrongInputIsOneErrorWithLineAndColumnThatShowsNoValue) {
  const ImportPlan csv{.format = Format::kCsv, .text = "text", .label = "label", .classes = {"A"}};
  const ImportPlan jsonl{.format = Format::kJsonl, .text = "text", .label = "label"};
  const ImportPlan conll{.format = Format::kConll, .classes = {"PER"}};
  const ImportPlan labelled{.format = Format::kLabelled, .classes = {"A", "B"}};
  const ImportPlan lines{.format = Format::kLines};

  const struct {
    ImportPlan plan;
    std::string bytes, last;
  } cases[] = {
      {csv, "label,text\nA,x\nA\n", "error:3:1: the row has 1 cell, but the header has 2"},
      {csv, "label,words\nA,x\n",
       "error:1:1: there is no column text; the columns are label, words"},
      {csv, "label,text\nA,secret\nC,secret\n",
       "error:3:1: column label: the label is not one of A"},
      {csv, "label,text\nA,  \n", "error:2:3: column text: the record has no text"},
      {csv,
       "label,text\nA,secr\xff"
       "t\n",
       "error:2:7: the text is not UTF-8; convert the file, for example with iconv -f LATIN1 -t "
       "UTF-8"},
      {csv, "label,text\nA,\"sec\n",
       "error:2:3: the quotation mark that opens this cell is never closed; the file may have been "
       "cut"},
      {csv, "label,text\nA,\"sec",
       "error:2:7: the last line has no line break, so that the file may have been cut; if it is "
       "complete, end its last line"},
      {jsonl, "{\"text\": \"é\", \"label\": \"A\"}\n{\"text\": \"é secret\n",
       "error:2:19: there is no JSON from here on; the line may have been cut"},
      {jsonl, "{\"text\": \"secret\"}\n", "error:1:1: the object has no key label"},
      {jsonl, "{\"text\": 7, \"label\": \"A\"}\n", "error:1:1: text is not a string"},
      {jsonl, "{\"text\": \"a\", \"text\": \"b\", \"label\": \"A\"}\n",
       "error:1:1: this key occurs twice"},
      {jsonl, "[\"secret\"]\n", "error:1:1: the record is not a JSON object"},
      {conll, "Anna\tB-PER\nsecret\n",
       "error:2:1: the line has one column, but needs a word and its tag"},
      {conll, "Anna\tB-ORG\n", "error:1:6: the label is not one of PER"},
      {conll, "Anna\tPER\n", "error:1:6: a tag of IOB2 must be O, B-CLASS or I-CLASS"},
      {conll, "to\tO\n\nAnna\tI-PER\n",
       "error:3:6: the line continues an entity that has not begun; in IOB2 an entity begins with "
       "B-"},
      {labelled, "A\tx\nsecret\n", "error:2:1: there is no tab between the label and the text"},
      {labelled, "A\tx\nC\tsecret\n", "error:2:1: the label is not one of A, B"},
      {labelled, "A\tx\nB\t \n", "error:2:3: the record has no text"},
      {labelled, "A\tx\n\tsecret\n", "error:2:1: the record has no label"},
      {lines, "one\ntwo",
       "error:2:4: the last line has no line break, so that the file may have been cut; if it is "
       "complete, end its last line"},
      {lines, "\n \n", "error:1:1: the file contains no record"},
      {lines, "one\ntw\0o\n",
       "error:2:3: the file contains a zero byte and may not be a text file"},
      {lines, std::string(kMaxRecordBytes, 'x') + "\n",
       "error:1:1: the record is longer than 1 MiB"},
  };

  for (const auto& c : cases) {
    std::string bytes = c.bytes;
    if (c.last.find("zero byte") != std::string::npos) bytes = std::string("one\ntw\0o\n", 9);
    const Records read_back = read(bytes, c.plan);
    ASSERT_FALSE(read_back.empty()) << c.last;
    EXPECT_EQ(read_back.back(), c.last);
    EXPECT_EQ(read_back.back().find("secret"), std::string::npos);
  }
  EXPECT_FALSE(open_source(folder / "absent", lines).ok());
}

TEST_F(Import, TheKindFollowsFromThePlan) {
  EXPECT_EQ(kind_of({.format = Format::kCsv, .text = "t"}), Kind::kTexts);
  EXPECT_EQ(kind_of({.format = Format::kJsonl, .text = "t", .label = "l"}), Kind::kLabelledTexts);
  EXPECT_EQ(kind_of({.format = Format::kLabelled}), Kind::kLabelledTexts);
  EXPECT_EQ(kind_of({.format = Format::kConll}), Kind::kTaggedWords);
  EXPECT_EQ(format_named("conll"), Format::kConll);
  EXPECT_FALSE(format_named("xml"));
}

}  // namespace
}  // namespace sotto::data
