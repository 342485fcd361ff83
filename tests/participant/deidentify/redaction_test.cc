// Claims about mask.json, names, what is put in a value's place, and the sample that is shipped.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "participant/deidentify/redaction/generalise.h"
#include "participant/deidentify/redaction/redactor.h"
#include "participant/deidentify/redaction/sample.h"

namespace sotto::redaction {
namespace {

const std::filesystem::path kExample = std::filesystem::path(SOTTO_SOURCE_DIR) / "configs/masking";

crypto::Secret32 key(std::uint8_t fill) {
  crypto::Secret32 out;
  for (std::uint8_t& byte : out.writable())
    byte = fill;
  return out;
}

RedactionPlan plan_of(std::string_view json) {
  auto parsed = parse_mask_plan(json, "mask.json");
  if (const auto* errors = std::get_if<config::ConfigErrors>(&parsed)) {
    ADD_FAILURE() << errors->joined();
    return {};
  }
  return std::get<RedactionPlan>(std::move(parsed));
}

std::string errors_of(std::string_view json) {
  const auto parsed = parse_mask_plan(json, "mask.json");
  const auto* errors = std::get_if<config::ConfigErrors>(&parsed);
  return errors == nullptr ? "" : errors->joined();
}

Redactor masker_of(std::string_view json, std::uint8_t fill = 1) {
  return Redactor::make(plan_of(json), key(fill), nullptr).value();
}

std::string masked(const Redactor& masker, const std::string& text) {
  return masker.mask(text, "t.txt").value().text;
}

TEST(MaskingRun, EveryKindIsMaskedUnlessThePlanSaysOtherwise) {
  const std::string text = "a@b.org, 192.0.2.1\n+44 20 7946 0958\r\n\n2024-02-29";
  EXPECT_EQ(masked(masker_of("{}"), text), "[EMAIL], [IPV4]\n[PHONE]\r\n\n[DATE]");
  EXPECT_EQ(masked(masker_of(R"({"actions": {"email": "keep", "ipv4": "remove", "date":
                              "generalise", "phone": "generalise"}})"),
                   text),
            "a@b.org, \n[PHONE +44]\r\n\n[DATE 2024]");
}

TEST(MaskingRun, CountsAreReportedAndNoValues) {
  const auto out = masker_of("{}").mask("a@b.org c@d.org 2024-02-29", "t.txt").value();
  EXPECT_EQ(out.counts, (std::map<std::string, std::uint64_t>{{"email", 2}, {"date", 1}}));
}

TEST(MaskingRun, PseudonymsAreTheSameWithinASiteAndUnlinkableAcross) {
  const char* json =
      R"({"actions": {"email": "pseudonym", "phone": "pseudonym", "iban": "pseudonym"}})";
  const Redactor here = masker_of(json, 1), there = masker_of(json, 2);
  const std::string one = masked(here, "a@b.org");
  EXPECT_EQ(one.find("[EMAIL-"), 0U);
  EXPECT_EQ(one.size(), std::string("[EMAIL-]").size() + 16);
  EXPECT_EQ(masked(here, "A@B.org"), one) << "written otherwise, the same";
  EXPECT_NE(masked(here, "a@c.org"), one);
  EXPECT_NE(masked(there, "a@b.org"), one);
  EXPECT_EQ(masked(here, "+44 20 7946 0958"), masked(here, "0044-20-7946-0958"));
  EXPECT_EQ(masked(here, "GB29NWBK60161331926819"), masked(here, "GB29 NWBK 6016 1331 9268 19"));
  EXPECT_FALSE(Redactor::make(plan_of(json), std::nullopt, nullptr).ok())
      << "no key, no pseudonyms";
}

TEST(MaskingRun, EqualBytesUnderTwoKindsHaveUnequalPseudonyms) {
  const Redactor masker = masker_of(R"j({"patterns": {
    "X": {"regex": "YZ[0-9]", "action": "pseudonym"},
    "XY": {"regex": "Z[0-9]", "action": "pseudonym"}}})j");
  const std::string one = masked(masker, "YZ1"), other = masked(masker, "Z1");
  EXPECT_NE(one.substr(one.find('-')), other.substr(other.find('-')));
}

TEST(MaskingRun, WhatIsGeneralisedIsAYearANetworkACountryOrAHost) {
  EXPECT_EQ(generalised(FindingKind::kDate, "3 March 2024"), " 2024");
  EXPECT_EQ(generalised(FindingKind::kDate, "3 March"), "");
  EXPECT_EQ(generalised(FindingKind::kIpv4, "203.0.113.9"), " 203.0.0.0/16");
  EXPECT_EQ(generalised(FindingKind::kIpv6, "2001:db8:85a3::7334"), " 2001:db8::/32");
  EXPECT_EQ(generalised(FindingKind::kUrl, "https://u:p@portal.example.com:8443/x?id=1"),
            " portal.example.com");
  EXPECT_EQ(generalised(FindingKind::kUrl, "www.example.net"), " www.example.net");
  EXPECT_EQ(generalised(FindingKind::kEmail, "anna@example.org"), " @example.org");
  EXPECT_EQ(generalised(FindingKind::kEmail, "anna (at) example.org"), "");
  EXPECT_EQ(generalised(FindingKind::kIban, "DE89370400440532013000"), " DE");
  EXPECT_EQ(generalised(FindingKind::kPhone, "+1-202-555-0143"), " +1");
  EXPECT_EQ(generalised(FindingKind::kPhone, "00353 1 437 0000"), " +353");
  EXPECT_EQ(generalised(FindingKind::kPhone, "07700 900123"), "");
}

TEST(MaskingRun, OwnPatternsBeginAndEndWhereWordsDo) {
  const Redactor masker = masker_of(R"j({"patterns": {"ID": {"regex": "C-[0-9]{3,6}"},
                                      "ANY": {"regex": "(x+x+)+y"}}})j");
  EXPECT_EQ(masked(masker, "C-123 aC-123 C-1234567 (C-999999)"), "[ID] aC-123 C-1234567 ([ID])");
  // A classic that takes an engine with backtracking for ever.
  const std::string hostile(1 << 17, 'x');
  EXPECT_EQ(masked(masker, hostile), hostile);
  EXPECT_EQ(masked(masker, "C-555@example.org"), "[ID]@example.org") << "own patterns come first";
}

TEST(MaskingRun, MistakesInAPlanAreNamedWithTheirPath) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {R"({"actions": {"emial": "keep"}})", "$.actions.emial: unknown key, did you mean email?"},
      {R"({"actions": {"email": "hide"}})", "$.actions.email: found \"hide\""},
      {R"({"actions": {"name": "generalise"}})", "$.actions.name: this cannot be generalised"},
      {R"({"patterns": {"id": {"regex": "x"}}})", "$.patterns.id: the name of a pattern"},
      {R"({"patterns": {"ID": {"regex": "x("}}})",
       "$.patterns.ID.regex: this is not a regular expression"},
      {R"({"patterns": {"ID": {"regex": "x*"}}})",
       "$.patterns.ID.regex: this expression also matches"},
      {R"({"pattern": {}})", "$.pattern: unknown key"},
      {R"({"names_model": "m"})", "$.names_model"},
      {R"({"names_model": {"path": "m"}})", "$.names_model.labels"},
      {R"({"names_model": {"path": "m", "labels": []}})", "$.names_model.labels"},
      {R"({"names_model": {"labels": ["PER"]}})", "$.names_model.path"},
      {R"({"names_model": {"path": "m", "label": ["PER"]}})", "$.names_model.label: unknown key"},
      {"[]", "an object is needed"},
  };
  for (const auto& [json, expected] : cases)
    EXPECT_NE(errors_of(json).find(expected), std::string::npos) << errors_of(json) << "\nlacks\n"
                                                                 << expected;
}

TEST(MaskingRun, BadEncodingIsRefusedWithLineAndColumn) {
  const auto out = masker_of("{}").mask("fine\n\xC3\xA9 \xE9t\xE9\n", "t.txt");
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().message.find("t.txt:2:3: the text is not UTF-8"), 0U)
      << out.error().message;
}

const NameFinder& names() {
  static const NameFinder kNames = NameFinder::read(kExample / "names.txt").value();
  return kNames;
}

std::string names_in(const std::string& text) {
  std::string out;
  for (const Finding& f : names().find(text))
    out += (out.empty() ? "" : "|") + text.substr(f.begin, f.end - f.begin);
  return out;
}

TEST(Names, AreKnownByDictionaryAndByWhatStandsAroundThem) {
  EXPECT_EQ(names_in("Ask Anna or Dr. Xyz Abc."), "Anna|Xyz Abc");
  EXPECT_EQ(names_in("my name is Qwrt, hello"), "Qwrt");
  EXPECT_EQ(names_in("Hans van der Berg and Jean-Luc Fontaine's dog"),
            "Hans van der Berg|Jean-Luc Fontaine");
  EXPECT_EQ(names_in("J. R. Papadopoulos signed"), "J. R. Papadopoulos");
  EXPECT_EQ(names_in("for maria garcia, not maria"), "maria garcia");
  EXPECT_EQ(names_in("Ame\xCC\x81lie and Am\xC3\xA9lie"), "Ame\xCC\x81lie|Am\xC3\xA9lie")
      << "both spellings of an accent";
}

TEST(Names, WordsThatAreAlsoNamesNeedCompany) {
  EXPECT_EQ(names_in("Mark the box. Will you? Grace and hope. In May, Rose gardens."), "");
  EXPECT_EQ(names_in("Mark Taylor met Rose Meyer"), "Mark Taylor|Rose Meyer");
  EXPECT_EQ(names_in("Mr Baker, not a baker"), "Baker");
}

TEST(Names, ALineOfNoKnownKindIsNamed) {
  EXPECT_EQ(
      NameFinder::parse("given Anna\nsurname X\n", "n.txt").error().message.find("n.txt:2:1: "),
      0U);
}

/// Finds these texts wherever they stand first; or cannot say.
class FixedFinder final : public SpanFinder {
 public:
  explicit FixedFinder(std::vector<std::string> texts) : texts_(std::move(texts)) {}

  Result<std::vector<Span>> find(std::string_view line) override {
    if (line == "broken") return Error{"cannot say"};
    std::vector<Span> out;
    for (const std::string& text : texts_)
      if (const std::size_t at = line.find(text); at != std::string_view::npos)
        out.push_back({at, at + text.size()});
    return out;
  }

 private:
  std::vector<std::string> texts_;
};

Redactor with_model(std::vector<std::string> texts) {
  RedactionPlan plan = plan_of(R"({"names_model": {"path": "m", "labels": ["PER"]},
                  "patterns": {"ID": {"regex": "C-[0-9]{3}"}}})");
  plan.names = kExample / "names.txt";
  return Redactor::make(std::move(plan), std::nullopt,
                        std::make_unique<FixedFinder>(std::move(texts)))
      .value();
}

TEST(NamesModel, WhatEitherFinderSeesOfANameIsHidden) {
  const std::string text = "\u00BBAnna \u0142ajkowska\u00AB \u2192 now";
  EXPECT_EQ(masked(with_model({}), text), "\u00BB[NAME] \u0142ajkowska\u00AB \u2192 now");
  for (const char* more : {"Anna \u0142ajkowska", "nna \u0142ajkowska"})
    EXPECT_EQ(masked(with_model({more}), text), "\u00BB[NAME]\u00AB \u2192 now") << more;
  EXPECT_EQ(masked(with_model({"\u0142ajkowska"}), text), "\u00BB[NAME] [NAME]\u00AB \u2192 now");
  // A part of what the dictionary found, one in front of it, and one that bridges two of its own.
  EXPECT_EQ(masked(with_model({"Ann"}), "Anna Kowalska"), "[NAME]");
  EXPECT_EQ(masked(with_model({"Xyzzy"}), "Xyzzy asked Anna"), "[NAME] asked [NAME]");
  EXPECT_EQ(masked(with_model({"nna or Be"}), "Anna or Ben"), "[NAME]");
}

TEST(NamesModel, WhatHasAFormGoesBeforeANameWhoseOtherWordsStayHidden) {
  EXPECT_EQ(masked(with_model({"Anna a@b.org"}), "Anna a@b.org"), "[NAME] [EMAIL]");
  EXPECT_EQ(masked(with_model({"Qux, C-123 \u0141aj \u2192"}), "Qux, C-123 \u0141aj \u2192."),
            "[NAME], [ID] [NAME].");
  EXPECT_EQ(masked(with_model({"a@b"}), "a@b.org"), "[EMAIL]");
}

TEST(NamesModel, OneThatCannotSayStopsTheMaskingAndTheScore) {
  EXPECT_EQ(with_model({}).mask("fine\nbroken\n", "t.txt").error().message, "cannot say");
  EXPECT_EQ(score(with_model({}), "broken\n", "s.txt").error().message, "cannot say");
}

TEST(NamesModel, APlanThatAsksForOneIsNotCarriedOutWithout) {
  const RedactionPlan plan = plan_of(R"({"names_model": {"path": "m", "labels": ["PER"]}})");
  const auto made = Redactor::make(plan, std::nullopt, nullptr);
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message.find("an NER model"), std::string::npos);
}

TEST(NamesModel, ItsFolderIsBesideThePlan) {
  const RedactionPlan plan = load_mask_plan(kExample / "mask-with-model.json");
  ASSERT_TRUE(plan.names_model.has_value());
  EXPECT_EQ(plan.names_model->path, std::filesystem::path(SOTTO_SOURCE_DIR) / "configs/ner/model");
  EXPECT_EQ(plan.names_model->labels, std::vector<std::string>{"PER"});
}

Scores scores_of(const char* file) {
  std::ifstream in(kExample / file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const Redactor masker =
      Redactor::make(load_mask_plan(kExample / "mask.json"), key(0), nullptr).value();
  return score(masker, text, file).value();
}

// The figures of docs/site.md.
TEST(MaskingSample, TheShippedSampleGivesTheFiguresThatAreWritten) {
  const Scores scores = scores_of("sample.txt");
  EXPECT_EQ(scores.lines, 115U);
  EXPECT_EQ(scores.all.marked, 117U);
  EXPECT_EQ(scores.all.found, 112U);
  EXPECT_EQ(scores.all.right, 112U);
  EXPECT_EQ(scores.by_kind.at("name").right, 44U);
}

TEST(MaskingSample, WhatWasWrittenAfterwardsGivesTheFiguresThatAreWritten) {
  const Scores scores = scores_of("held_out.txt");
  EXPECT_EQ(scores.all.marked, 50U);
  EXPECT_EQ(scores.all.found, 39U);
  EXPECT_EQ(scores.all.right, 38U);
  EXPECT_EQ(scores.by_kind.at("name").marked, 25U);
  EXPECT_EQ(scores.by_kind.at("name").right, 13U);
}

TEST(MaskingSample, ScoresCountWhatIsRightFoundAndHidden) {
  const Redactor masker = masker_of("{}");
  const auto scores = score(masker,
                            "# a comment\n<email>a@b.org</email> 2024-01-01\n"
                            "<date>b@c.org</date> <name>Anna</name>\n",
                            "s.txt")
                          .value();
  EXPECT_EQ(scores.lines, 2U);
  EXPECT_EQ(scores.all.marked, 3U);
  EXPECT_EQ(scores.all.found, 3U);
  EXPECT_EQ(scores.all.right, 1U);
  EXPECT_EQ(scores.all.covered, 2U) << "hidden as another kind is hidden";
  EXPECT_DOUBLE_EQ(scores.all.precision(), 1.0 / 3);
  EXPECT_EQ(score(masker, "ok\nx <email>a@b.org\n", "s.txt").error().message.find("s.txt:2:3: "),
            0U);
  EXPECT_NE(score(masker, "<emial>a@b.org</emial>\n", "s.txt").error().message.find("emial"),
            std::string::npos);
}

}  // namespace
}  // namespace sotto::redaction
