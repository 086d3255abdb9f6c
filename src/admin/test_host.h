// A server for tests of the admin API: the fixture's world, and what was asked of it.
#pragma once

#include <string>

#include "admin/router.h"
#include "gateway/gateway_fixture.h"

namespace weir {

class FakeAdminHost final : public AdminHost {
 public:
  explicit FakeAdminHost(stage::World& world) : world_(world) {}

  std::shared_ptr<const Ruleset> rules() const override { return world_.services.rules; }
  std::shared_ptr<const ConsumerSnapshot> consumers() const override { return world_.services.consumers; }
  const SubjectSecret& subject_secret() const override { return *world_.services.secret; }
  ServerAddresses addresses() const override { return {"http://127.0.0.1:8080", "http://127.0.0.1:8081", "data", ""}; }
  Result<Decision> peek(const Plan& plan, TimeNs now) override {
    Peek peek;
    world_.services.counters->peek({.subjects = plan.subjects(), .demands = plan.demands(), .now = now}, peek);
    return peek.answer;
  }
  Guard& guard() override { return *world_.services.guard; }
  Observer& observer() override { return observed; }
  ReloadOutcome reload(std::string_view why) override {
    reloaded_because.emplace_back(why);
    if (on_reload) on_reload();
    return {.loaded = true, .version = world_.services.rules->policy().version, .diagnostics = {}};
  }
  void records_changed() override { ++changes; }
  ReloadOutcome overrides_changed() override { return reload("overrides changed"); }
  std::shared_ptr<const PolicyState> policy_state() const override { return state; }
  const Environment& environment() const override { return variables; }
  bool start_long_work(AdminWork::Piece piece) override {
    if (!too_much_waits) long_work.push_back(std::move(piece));
    return !too_much_waits;
  }
  bool stopping() const override { return ends; }

  std::vector<std::string> reloaded_because;
  int changes = 0;
  std::shared_ptr<PolicyState> state = std::make_shared<PolicyState>();
  Environment variables = [](std::string_view) { return std::nullopt; };
  std::vector<AdminWork::Piece> long_work;
  std::function<void()> on_reload;
  AdminAccess& access() override { return own_access; }
  const KeyHasher& key_hasher() const override { return *world_.services.key_hasher; }
  bool entropy(std::span<unsigned char> out) override {
    for (unsigned char& byte : out) byte = ++last_random_;
    return !entropy_fails;
  }
  ServerHealth health() override { return health_now; }
  std::string demo_key() const override { return demo; }
  Result<TriedCall> try_chat(const std::string& body) override {
    tried.push_back(body);
    return answer_of_try;
  }

  std::vector<TriedTarget> try_alert_targets(const std::vector<AlertTarget>& targets, TimeNs) override {
    for (const AlertTarget& target : targets) tried.push_back(target.name);
    return std::vector<TriedTarget>(targets.size(), answer_of_target);
  }

  // The answer to a call, at once or after the long work that it begins.
  Reply ask(const AdminRouter& router, Store& store, AdminRequest request, TimeNs now) {
    std::optional<Reply> late;
    std::optional<Reply> reply =
        router.handle(store, std::move(request), now, [&](Reply answer) { late = std::move(answer); });
    if (reply) return *reply;
    long_work.back()(store, now);
    long_work.pop_back();
    return late.value();
  }

  AdminAccess own_access{Secret("the-admin-token"), "secret"};
  bool entropy_fails = false, ends = false, too_much_waits = false;
  ServerHealth health_now;
  std::string demo;
  std::vector<std::string> tried;
  TriedTarget answer_of_target{.ok = true, .status = 200, .detail = "hooks.example answered 200"};
  Result<TriedCall> answer_of_try = TriedCall{.status = 200};
  Observer observed;

 private:
  struct Peek final : AdmissionEvents {
    Result<Decision> answer = fail("no answer");
    void on_decision(CountersStatus status, const Decision& decision, std::span<const Effect>) override {
      if (status == CountersStatus::kOk) answer = decision;
    }
  };
  stage::World& world_;
  unsigned char last_random_ = 0;
};

}  // namespace weir
