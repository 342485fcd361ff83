// Participant owns the site's data, trainer, policy, ledger and guard. It answers job offers and
// carries out what its ParticipantSession requests. It runs under any Host. It includes no torch
// header: models and trainers come from a ModelProvider.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
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
#include "participant/protocol/guard.h"
#include "participant/protocol/randomness_log.h"

namespace sotto::participant {

struct ParticipantOptions {
  MemberId self{};
  config::Roster roster;
  config::SiteConfig site;
  secagg::PresharedKeys preshared;
  training::ModelProvider& models;  // outlives the participant
  ReadExamples read_examples;
  /// Returns the wall clock in seconds since 1970. The permitted hours and the approvals depend on
  /// it.
  std::function<std::uint64_t()> unix_now;
  std::filesystem::path evidence;        // folder for evidence; empty: none is kept
  std::filesystem::path approvals;       // file of approvals.h; empty: no approvals
  crypto::VerifyKey approvals_key{};     // verifies the signatures of the approvals
  std::filesystem::path offered_jobs;    // folder for jobs that wait for approval; empty: none is
                                         // kept
  std::filesystem::path evaluated_jobs;  // file of evaluated_jobs.h; empty: kept in memory
  bool once = false;                     // end when the first run ends or is declined; for scripts
};

/// ParticipantObserver receives what happens at the site, for its log and its operator. Nothing of
/// it leaves the site.
struct ParticipantObserver {
  std::function<void(const std::string&)> on_log;
  std::function<void(const std::string&)>
      on_warning;  // problems that need the operator's attention
  /// For the site's audit log. The event must be durable when this returns. An update whose release
  /// is reported has not left the site yet.
  std::function<void(const observability::AuditEvent&)> on_audit;
  /// Called when the coordinator's signed end of the run has arrived, after its entry in the audit
  /// log.
  std::function<void()> on_run_ended{};
};

class Participant final : public App {
 public:
  /// `host`, `signing`, `random`, `guard`, `randomness_log` and `ledger` outlive the participant.
  Participant(ParticipantOptions options, Host& host, const crypto::SigningKey& signing,
              crypto::SecureRandom& random, Guard& guard, RandomnessLog& randomness_log,
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
