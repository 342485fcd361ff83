// Claims about reading CSV and TSV (participant/deidentify/tables/table.h).
#include "participant/deidentify/tables/table.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sotto::tables {
namespace {

Result<Table> csv(std::string text) {
  return Table::parse(std::move(text), "t.csv", Format::kCsv);
}

std::string error_of(std::string text, Format format = Format::kCsv) {
  const auto table = Table::parse(std::move(text), "t.csv", format);
  return table.ok() ? "no error" : table.error().message;
}

TEST(Table, ReadsQuotedCellsWithDelimitersMarksAndLineEnds) {
  const auto table = csv("a,b\r\n\"x, y\",\"says \"\"no\"\"\"\r\n,\"two\nlines\"\n");
  ASSERT_TRUE(table.ok()) << table.error().message;
  ASSERT_EQ(table->rows(), 2U);
  EXPECT_EQ(table->cell(0, 0), "x, y");
  EXPECT_EQ(table->cell(0, 1), "says \"no\"");
  EXPECT_EQ(table->cell(1, 0), "");
  EXPECT_EQ(table->cell(1, 1), "two\nlines");
}

TEST(Table, TakesTsvCellsAsTheyAre) {
  const auto table = Table::parse("a\tb\n\"x\t, y\n", "t.tsv", Format::kTsv);
  ASSERT_TRUE(table.ok()) << table.error().message;
  EXPECT_EQ(table->cell(0, 0), "\"x");
  EXPECT_EQ(table->cell(0, 1), ", y");
  EXPECT_EQ(format_of("x/y.tsv"), Format::kTsv);
  EXPECT_EQ(format_of("x/y.csv"), Format::kCsv);
}

TEST(Table, SkipsAByteOrderMarkAndBlankLinesAtTheEnd) {
  const auto table =
      csv("\xEF\xBB\xBF"
          "a,b\n1,2\n\n\n");
  ASSERT_TRUE(table.ok()) << table.error().message;
  EXPECT_EQ(table->columns()[0].name, "a");
  EXPECT_EQ(table->rows(), 1U);
  EXPECT_EQ(csv("a\n1\n\n")->rows(), 2U) << "one column: an empty line is an empty cell";
}

TEST(Table, WrongInputGetsOneErrorWithLineAndColumn) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "t.csv:1:1: there is no header line"},
      {"\n\n", "t.csv:1:1: there is no header line"},
      {"a,b\n", "t.csv:2:1: there is no row after the header"},
      {"a,,c\n1,2,3\n", "t.csv:1:3: a column has no name"},
      {"a,b,a\n1,2,3\n", "t.csv:1:5: two columns have this name"},
      {"a,b\n1,2\n1\n", "t.csv:3:1: the row has 1 cell, but the header has 2"},
      {"a,b\n1,2,secret\n", "t.csv:2:5: the row has 3 cells, but the header has 2"},
      {"a,b\n1,2\n\n1,2\n", "t.csv:3:1: the row has 1 cell, but the header has 2"},
      {"a,b\n1,caf\xE9\n", "t.csv:2:6: the text is not UTF-8"},
      {"a,b\n\xC3\xA9,\xC3\xA9\xFF\n", "t.csv:2:4: the text is not UTF-8"},
      {std::string("a,b\n1,\0\n", 8), "t.csv:2:3: the file contains a zero byte"},
      {"a,b\n1,\"2\n3,4\n", "t.csv:2:3: the quotation mark that opens this cell is never closed"},
      {"a,b\n1,\"2\"x\n", "t.csv:2:6: there is text after the quotation mark"},
      {"a,b\n1,2\"\n", "t.csv:2:4: a cell contains a quotation mark"},
      {"a,b\n1,2\n3,4", "t.csv:3:4: the last line has no line break"},
      {"a,b\n1,\"2\"", "t.csv:2:6: the last line has no line break"},
  };
  for (const auto& [text, expected] : cases) {
    const std::string found = error_of(text);
    EXPECT_EQ(found.find(expected), 0U) << found << "\ninstead of\n" << expected;
    EXPECT_EQ(found.find("secret"), std::string::npos) << found;
  }
}

TEST(Table, EveryCutOfAFileIsAnErrorUnlessItEndsALine) {
  const std::string whole = "name,says\nA,\"b, \"\"c\"\"\nd\"\nE,f\n";
  int errors = 0;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto table = csv(whole.substr(0, length));
    if (table.ok())
      EXPECT_EQ(length, whole.size() - 4) << "only the cut after the first row leaves a table";
    else
      ++errors;
  }
  EXPECT_EQ(errors, static_cast<int>(whole.size()) - 1);
}

TEST(Table, ErrorsPointAtCellsAlsoBehindLineEndsInCells) {
  const auto table = csv("a,b\n\"1\n2\",x\n\"\xC3\xA9\xC3\xA9\",y\n");
  ASSERT_TRUE(table.ok()) << table.error().message;
  EXPECT_EQ(table->error_at(0, 1, "no").message, "t.csv:3:4: column b: no");
  EXPECT_EQ(table->error_at(1, 1, "no").message, "t.csv:4:6: column b: no");
  EXPECT_EQ(table->error_at_code(1, 1, "no").message, "t.csv:4:6: column b: no");
}

TEST(Table, AMissingColumnIsNamedWithThoseThatThereAre) {
  EXPECT_EQ(csv("a,b\n1,2\n")->find("c").error().message,
            "t.csv:1:1: there is no column c; the columns are a, b");
}

TEST(Table, WhatIsWrittenReadsBackTheSame) {
  const std::vector<std::string_view> cells = {"plain",      "a,b", "say \"x\"",
                                               "two\nlines", "",    " sp "};
  const auto table = csv("a,b,c,d,e,f\n" + line_of(cells, Format::kCsv));
  ASSERT_TRUE(table.ok()) << table.error().message;
  for (std::size_t i = 0; i < cells.size(); ++i)
    EXPECT_EQ(table->cell(0, i), cells[i]);
}

}  // namespace
}  // namespace sotto::tables
