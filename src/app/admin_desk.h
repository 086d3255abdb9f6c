// The admin API beside the running server: its own threads and connections to the record store, its routes.
//
//   auto desk = AdminDesk::open(parts);
//   api.router = &(*desk)->router();  api.admin = &(*desk)->work();
//   (*desk)->start();  …  (*desk)->stop();
//
// Made and ended by the main thread. A slow query holds up other admin calls, never the data plane or its records.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "admin/host.h"
#include "admin/router.h"
#include "admin/work.h"
#include "counters/counters.h"
#include "net/background.h"
#include "net/clock.h"
#include "net/http_client.h"

namespace weir {

class AdminDesk final : public AdminHost {
 public:
  // The running server; all of it outlives the desk, and every function is thread-safe.
  struct Parts {
    const Clock& clock;
    Counters& counters;
    Guard& guard;
    const SubjectSecret& subject_secret;
    ServerAddresses addresses;
    std::function<std::shared_ptr<const Ruleset>()> rules;
    std::function<std::shared_ptr<const ConsumerSnapshot>()> consumers;
    std::function<ReloadOutcome(std::string_view why)> reload;
    std::function<void()> records_changed;
    std::function<std::shared_ptr<const PolicyState>()> policy_state;
    std::function<ReloadOutcome()> overrides_changed;
    AdminAccess& access;
    std::string key_secret;
    std::string demo_key;  // empty: this process made none
    std::function<ServerHealth()> health;
    std::function<std::int64_t()> in_flight;  // requests
    Metrics& metrics;
  };
  static Result<std::unique_ptr<AdminDesk>> open(Parts parts);
  AdminDesk(Parts parts, Store store, Store long_store);
  ~AdminDesk() override;

  AdminWork& work() { return work_; }
  Observer& observer() override { return observer_; }
  const AdminRouter& router() const { return router_; }
  void start();
  void stop();  // after the call under way; what waits is dropped

 private:
  std::shared_ptr<const Ruleset> rules() const override { return parts_.rules(); }
  std::shared_ptr<const ConsumerSnapshot> consumers() const override { return parts_.consumers(); }
  const SubjectSecret& subject_secret() const override { return parts_.subject_secret; }
  ServerAddresses addresses() const override { return parts_.addresses; }
  bool keep_refusals(const std::vector<RefusalHour>& rows);
  Result<Decision> peek(const Plan& plan, TimeNs now) override { return peek(plan.subjects(), plan.demands(), now); }
  Result<Decision> peek(std::span<const Subject> subjects, std::span<const Demand> demands, TimeNs now);
  Guard& guard() override { return parts_.guard; }
  ReloadOutcome reload(std::string_view why) override { return parts_.reload(why); }
  void records_changed() override { parts_.records_changed(); }
  ReloadOutcome overrides_changed() override { return parts_.overrides_changed(); }
  std::shared_ptr<const PolicyState> policy_state() const override { return parts_.policy_state(); }
  const Environment& environment() const override;
  bool start_long_work(AdminWork::Piece piece) override { return long_work_.push(std::move(piece)); }
  bool stopping() const override { return stopping_; }
  AdminAccess& access() override { return parts_.access; }
  const KeyHasher& key_hasher() const override { return key_hasher_; }
  bool entropy(std::span<unsigned char> out) override;
  ServerHealth health() override { return parts_.health(); }
  std::string demo_key() const override { return parts_.demo_key; }
  Result<TriedCall> try_chat(const std::string& body) override;
  std::vector<TriedTarget> try_alert_targets(const std::vector<AlertTarget>& targets, TimeNs now) override;

  Parts parts_;
  KeyHasher key_hasher_;
  HttpClient client_;  // of the thread for long work
  Store store_, long_store_;
  AdminRouter router_;
  AdminWork work_, long_work_;  // calls that take seconds hold up only each other
  AdminWork keeping_;           // refusal counts on their way into the store; of the thread of `work_`
  std::atomic<bool> stopping_{false};
  Observer observer_;
  std::unique_ptr<Background> thread_, long_thread_, watching_;
};

}  // namespace weir
