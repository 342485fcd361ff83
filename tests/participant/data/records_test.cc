// Every format gives the same records, and what is wrong with a file is the same wherever it is
// read.
#include "participant/data/records.h"

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>

#include "participant/data/examples.h"
#include "participant/data/import.h"
#include "participant/data/site_records.h"
#include "participant/deidentify/tables/table.h"
#include "tests/temporary_directory.h"

namespace sotto::data {
namespace {

using Lines = std::vector<std::string>;

config::JobConfig job_of(const std::string& type, std::vector<std::string> labels = {}) {
  config::JobConfig job;
  job.task = {.type = type, .labels = std::move(labels)};
  return job;
}

const config::JobConfig kClasses = job_of("sequence_classification", {"A", "B"});
const config::JobConfig kTags = job_of("token_classification", {"PER"});
const config::JobConfig kTexts = job_of("causal_language_modeling");
const config::DataLayout kColumns{.text = "text", .label = "label", .person = {}};

struct Records : testing::Test {
  std::filesystem::path write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return folder / name;
  }

  /// Returns a message without the folder.
  std::string without_folder(std::string message) const {
    const std::string start = folder.path().string() + "/";
    for (std::size_t at = 0; (at = message.find(start)) != std::string::npos;)
      message.erase(at, start.size());
    return message;
  }

  /// Returns "label person text" of each example, and then what was left out.
  Lines read(const std::string& name, const std::string& bytes, const config::JobConfig& job,
             const config::DataLayout& layout = {}) {
    const auto found = read_fitting_examples(write(name, bytes), job, {}, layout);
    if (!found.ok()) return {"refused: " + without_folder(found.error().message)};
    Lines out;
    for (const Example& e : found->examples) {
      std::string line = std::to_string(e.label) + " " + e.person + " " + e.text;
      for (std::size_t i = 0; i < e.words.size(); ++i)
        line += e.words[i] + "/" + std::to_string(e.tags[i]) + " ";
      out.push_back(line);
    }
    for (const std::string& line : found->left_out.first)
      out.push_back("left out: " + without_folder(line));
    return out;
  }

  TemporaryDirectory folder;
};

TEST_F(Records, TrainingReadsNamedColumnsOfEveryFormatWithoutConversion) {
  const config::DataLayout layout{.text = "q", .label = "kind", .person = "who"};
  const Lines expected{"0 p1 one, two", "1 p2 three", "1 p1 four"};
  EXPECT_EQ(read("f.csv", "id,who,q,kind\n1,p1,\"one, two\",A\n2,p2,three,B\n3,p1,four,B\n",
                 kClasses, layout),
            expected);
  EXPECT_EQ(
      read("f.csv", "kind;q;who\r\nA;one, two;p1\r\nB;three;p2\r\nB;four;p1\r\n", kClasses, layout),
      expected);
  EXPECT_EQ(
      read("f.csv", "sep=|\nkind|q|who\nA|one, two|p1\nB|three|p2\nB|four|p1\n", kClasses, layout),
      expected);
  EXPECT_EQ(
      read("f.tsv", "kind\tq\twho\nA\tone, two\tp1\nB\tthree\tp2\nB\tfour\tp1\n", kClasses, layout),
      expected);
  EXPECT_EQ(read("f.jsonl",
                 "{\"q\": \"one, two\", \"kind\": \"A\", \"who\": \"p1\", \"n\": [1]}\n"
                 "{\"who\": \"p2\", \"kind\": \"B\", \"q\": \"three\"}\n\n"
                 "{\"who\": \"p1\", \"kind\": \"B\", \"q\": \"four\"}\n",
                 kClasses, layout),
            expected);
}

TEST_F(Records, JsonNumbersAreLabelsAsTheyAreWritten) {
  const std::string bytes = "{\"text\": \"x\", \"label\": 1}\n{\"text\": \"y\", \"label\": true}\n";
  EXPECT_EQ(read("f.jsonl", bytes, job_of("sequence_classification", {"0", "1", "true"}), kColumns),
            (Lines{"1  x", "2  y"}));
}

TEST_F(Records, TaggedWordsAreReadFromListsToo) {
  const config::DataLayout layout{.text = "tokens", .label = "tags", .person = {}};
  EXPECT_EQ(
      read("f.jsonl",
           "{\"tokens\": [\"Ann\", \"ran\"], \"tags\": [\"B-PER\", \"O\"]}\n"
           "{\"tokens\": [\"Ann\"], \"tags\": [\"B-PER\", \"O\"]}\n"
           "{\"tokens\": [\"Ann\"], \"tags\": [\"I-PER\"]}\n",
           kTags, layout),
      (Lines{"1  Ann/1 ran/0 ", "left out: f.jsonl:2:1: tokens and tags are of different lengths",
             "left out: f.jsonl:3:1: tags: the line continues an entity that has not begun; "
             "in IOB2 an entity begins with B-"}));
}

TEST_F(Records, OneBadRecordIsLeftOutAndTheOthersStay) {
  EXPECT_EQ(
      read("f.csv",
           "label,text\nA,one\nA\nB,\"two\" x\nA,\"three\nfour\"\nB,secret \xE9\nC,secret\n"
           ",secret\nB,six\n",
           kClasses, kColumns),
      (Lines{"0  one", "0  three\nfour", "1  six",
             "left out: f.csv:3:1: the row has 1 cell, but the header has 2",
             "left out: f.csv:4:8: there is text after the quotation mark that closes a cell",
             "left out: f.csv:7:10: the text is not UTF-8; convert the file, for example with "
             "iconv -f LATIN1 -t UTF-8",
             "left out: f.csv:8:1: the record has a label that the job does not name; it "
             "names A, B",
             "left out: f.csv:9:1: column label: the record has no label"}));
  EXPECT_EQ(read("f.csv", "label,text\nA,\"one\nB,two\n", kClasses, kColumns),
            (Lines{"1  two",
                   "left out: f.csv:2:3: the quotation mark that opens this cell is never closed; "
                   "the file may have been cut"}));
}

TEST_F(Records, AByteOrderMarkIsNoPartOfTheFirstRecord) {
  const std::string mark = "\xEF\xBB\xBF";
  EXPECT_EQ(read("f.tsv", mark + "A\tone\n", kClasses), (Lines{"0  one"}));
  EXPECT_EQ(read("f.txt", mark + "one\n", kTexts), (Lines{"0  one"}));
  EXPECT_EQ(read("f.conll", mark + "-DOCSTART- O\n\nAnn B-PER\n", kTags), (Lines{"1  Ann/1 "}));
  EXPECT_EQ(read("f.csv", mark + "label,text\nA,one\n", kClasses, kColumns), (Lines{"0  one"}));
}

/// A file that is damaged as a whole, and what every reader answers.
struct Damage {
  const char* name;
  std::string bytes, answer;
};

TEST_F(Records, ADamagedFileGetsTheSameAnswerAtEveryDoor) {
  const std::string zip("PK\x03\x04 0123456789", 15), wide("\xFF\xFEl\0a\0", 6),
      unmarked("A\0\t\0o\0n\0e\0\n\0", 12);
  const std::vector<Damage> cases{
      {"cr", "label,text\rA,one\r",
       ":1:11: the lines end with carriage returns alone, as on an old Macintosh; convert the file "
       "with tr '\\r' '\\n'"},
      {"cut", "label,text\nA,one\nA,tw",
       ":3:5: the last line has no line break, so that the file may have been cut; if it is "
       "complete, end its last line"},
      {"gz", "\x1F\x8B\x08 text\n", " is compressed with gzip; unpack it with gunzip"},
      {"zip", zip,
       " is a zip archive or a workbook such as .xlsx; unpack it, or save the sheet as CSV in "
       "UTF-8"},
      {"wide", wide, " is in UTF-16; convert it with iconv -f UTF-16 -t UTF-8"},
      {"unmarked", unmarked,
       " has many zero bytes and may be in UTF-16; convert it with iconv -f UTF-16LE -t UTF-8"},
      {"lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
       " is a pointer of Git LFS and not the file itself; fetch it with git lfs pull"},
      {"parquet", "PAR1\x15\n",
       " is in Parquet; convert it, for example with python3 -c \"import pandas; "
       "pandas.read_parquet('IN').to_csv('OUT.csv', index=False)\""}};
  for (const Damage& c : cases) {
    const std::filesystem::path file = write(c.name, c.bytes);
    const std::string answer = c.name + c.answer;
    for (const auto* job : {&kClasses, &kTexts, &kTags}) {
      const Lines left_out = read(c.name, c.bytes, *job);
      EXPECT_NE(std::ranges::find(left_out, "left out: " + answer), left_out.end())
          << "a refusal of a job would depend on records";
      EXPECT_EQ(without_folder(read_examples(file, *job).error().message), answer);
    }
    for (const Format format : {Format::kCsv, Format::kTsv, Format::kJsonl, Format::kConll,
                                Format::kLines, Format::kLabelled})
      EXPECT_EQ(
          without_folder(open_source(file, {.format = format, .text = "text"}).error().message),
          answer);
    EXPECT_EQ(without_folder(tables::Table::read(file).error().message), answer);
    config::SiteConfig site;
    site.data.train = site.data.evaluation = file;
    EXPECT_EQ(without_folder(participant::SiteRecords::check_files(site).error().message), answer);
  }
  for (const auto& message : {read_examples(folder.path(), kTexts).error().message,
                              open_source(folder.path(), {}).error().message,
                              tables::Table::read(folder.path()).error().message})
    EXPECT_EQ(message, folder.path().string() + " is a folder; name a file in it");
}

TEST_F(Records, ALastLineThatWasCutIsNoExample) {
  EXPECT_EQ(read("f", "A\tone\nB\ttw", kClasses),
            (Lines{"0  one",
                   "left out: f:2:5: the last line has no line break, so that the file may have "
                   "been cut; if it is complete, end its last line"}));
  EXPECT_EQ(read("f.csv", "label,text\nA,one\nB,\"tw", kClasses, kColumns).front(), "0  one");
}

TEST_F(Records, AZeroByteOrALoneCarriageReturnTakesOneRecord) {
  EXPECT_EQ(read("f", std::string("A\tone\nB\tt\0wo\nA\tth\rree\nB\tfour\n", 29), kClasses),
            (Lines{"0  one", "1  four",
                   "left out: f:2:4: the file contains a zero byte and may not be a text file",
                   "left out: f:3:5: there is a carriage return without a line feed behind it"}));
}

TEST_F(Records, AHeaderLineOrATableIsRecognisedInTheMessage) {
  const std::string hint =
      "; if the file is a table with a header line, name its columns with data.columns in "
      "site.json, or with --text and --label";
  EXPECT_EQ(
      read("f", "label\ttext\nA\tone\n", kClasses),
      (Lines{"0  one",
             "left out: f:1:1: the record has a label that the job does not name; it names A, "
             "B" +
                 hint}));
  EXPECT_EQ(read("f", "label,text\nA,one\n", kClasses),
            (Lines{"left out: f:1:1: there is no tab between the label and the text" + hint,
                   "left out: f:2:1: there is no tab between the label and the text"}));
  EXPECT_EQ(
      read("f.csv", "label,text\nA,one\n", kClasses),
      Lines{"refused: f.csv: the format is csv, so data.columns.text in site.json, or --text, "
            "must name the column of the text"});
  EXPECT_EQ(read("f.jsonl", "[{\"text\": \"x\"}]\n", kTexts, {.text = "text"}).front(),
            "left out: f.jsonl:1:1: the record is not a JSON object; JSONL has one object in each "
            "line, and a JSON array is converted with jq -c '.[]'");
}

TEST_F(Records, ALayoutThatDoesNotFitTheTaskOrTheFileIsNamed) {
  const struct {
    const char* name;
    const config::JobConfig& job;
    config::DataLayout layout;
    std::string answer;
  } cases[] = {
      {"f.csv",
       kClasses,
       {.text = "text"},
       "f.csv: the format is csv, so data.columns.label in site.json, or --label, must name the "
       "column of the label"},
      {"f.csv",
       kClasses,
       {.text = "words", .label = "label"},
       "f.csv:1:1: there is no column words; the columns are label, text"},
      {"f.csv",
       kTags,
       {.text = "text", .label = "label"},
       "f.csv: the format is csv; tagged words need conll or jsonl"},
      {"f.csv",
       kClasses,
       {.delimiter = "comma and blank"},
       "f.csv: data.delimiter must be comma, semicolon, tab, bar or one character"},
      {"f.txt",
       kClasses,
       {.format = Format::kLines},
       "f.txt: the format is lines; the task needs labelled, csv, tsv or jsonl"},
      {"f.txt",
       kClasses,
       {.format = Format::kLabelled, .text = "text"},
       "f.txt: data.columns names columns, which the format labelled does not have; only csv, tsv "
       "and jsonl have them"}};

  for (const auto& c : cases)
    EXPECT_EQ(read(c.name, "label,text\nA,one\n", c.job, c.layout), Lines{"refused: " + c.answer});
}

TEST_F(Records, ADelimiterIsDetectedOrGiven) {
  EXPECT_EQ(tables::detected_csv("\"a;b;c;d\",e\n").delimiter, ',');
  EXPECT_EQ(tables::detected_csv("a\tb,c\td\n").delimiter, '\t');
  EXPECT_EQ(tables::detected_csv("one\n").delimiter, ',');
  config::DataLayout layout = kColumns;
  layout.delimiter = "semicolon";
  EXPECT_EQ(read("f.csv", "text,x;label\none;A\n", kClasses,
                 {.delimiter = ";", .text = "text,x", .label = "label"}),
            Lines{"0  one"});
}

TEST_F(Records, LeavingOutManyRecordsTakesTimeInProportionToTheFile) {
  std::string bytes;
  for (int i = 0; i < 100'000; ++i)
    bytes += "no tab\n";
  const auto found = fitting_examples(bytes + "A\tone\n", "f", kClasses, {}).value();
  EXPECT_EQ(found.examples.size(), 1U);
  EXPECT_EQ(found.left_out.count, 100'000U);
}

}  // namespace
}  // namespace sotto::data
