// A participant: owns the site's data, trainer, policy, ledger and guard; answers job offers and
// carries out what its ParticipantSession asks for. Runs under any Host. Includes no torch: models
// and trainers come from a ModelProvider.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/host.h"
#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/config/site.h"
#include "common/crypto/secure_random.h"
#include "common/crypto/sign.h"
#include "common/observability/audit_log.h"
#include "common/privacy/ledger/ledger.h"
#include "common/secagg/shared/preshared.h"
#include "participant/admission/assessment.h"
#include "participant/protocol/genesis_log.h"
#include "participant/protocol/guard.h"

namespace sotto::participant {

struct ParticipantOptions {
  MemberId self{};
  config::Roster roster;
  config::SiteConfig site;
  secagg::PresharedKeys preshared;
  training::ModelProvider& models;  // outlives the participant
  ReadExamples read_examples;
  /// What the clocks on the site's walls show, for its hours and for approvals.
  std::function<std::uint64_t()> unix_now;
  std::filesystem::path evidence;      // folder for contradictions of others; empty: none is kept
  std::filesystem::path approvals;     // approvals.h; empty: nobody approved anything
  crypto::VerifyKey approvals_key{};   // that they are signed with
  std::filesystem::path offered_jobs;  // folder for what waits for approval; empty: none is kept
  std::filesystem::path judged_jobs;   // judged_jobs.h; empty: in memory alone
  bool once = false;                   // finish with the first run's end (or refusal), for scripts
};

/// What happens, for the log and for people at the site. Never leaves the site.
struct ParticipantObserver {
  std::function<void(const std::string&)> on_note;
  std::function<void(const std::string&)>
      on_warning;  // training is in vain, or promises too little
  /// For the site's audit log. What is said here is durable when it returns; a release has not left
  /// yet.
  std::function<void(const run::AuditEvent&)> on_audit;
  /// The coordinator's signed end of the run came; after its entry in the audit log.
  std::function<void()> on_run_ended{};
};

class Participant final : public App {
 public:
  /// host, signing, random, guard, geneses and ledger outlive the participant.
  Participant(ParticipantOptions options, Host& host, const crypto::SigningKey& signing,
              crypto::SecureRandom& random, Guard& guard, GenesisLog& geneses,
              privacy::PrivacyLedger& ledger, ParticipantObserver observer);
  ~Participant() override;

  void start() override;
  void on_frame(MemberId peer, BytesView frame) override;
  void on_wake() override;
  void on_connected() override;
  void on_stop_requested() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sotto::participant
