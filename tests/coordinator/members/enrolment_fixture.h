// An operator and some sites as folders, before anybody is enrolled, and what their errors say.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/config/parse.h"
#include "common/identity/keystore.h"
#include "coordinator/members/enrolment.h"
#include "participant/identity/enrolment.h"
#include "tests/temporary_directory.h"

namespace sotto::enrolment_test {

namespace fs = std::filesystem;
using config::Card;
using config::FederationConfig;
using config::Roster;
using coordinator::Removal;
using identity::Keystore;
using participant::CardKind;
using participant::PinChange;

constexpr std::uint64_t kNow = 1'800'000'000;
constexpr std::uint64_t kYear = 31'536'000;
constexpr coordinator::Validity kOneYear{.now_unix_s = kNow, .for_s = kYear};

inline std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  EXPECT_TRUE(in.good()) << file;
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_text(const fs::path& file, std::string_view text) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
}

/// What the StartupError of `action` says; empty when there is none.
template <class Action>
std::string refusal_of(Action action) {
  try {
    action();
  } catch (const StartupError& error) {
    return error.what();
  }
  return {};
}

inline void expect_contains(const std::string& text, std::string_view part) {
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << text << "\" lacks \"" << part << "\"";
}

/// A coordinator's folder and some participants' folders, nobody enrolled.
class Enrolment : public ::testing::Test {
 protected:
  Enrolment() {
    coordinator::init(
        operator_folder(), make_keys(operator_folder(), "north"),
        {.name = "north", .endpoint = "tcp://fed.example:7700", .listen = "tcp://*:7700"});
  }

  config::Identity make_keys(const fs::path& folder, const std::string& name) {
    const Keystore keys = Keystore::make(name, random_);
    keys.save_new(folder, identity::Nothing{}, crypto::kLeastCost, random_);
    return keys.identity(1);
  }

  [[nodiscard]] fs::path operator_folder() const { return folder_ / "operator"; }

  [[nodiscard]] fs::path federation_file() const { return operator_folder() / "federation.json"; }

  [[nodiscard]] fs::path site(const std::string& name) const { return folder_ / name; }

  Card init(const std::string& name) {
    make_keys(site(name), name);
    return participant::write_card(site(name), keys_of(name), CardKind::kNewMember);
  }

  [[nodiscard]] Keystore keys_of(const std::string& name) const {
    return Keystore::open(site(name), identity::Nothing{});
  }

  [[nodiscard]] config::Identity operators() const {
    return Keystore::open(operator_folder(), identity::Nothing{}).identity(1);
  }

  FederationConfig enroll(const std::vector<Card>& cards) {
    return coordinator::enroll(operator_folder(), operators(), cards, kOneYear);
  }

  FederationConfig remove(const std::vector<std::string>& names,
                          Removal removal = Removal::kRemove) {
    return coordinator::remove(operator_folder(), operators(), names, removal, kOneYear);
  }

  participant::Membership join(
      const std::string& name, PinChange change = PinChange::kRefuse,
      const participant::DecideOnChange& decide = participant::refuse_key_changes) {
    return participant::join(site(name), keys_of(name), federation_file(), kNow, change, decide);
  }

  participant::Membership load(const std::string& name, std::uint64_t now = kNow) {
    return participant::load_membership(site(name), keys_of(name), now);
  }

  TemporaryDirectory folder_;
  crypto::StreamRandom random_{7};
};

}  // namespace sotto::enrolment_test
