// Claims about anonymise.json, hierarchies, and what is said of a table that does not fit them.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/storage/atomic_file.h"
#include "participant/deidentify/anonymisation/microdata.h"
#include "participant/deidentify/anonymisation/plan.h"
#include "tests/temporary_directory.h"

namespace sotto::anonymisation {
namespace {

constexpr const char* kPlan = R"({"k": 3, "columns": {
  "age": {"role": "quasi_identifier", "kind": "number", "widths": [5, 10]},
  "a.b": {"role": "quasi_identifier"},
  "ill": {"role": "sensitive", "t": 0.5},
  "name": {"role": "removed"}}})";

AnonymisationPlan plan_of(std::string_view text, const std::vector<std::string>& overrides = {}) {
  auto parsed = parse_plan(text, "anonymise.json", overrides);
  if (const auto* errors = std::get_if<config::ConfigErrors>(&parsed)) {
    ADD_FAILURE() << errors->joined();
    return {};
  }
  return std::get<AnonymisationPlan>(std::move(parsed));
}

std::string errors_of(std::string_view text, const std::vector<std::string>& overrides = {}) {
  const auto parsed = parse_plan(text, "anonymise.json", overrides);
  const auto* errors = std::get_if<config::ConfigErrors>(&parsed);
  return errors == nullptr ? "" : errors->joined();
}

tables::Table table_of(std::string text) {
  auto table = tables::Table::parse(std::move(text), "t.csv", tables::Format::kCsv);
  SOTTO_CHECK(table.ok(), table.error().message);
  return std::move(table).value();
}

std::string with(std::string text, const std::string& part, const std::string& instead) {
  return text.replace(text.find(part), part.size(), instead);
}

TEST(AnonymisePlan, KeepsWhatItSaysAndWhatSetSays) {
  const AnonymisationPlan plan =
      plan_of(kPlan, {"k=7", "columns.a.b.role=kept", "columns.ill.distinct_l=2"});
  EXPECT_EQ(plan.k, 7U);
  EXPECT_EQ(plan.method, Method::kMondrian);
  EXPECT_EQ(plan.columns.at("age").widths, (std::vector<std::uint32_t>{5, 10}));
  EXPECT_EQ(plan.columns.at("a.b").role, Role::kKept);
  EXPECT_EQ(plan.columns.at("ill").distinct_l, 2);
  EXPECT_EQ(plan.columns.at("ill").t, 0.5);
}

TEST(AnonymisePlan, EachMistakeIsNamedWithItsPath) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {with(kPlan, "\"k\": 3", "\"k\": 1"), "anonymise.json: $.k: found 1; allowed"},
      {with(kPlan, "\"k\": 3", "\"K\": 3"), "$.K: unknown key, did you mean k?"},
      {with(kPlan, "\"removed\"", "\"gone\""), "$.columns.name.role: found \"gone\""},
      {with(kPlan, "\"t\": 0.5", "\"tt\": 0.5"), "$.columns.ill.tt: unknown key"},
      {with(kPlan, "[5, 10]", "[5, 12]"),
       "$.columns.age.widths: each number must be a larger multiple"},
      {with(kPlan, "\"sensitive\", ", "\"kept\", "),
       "$.columns.ill.role: only a sensitive column has distinct_l, entropy_l, t"},
      {with(kPlan, "\"t\": 0.5", "\"distance\": \"ordered\""), "$.columns.ill.order: the key is missing"},
      {"{\"k\": 3}", "$.columns: the key is missing"},
      {"{\"k\": 3, \"columns\": {\"a\": {\"role\": \"kept\"}}}", "no column is a quasi_identifier"},
      {"[", "anonymise.json: line 1, column 2"},
      {with(kPlan, "\"name\"", "\"age\""), "$.columns.age: this key occurs twice"},
  };
  for (const auto& [text, expected] : cases)
    EXPECT_NE(errors_of(text).find(expected), std::string::npos) << errors_of(text) << "\nlacks\n"
                                                                 << expected;
  EXPECT_NE(errors_of(kPlan, {"columns.size.t=1"}).find("$.columns.size: --set names a column"),
            std::string::npos);
}

std::string table_error(const std::string& text, const AnonymisationPlan& plan) {
  const auto data = microdata_of(table_of(text), plan);
  return data.ok() ? "no error" : data.error().message;
}

TEST(AnonymisePlan, ATableThatDoesNotFitIsRefusedWithLineAndColumnAndNoValue) {
  const AnonymisationPlan plan = plan_of(kPlan);
  EXPECT_EQ(table_error("age,a.b,ill,name\n31,x,no,N\n", plan), "no error");
  EXPECT_EQ(
      table_error("age,a.b,ill,name\n31,x,no,N\nold,x,no,N\n", plan),
      "t.csv:3:1: column age: the plan declares this column as a number, but this cell is not one");
  EXPECT_EQ(table_error("age,a.b,ill\n31,x,no\n", plan),
            "t.csv:1:1: there is no column name; the columns are age, a.b, ill");
  EXPECT_EQ(table_error("age,a.b,ill,name,iban\n31,x,no,N,1\n", plan),
            "t.csv:1:1: the plan gives no role to column iban; every column needs one of "
            "quasi_identifier, sensitive, kept, removed");
  AnonymisationPlan ordered = plan;
  ordered.columns["ill"] = {
      .role = Role::kSensitive, .distance = Distance::kOrdered, .order = {"no", "yes"}};
  EXPECT_EQ(table_error("age,a.b,ill,name\n31,x,no,N\n3,x,maybe,N\n", ordered)
                .find("t.csv:3:5: column ill: the plan does not contain the value of this cell"),
            0U);
  for (const char* bad : {"inf", "nan", "0x10", " 7", "7 ", "1e999", ""})
    EXPECT_NE(table_error("age,a.b,ill,name\n" + std::string(bad) + ",x,no,N\n", plan), "no error")
        << bad;
}

TEST(AnonymisePlan, AnUnknownClassIsRefusedWhereItStands) {
  const TemporaryDirectory folder;
  const auto file = folder / "tree.csv";
  const auto use_tree = [&](std::string_view tree) {
    SOTTO_CHECK(
        storage::write_file_atomically(file, {view_of(tree)}, storage::FileAccess::kOwnerOnly).ok(),
        "the tree");
    AnonymisationPlan plan = plan_of(kPlan);
    plan.columns["a.b"].hierarchy = file;
    return table_error("age,a.b,ill,name\n31,x,no,N\n31,z,no,N\n", plan);
  };
  const std::string at = file.string();
  EXPECT_EQ(use_tree("v,g\nx,1\nz,1\n"), "no error");
  EXPECT_EQ(use_tree("v,g\nx,1\ny,1\n"),
            "t.csv:3:4: column a.b: the value of this cell is not in " + at);
  EXPECT_EQ(use_tree("v,g\nx,1\nz,1\nx,2\n"), at + ":4:1: column v: this value has a second row");
  EXPECT_EQ(use_tree("v,g,h\nx,1,a\nz,1,b\n"),
            at + ":3:3: column g: this group belongs to another coarser group further up");
}

TEST(Scale, NumbersAreJoinedIntoIntervalsThatLieInIntervals) {
  const auto table = table_of("n\n7\n-3\n12.5\n7.0\n11\n");
  const auto scale = Scale::of_numbers(table, 0, {5, 10}).value();
  ASSERT_EQ(scale.size(), 4U) << "7 and 7.0 are one";
  EXPECT_EQ(scale.rank("7"), scale.rank("7.0"));
  EXPECT_EQ(scale.levels(), 4U);
  const auto at = [&](std::size_t level, const char* value) {
    return scale.label(level, *scale.rank(value));
  };
  EXPECT_EQ(at(1, "-3").text, "-5 to below 0");
  EXPECT_EQ(at(1, "12.5").text, "10 to below 15");
  EXPECT_DOUBLE_EQ(at(1, "12.5").loss, 5 / 15.5);
  EXPECT_EQ(at(2, "11").text, "10 to below 20");
  EXPECT_EQ(at(3, "11").text, "*");
  EXPECT_EQ(scale.cover(0, 3).text, "-3 to 12.5");
  EXPECT_DOUBLE_EQ(scale.cover(0, 3).loss, 1);
  EXPECT_EQ(scale.cover(1, 1).text, "7");
}

TEST(Scale, BranchesAreNamedByTheSmallestThatHoldsBothEnds) {
  const auto tree = table_of("v,g,h\na,1,low\nc,2,high\nb,1,low\nd,3,high\n");
  const auto scale = Scale::of_tree(tree).value();
  const auto cover = [&](const char* first, const char* last) {
    return scale.cover(*scale.rank(first), *scale.rank(last));
  };
  EXPECT_EQ(cover("a", "a").text, "a");
  EXPECT_EQ(cover("a", "b").text, "1") << "the rows of a group need not stand together";
  EXPECT_EQ(cover("c", "d").text, "high");
  EXPECT_DOUBLE_EQ(cover("c", "d").loss, 0.5);
  EXPECT_EQ(cover("b", "d").text, "*");
}

}  // namespace
}  // namespace sotto::anonymisation
