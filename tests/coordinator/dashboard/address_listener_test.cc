// What must be there before the dashboard can be reached from elsewhere.
#include "coordinator/dashboard/address_listener.h"

#include <fstream>

#include <gtest/gtest.h>

#include "common/base/result.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator::dashboard {
namespace {

namespace fs = std::filesystem;

std::string why_not(const AddressOptions& options) {
  try {
    (void)open_address(options);
  } catch (const StartupError& e) {
    return e.what();
  }
  return "";
}

class AddressListenerTest : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text,
                   fs::perms mode = fs::perms::owner_read) {
    const fs::path path = folder_ / name;
    std::ofstream(path) << text;
    fs::permissions(path, mode);
    return path;
  }

  void SetUp() override {
    token_ = file("token", std::string(64, 'a') + "\n");
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "
        "/CN=x "
        "-addext 'subjectAltName=DNS:fed.example,DNS:*.lab.example,IP:192.0.2.7' -keyout " +
        (folder_ / "key.pem").string() + " -out " + (folder_ / "cert.pem").string() +
        " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
    key_ = folder_ / "key.pem";
    certificate_ = folder_ / "cert.pem";
  }

  TemporaryDirectory folder_;
  std::string token_, key_, certificate_;
};

TEST_F(AddressListenerTest, IsClosedUnlessAskedFor) {
  EXPECT_FALSE(open_address({}).has_value());
  EXPECT_NE(why_not({.token_file = token_}), "") << "a token for nothing";
}

TEST_F(AddressListenerTest, LoopbackNeedsNothing) {
  for (const char* address : {"127.0.0.1:7300", "localhost:7300", "[::1]:7300", "127.1.2.3:0"})
    EXPECT_EQ(why_not({.address = address}), "") << address;
  const auto listener = open_address({.address = "127.0.0.1:7300"});
  EXPECT_EQ(listener->port, 7300);
  EXPECT_TRUE(listener->is_our_name("localhost"));
  EXPECT_TRUE(listener->is_our_name("127.0.0.1"));
  EXPECT_FALSE(listener->is_our_name("fed.example"));
  EXPECT_FALSE(listener->is_our_name(""));
}

TEST_F(AddressListenerTest, AnyOtherAddressNeedsTlsAndAToken) {
  for (const char* address : {"0.0.0.0:7300", "192.0.2.7:7300", "[::]:7300"}) {
    const std::string needs = "can be reached from other machines";
    EXPECT_NE(why_not({.address = address}).find(needs), std::string::npos) << address;
    EXPECT_NE(why_not({.address = address, .token_file = token_}).find(needs), std::string::npos)
        << address;
    EXPECT_NE(why_not({.address = address, .certificate_file = certificate_, .key_file = key_})
                  .find(needs),
              std::string::npos)
        << address;
    EXPECT_EQ(why_not({.address = address,
                       .token_file = token_,
                       .certificate_file = certificate_,
                       .key_file = key_}),
              "")
        << address;
  }
}

TEST_F(AddressListenerTest, GoesByTheNamesOfItsCertificateAndNoOther) {
  const auto listener = open_address({.address = "0.0.0.0:7300",
                                      .token_file = token_,
                                      .certificate_file = certificate_,
                                      .key_file = key_});
  for (const char* name : {"fed.example", "a.lab.example", "192.0.2.7"})
    EXPECT_TRUE(listener->is_our_name(name)) << name;
  for (const char* name :
       {"evil.example", "localhost", "", "192.0.2.8", "a.b.lab.example", "0.0.0.0"})
    EXPECT_FALSE(listener->is_our_name(name)) << name;
}

TEST_F(AddressListenerTest, BadFilesAreNamed) {
  const AddressOptions good{.address = "127.0.0.1:7300",
                            .token_file = token_,
                            .certificate_file = certificate_,
                            .key_file = key_};
  ASSERT_EQ(why_not(good), "");
  const auto with = [&](auto change) {
    AddressOptions options = good;
    change(options);
    return why_not(options);
  };
  const std::string open =
      file("open", std::string(64, 'a'), fs::perms::owner_read | fs::perms::others_read);
  const std::string shorter = file("short", std::string(31, 'a'));
  const std::string two_lines = file("lines", std::string(40, 'a') + "\n" + std::string(40, 'b'));
  const std::string no_pem = file("nopem", "nothing");
  for (const std::string& bad : {open, shorter, two_lines, std::string("/nonexistent")})
    EXPECT_NE(with([&](AddressOptions& o) { o.token_file = bad; }).find(bad), std::string::npos)
        << bad;
  EXPECT_NE(with([&](AddressOptions& o) { o.certificate_file = no_pem; }).find(no_pem),
            std::string::npos);
  EXPECT_NE(with([&](AddressOptions& o) { o.key_file = no_pem; }).find(no_pem), std::string::npos);
  EXPECT_NE(with([&](AddressOptions& o) { o.key_file.clear(); }).find("must be given together"),
            std::string::npos);
  fs::permissions(key_, fs::perms::group_read, fs::perm_options::add);
  EXPECT_NE(why_not(good).find("chmod 600"), std::string::npos);
}

TEST_F(AddressListenerTest, BadAddressesSayHowOneLooks) {
  for (const char* address : {"7300", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:x",
                              "example.org:80", ":7300", "127.0.0.1:73 "})
    EXPECT_NE(why_not({.address = address}).find("127.0.0.1:7300"), std::string::npos) << address;
}

}  // namespace
}  // namespace sotto::coordinator::dashboard
