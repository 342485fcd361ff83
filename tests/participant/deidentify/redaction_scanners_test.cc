// Claims about the detectors of participant/deidentify/redaction/scanners.h.
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "participant/deidentify/redaction/redactor.h"
#include "participant/deidentify/redaction/scanners.h"

namespace sotto::redaction {
namespace {

using Scanner = Findings (*)(const Line&);

/// What the scanner finds, with "|" between.
std::string found(Scanner scanner, const std::string& text) {
  std::string out;
  for (const Finding& f : scanner(Line(text)))
    out += (out.empty() ? "" : "|") + text.substr(f.begin, f.end - f.begin);
  return out;
}

TEST(Scanners, CardsNeedTheirLuhnDigitAndNetwork) {
  // Published test numbers of the networks.
  for (const char* card :
       {"4111111111111111", "5555 5555 5555 4444", "3782-822463-10005", "6011111111111117",
        "30569309025904", "3530111333300000", "4222222222222", "2223003122003222"})
    EXPECT_EQ(found(find_cards, "pay " + std::string(card) + "."), card);
  EXPECT_EQ(found(find_cards, "4111111111111111 2024"), "4111111111111111");
  EXPECT_EQ(found(find_cards, "x4111111111111111 41111111111111111111"), "");
  ASSERT_TRUE(luhn_holds("9111111111111110"));
  EXPECT_EQ(found(find_cards, "9111111111111110"), "") << "of no network";
}

TEST(Scanners, EveryWrongDigitOfACardIsNoticed) {
  const std::string card = "4012888888881881";
  ASSERT_TRUE(luhn_holds(card));
  for (std::size_t i = 0; i < card.size(); ++i)
    for (char c = '0'; c <= '9'; ++c)
      if (std::string other = card; c != card[i]) {
        other[i] = c;
        EXPECT_FALSE(luhn_holds(other)) << other;
      }
}

TEST(Scanners, IbansNeedTheirCountrysLengthAndRemainder) {
  // Examples of the SWIFT registry.
  for (const char* iban :
       {"DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19", "NO93 8601 1117 947",
        "MT84 MALT 0110 0001 2345 MTLC AST0 01S", "FR14-2004-1010-0505-0001-3M02-606",
        "nl91abna0417164300", "BE68 5390 0754 7034", "SC18SSCB11010000000000001497USD"})
    EXPECT_EQ(found(find_ibans, "to " + std::string(iban) + ", please"), iban);
  EXPECT_EQ(
      found(find_ibans, "DE89370400440532013001 DE8937040044053201300 XX89370400440532013000"), "");
}

TEST(Scanners, AnIbanEndsWhereAWordDoes) {
  EXPECT_EQ(found(find_ibans, "DE89370400440532013000x xDE89370400440532013000"), "");
}

TEST(Scanners, EveryWrongCharacterAndSwapOfAnIbanIsNoticed) {
  const std::string iban = "GB29NWBK60161331926819";
  ASSERT_TRUE(iban_holds(iban));
  for (std::size_t i = 4; i < iban.size(); ++i)
    for (char c = '0'; c <= '9'; ++c)
      if (std::string other = iban; c != iban[i]) {
        other[i] = c;
        EXPECT_FALSE(iban_holds(other)) << other;
      }
  for (std::size_t i = 4; i + 1 < iban.size(); ++i)
    if (std::string other = iban; iban[i] != iban[i + 1]) {
      std::swap(other[i], other[i + 1]);
      EXPECT_FALSE(iban_holds(other)) << other;
    }
}

TEST(Scanners, EmailsEndWhereTheirDomainDoes) {
  EXPECT_EQ(found(find_emails, "<a.b+c@mail.example.org>, x_y@example.com."),
            "a.b+c@mail.example.org|x_y@example.com");
  EXPECT_EQ(found(find_emails, "lena (at) example (dot) org and eva[at]example.org"),
            "lena (at) example (dot) org|eva[at]example.org");
  EXPECT_EQ(found(find_emails, "müller@exämple.de"), "müller@exämple.de");
  EXPECT_EQ(found(find_emails, "@home, a@b, x@1.2, we met @ 5, f(at)"), "");
}

TEST(Scanners, AddressesOfMachines) {
  EXPECT_EQ(found(find_ipv4, "192.0.2.1, 10.0.0.0/8 and 203.0.113.9:80."),
            "192.0.2.1|10.0.0.0|203.0.113.9");
  EXPECT_EQ(found(find_ipv4, "1.2.3 1.2.3.256 1.2.3.4.5 01.2.3.4 version 1.2.3.4 v1.2.3.4"), "");
  EXPECT_EQ(found(find_ipv6, "2001:db8::1, fe80::1ff:fe23:4567:890a. ::1 ::ffff:192.0.2.1"),
            "2001:db8::1|fe80::1ff:fe23:4567:890a|::1|::ffff:192.0.2.1");
  EXPECT_EQ(found(find_ipv6, "12:30:45 std::bad 1:2:3:4:5:6:7:8:9 a::b ::"), "");
  EXPECT_EQ(found(find_macs, "00:1b:44:11:3A:B7 00-1B-44-11-3A-B7 001b.4411.3ab7"),
            "00:1b:44:11:3A:B7|00-1B-44-11-3A-B7|001b.4411.3ab7");
  EXPECT_EQ(found(find_macs, "00:1b:44:11:3A:B7:01 00:1b:44:11:3A 00:1b-44:11:3A:B7"), "");
  EXPECT_EQ(found(find_urls, "see https://a.example/x?y=1#z, (www.example.org/a_(b)) http://"),
            "https://a.example/x?y=1#z|www.example.org/a_(b)");
  EXPECT_EQ(
      found(find_hosts, "db1.office.local mail.example.de. main.py like it.it a.b.example.it"),
      "db1.office.local|mail.example.de|a.b.example.it");
}

TEST(Scanners, DatesAreDaysOfTheCalendar) {
  for (const char* date : {"2024-02-29", "29.2.2024", "02/29/2024", "29/02/24", "3 March 2024",
                           "March 3, 2024", "3rd of May", "12. März 2024", "14 juillet 2023",
                           "5 de mayo de 1990", "Dec 24, 2023", "01-Nov-2023", "3. 4. 2024"})
    EXPECT_EQ(found(find_dates, "on " + std::string(date) + ", "), date);
  EXPECT_EQ(found(find_dates, "2024-13-01 32.1.2024 1.2.3 2024-0417 12.30.45 3/4 march 3 may 10 x"),
            "")
      << "months that are words need their capital";
}

TEST(Scanners, PhonesAreToldFromFigures) {
  for (const char* phone :
       {"+44 20 7946 0958", "+1-202-555-0143", "(202) 555-0143", "1-202-555-0143", "07700 900123",
        "07700900123", "030/23125 000", "0049 30 23125 111", "(030) 23125-042"})
    EXPECT_EQ(found(find_phones, "at " + std::string(phone) + " now"), phone);
  EXPECT_EQ(found(find_phones, "call 5550191, tel: 202 5550"), "5550191|202 5550");
  EXPECT_EQ(
      found(find_phones, "5550191 1,250,000 2019-2020 0.3333333333 1.299,00 978-3-16-148410-0"),
      "");
}

TEST(Scanners, NoTextTakesMoreThanLinearTime) {
  const Scanner scanners[] = {find_emails, find_urls, find_hosts, find_ibans, find_cards,
                              find_phones, find_ipv4, find_ipv6,  find_macs,  find_dates};
  const char* pieces[] = {"a",  "@",      "a@",   "1",       "1 ",     "1-",      "(",    "0:",
                          ":",  ".",      "a.",   "www.",    "GB29",   "4111 ",   "1.1.", "+0",
                          "0/", " [at] ", "{at}", "http://", "March ", "\xC3\xA9"};
  const auto seconds = [](Scanner scanner, const char* piece, std::size_t length) {
    std::string text;
    while (text.size() < length)
      text += piece;
    const auto began = std::chrono::steady_clock::now();
    (void)scanner(Line(text));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr double kLimit = 20;
#else
  constexpr double kLimit = 2;
#endif
  for (const Scanner scanner : scanners)
    for (const char* piece : pieces)
      // A quarter of a megabyte takes milliseconds; in quadratic time it would be minutes.
      EXPECT_LT(seconds(scanner, piece, 1 << 18), kLimit) << piece;
}

TEST(Scanners, FindingsLieInTheTextInOrderWhateverItIs) {
  std::mt19937 random(1);
  const std::string alphabet = "aZ09 .:@-/()+[]%_GB\xC3\xA9";
  const Scanner scanners[] = {find_emails, find_urls, find_hosts, find_ibans, find_cards,
                              find_phones, find_ipv4, find_ipv6,  find_macs,  find_dates};
  for (int trial = 0; trial < 20000; ++trial) {
    std::string text;
    for (std::size_t i = random() % 40; i > 0; --i)
      text += alphabet[random() % alphabet.size()];
    for (const Scanner scanner : scanners) {
      std::size_t last = 0;
      for (const Finding& f : scanner(Line(text))) {
        ASSERT_LE(last, f.begin) << text;
        ASSERT_LT(f.begin, f.end) << text;
        ASSERT_LE(f.end, text.size()) << text;
        last = f.end;
      }
    }
  }
}

}  // namespace
}  // namespace sotto::redaction
