// What `data inspect` finds in a site's files.
#include "participant/inspection/inspection.h"

#include <fstream>

#include <gtest/gtest.h>

#include "participant/text/token_statistics.h"
#include "tests/temporary_directory.h"

namespace sotto::inspection {
namespace {

struct Inspected : testing::Test {
  std::filesystem::path write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return folder / name;
  }

  /// Returns each finding as "error ..." or "warning ...", without the folder.
  [[nodiscard]] std::vector<std::string> lines_of(const Inspection& found) const {
    std::vector<std::string> out;
    for (const Finding& finding : found.findings()) {
      std::string line = (finding.is_error ? "error " : "warning ") + finding.what;
      const std::string start = folder.path().string() + "/";
      for (std::size_t at = 0; (at = line.find(start)) != std::string::npos;)
        line.erase(at, start.size());
      out.push_back(line);
    }
    return out;
  }

  static config::JobConfig job() {
    config::JobConfig out;
    out.task = {.type = "sequence_classification", .labels = {"good", "bad"}};
    return out;
  }

  static std::shared_ptr<const text::Tokenizer> tokenizer() {
    auto words =
        text::Vocabulary::from_tokens({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "one", "two"}).value();
    return std::make_shared<const text::Tokenizer>(
        text::bert_tokenizer(std::move(words), {}).value());
  }

  TemporaryDirectory folder;
};

using Lines = std::vector<std::string>;

TEST_F(Inspected, TheSyntaxColumnsAndCountsOfATable) {
  Inspection found({.layout = {.text = "q", .label = "kind", .person = "who"}});
  found.add(
      write("f.csv",
            "\xEF\xBB\xBFid;q;kind;who\r\n1;\"one\";good;p\r\n2;two;bad;p\r\n3;six;bad;r\r\n"),
      Inspection::Split::kTraining);
  found.compare();
  const FileReport& r = found.reports().front();
  EXPECT_EQ(r.format, data::Format::kCsv);
  EXPECT_EQ(r.delimiter, "semicolon");
  EXPECT_EQ(r.line_ends, "CRLF");
  EXPECT_TRUE(r.has_byte_order_mark && r.has_header && r.has_person);
  std::string columns;
  for (const Column& column : r.columns)
    columns += column.name + "=" + column.role + " ";
  EXPECT_EQ(columns, "id= q=text kind=label who=person ");
  EXPECT_EQ(r.examples, 3U);
  EXPECT_EQ(r.labels, (std::map<std::string, std::uint64_t>{{"bad", 2}, {"good", 1}}));
  EXPECT_EQ(r.persons, 2U);
  EXPECT_EQ(r.most_of_one_person, 2U);
  EXPECT_EQ(lines_of(found), Lines{});
  EXPECT_FALSE(found.has_errors());
}

TEST_F(Inspected, ColumnsAreGuessedByNameAndPersonsAreOnlySuggested) {
  Inspection found({});
  found.add(write("f.csv", "patient_id,Sentence,Intent\n7,one,A\n8,two,B\n"),
            Inspection::Split::kTraining);
  found.add(write("g.csv", "a,b\n1,2\n"), Inspection::Split::kTraining);
  EXPECT_EQ(found.reports()[0].columns[0].role, "person?");
  EXPECT_EQ(found.reports()[0].examples, 2U);
  EXPECT_FALSE(found.reports()[0].has_person);
  EXPECT_EQ(lines_of(found),
            (Lines{"warning f.csv: the columns were guessed by their names; set data.columns.text "
                   "to \"Sentence\" and data.columns.label to \"Intent\" in site.json if that is "
                   "right",
                   "error g.csv:1:1: no column has a name that texts usually have; name it with "
                   "--text; the columns are a, b"}));
}

TEST_F(Inspected, RecordsThatDoNotFitTheJobAndLabelsThatOnlyLookAlike) {
  Inspection found({.job = job()});
  found.add(write("f.tsv", "good\tone\nGood \ttwo\nbad\t\nbad\tthree\n"),
            Inspection::Split::kTraining);
  EXPECT_EQ(
      lines_of(found),
      (Lines{"error 2 records do not fit the job and are skipped: f.tsv:2:1: the record has a "
             "label that the job does not name; it names good, bad; f.tsv:3:5: the record has no "
             "text",
             "warning f.tsv: the labels \"Good \", \"good\" differ only in case, blanks or Unicode "
             "form"}));
  EXPECT_TRUE(found.has_errors());
}

TEST_F(Inspected, LabelsInTwoUnicodeFormsLookAlike) {
  Inspection found({});
  found.add(write("f.tsv", "caf\xC3\xA9\tone\ncafe\xCC\x81\ttwo\n"), Inspection::Split::kTraining);
  ASSERT_EQ(found.findings().size(), 1U);
  EXPECT_NE(found.findings()[0].what.find("differ only in case, blanks or Unicode form"),
            std::string::npos);
}

TEST_F(Inspected, RepeatedTextsAndConflictingLabelsWithTheirLines) {
  Inspection found({});
  found.add(write("f.tsv", "A\tone\nB\ttwo\nA\tone\nB\tone\nA\tone\n"),
            Inspection::Split::kTraining);
  EXPECT_EQ(found.reports()[0].duplicates, 2U);
  EXPECT_EQ(found.reports()[0].conflicts, 1U);
  EXPECT_EQ(lines_of(found),
            (Lines{"warning f.tsv: 2 duplicates of an earlier text with the same label, first in "
                   "line 3, line 5",
                   "warning f.tsv: 1 duplicate of an earlier text with another label, first in "
                   "line 4"}));
}

TEST_F(Inspected, OverlapOfTrainingAndEvaluation) {
  const auto train = write("train.tsv", "A\tone\nB\ttwo\n");
  const auto other = write("eval.tsv", "B\ttwo\nA\tsix\n");
  std::filesystem::create_symlink(train, folder / "link.tsv");
  std::filesystem::copy_file(train, folder / "copy.tsv");
  Inspection found({});
  found.add(train, Inspection::Split::kTraining);
  for (const auto& file : {other, folder / "link.tsv", folder / "copy.tsv"})
    found.add(file, Inspection::Split::kEvaluation);
  found.compare();
  EXPECT_EQ(lines_of(found),
            (Lines{"warning eval.tsv and train.tsv: 1 text of 2 in the evaluation split is in the "
                   "training examples too; the guarantee does not cover them",
                   "error link.tsv and train.tsv are the same file; the guarantee does not cover "
                   "the evaluation split, which needs examples of its own",
                   "error copy.tsv and train.tsv: 2 texts of 2 in the evaluation split are in the "
                   "training examples too; the guarantee does not cover them"}));
}

TEST_F(Inspected, PersonsInBothSplits) {
  Inspection found({.layout = {.text = "text", .person = "who"}});
  found.add(write("train.csv", "text,who\none,p\ntwo,q\n"), Inspection::Split::kTraining);
  found.add(write("eval.csv", "text,who\nsix,p\nten,r\n"), Inspection::Split::kEvaluation);
  found.compare();
  EXPECT_EQ(lines_of(found), (Lines{"warning eval.csv and train.csv: 1 person of the evaluation "
                                    "split is in the training examples too"}));
}

TEST_F(Inspected, LengthsInTokensOfTheModel) {
  Inspection found({.tokenizer = tokenizer(), .max_length = 4});
  found.add(write("f.txt", "one\none two\none two one\none six six six six\n"),
            Inspection::Split::kTraining);
  const text::TokenStatistics& tokens = *found.reports()[0].tokens;
  EXPECT_EQ(tokens.length_at(0.5), 4U);
  EXPECT_EQ(tokens.length_at(1), 7U);
  EXPECT_EQ(tokens.cut(), 2U);
  EXPECT_DOUBLE_EQ(tokens.unknown_share(), 4.0 / 11);
  EXPECT_EQ(lines_of(found),
            (Lines{"warning f.txt: 2 of 4 texts are longer than model.max_length, 4 tokens, and "
                   "are cut; the longest has 7",
                   "warning f.txt: 36.4 % of the tokens are unknown to the model's vocabulary; the "
                   "model may be one for another language or another kind of text"}));
}

TEST_F(Inspected, AFileThatIsNotReadableIsAFindingAndTheOthersAreRead) {
  Inspection found({});
  found.add(write("f.gz", "\x1F\x8B\x08"), Inspection::Split::kTraining);
  found.add(folder / "absent", Inspection::Split::kTraining);
  found.add(write("g.txt", "one\n"), Inspection::Split::kTraining);
  ASSERT_EQ(found.reports().size(), 3U);
  EXPECT_EQ(found.reports()[0].format, data::Format::kAuto);
  EXPECT_EQ(found.reports()[2].examples, 1U);
  ASSERT_EQ(found.findings().size(), 2U);
  EXPECT_EQ(lines_of(found)[0], "error f.gz is compressed with gzip; unpack it with gunzip");
}

}  // namespace
}  // namespace sotto::inspection
