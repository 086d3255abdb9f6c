// weir.yaml from a stranger: whatever the bytes, loading ends. Checks: what is refused is refused with words and a
// place in the text; loading twice gives the same; a policy that loads can be compiled, planned and explained, with the
// same words twice; and a reload keeps its books: the same text compiled again counts on the same counters, what was
// used is used still, and what was held can be settled.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.h"
#include "policy/policy.h"
#include "policy/ruleset.h"

namespace {

using namespace weir;
using namespace weir::fuzz;

constexpr TimeNs kNow = 1'795'168'800'000'000'000;

std::optional<std::string> environment(std::string_view name) {
  if (name.size() % 2 == 0) return std::nullopt;
  return std::string(name);
}

void check_diagnostics(std::string_view text, const LoadedPolicy& loaded) {
  const auto lines = 1 + std::count(text.begin(), text.end(), '\n') + std::count(text.begin(), text.end(), '\r');
  bool error = false;
  for (const Diagnostic& diagnostic : loaded.diagnostics) {
    error = error || diagnostic.error;
    require(!diagnostic.message.empty() && diagnostic.file == "weir.yaml");
    require(diagnostic.line >= 0 && diagnostic.line <= lines + 1 && diagnostic.column >= 0);
    if (diagnostic.error) require(diagnostic.line >= 1 && diagnostic.column >= 1);
    const std::string shown = to_string(diagnostic);
    require(shown.starts_with("weir.yaml") && shown.size() > diagnostic.message.size());
    require(std::none_of(shown.begin(), shown.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }));
  }
  require(error == (loaded.policy == nullptr));  // refused if and only if there is a reason
}

void check_same(const LoadedPolicy& a, const LoadedPolicy& b) {
  require((a.policy == nullptr) == (b.policy == nullptr) && a.diagnostics.size() == b.diagnostics.size());
  for (std::size_t i = 0; i < a.diagnostics.size(); ++i) {
    require(to_string(a.diagnostics[i]) == to_string(b.diagnostics[i]));
  }
  if (a.policy) require(a.policy->version == b.policy->version && a.policy->limits.size() == b.policy->limits.size());
}

class Books {
 public:
  Books() {
    consumer_.metadata = {{"limits.requests", "5/1m"}, {"rpm", "7"}, {"subscribed_at", "2024-01-31"}};
    attributes_.consumer = &consumer_;
    attributes_.set(Attribute::kModel, "gpt-4o");
    attributes_.set(Attribute::kCaller, "ann");
    attributes_.set(Attribute::kKey, "ann");
    attributes_.set(Attribute::kTenant, "acme");
    attributes_.set(Attribute::kTier, "free");
    costs_.set(MeterKind::kRequests, 1, 1);
    costs_.set(MeterKind::kTokens, 10, 500);
    costs_.set(MeterKind::kUsd, 20, 900);
  }

  std::shared_ptr<const Ruleset> compile(const std::shared_ptr<const Policy>& policy, const Policy* before) {
    return Ruleset::compile(policy, [&](const CounterSpec& spec) { return limiter_.define(spec); }, {}, before);
  }

  void check(const LoadedPolicy& loaded, const LoadedPolicy& reloaded) {
    const auto rules = compile(loaded.policy, nullptr);
    Plan plan;
    if (const auto fault = rules->plan(attributes_, costs_, kNow, plan)) return require(!fault->message.empty());
    check_words(*rules, plan);
    Decision decision;
    limiter_.admit(
        {.subjects = plan.subjects(), .demands = plan.demands(), .now = kNow, .id = {1, 2}, .deadline = kNow + kHour},
        decision);
    require(decision.count == plan.limits().size() || decision.table_full);
    if (!decision.admitted && !decision.table_full) {
      const Refusal refusal = rules->refusal(plan, decision, attributes_, kNow);
      require(!refusal.limit.empty());
    }
    // The same text again: another ruleset over the same counters.
    const auto again = compile(reloaded.policy, loaded.policy.get());
    Plan same;
    require(!again->plan(attributes_, costs_, kNow, same) && same.limits().size() == plan.limits().size());
    Decision before, after;
    limiter_.peek({.subjects = plan.subjects(), .demands = plan.demands(), .now = kNow}, before);
    limiter_.peek({.subjects = same.subjects(), .demands = same.demands(), .now = kNow}, after);
    for (std::size_t i = 0; i < plan.limits().size(); ++i) {
      require(plan.demands()[i].counter == same.demands()[i].counter);
      require(before.verdicts[i].used == after.verdicts[i].used);
      require(before.verdicts[i].reserved == after.verdicts[i].reserved);
    }
    if (!decision.admitted) return;
    std::vector<std::int64_t> actual(same.limits().size());
    again->actuals(same, costs_, actual);
    require(limiter_.settle({1, 2}, actual, kNow).outcome == Outcome::kDone);
    limiter_.peek({.subjects = same.subjects(), .demands = same.demands(), .now = kNow}, after);
    for (std::size_t i = 0; i < same.limits().size(); ++i) require(after.verdicts[i].reserved == 0);
  }

 private:
  void check_words(const Ruleset& rules, const Plan& plan) {
    Decision state;
    limiter_.peek({.subjects = plan.subjects(), .demands = plan.demands(), .now = kNow}, state);
    const std::vector<std::string> sentences = rules.explain(plan, attributes_, &state, kNow);
    require(sentences.size() == plan.limits().size() && sentences == rules.explain(plan, attributes_, &state, kNow));
    for (const std::string& sentence : sentences) require(!sentence.empty());
    Ladders ladders;
    const Degradation change = rules.degradation(plan, state, "gpt-4o", ladders);
    require(change.any() == !change.header().empty() && (!change.any() || rules.has_ladder(plan)));
    rules.remember(plan, state, ladders);
    // Nothing else happened: the same look gives the same answer.
    require(rules.degradation(plan, state, "gpt-4o", ladders).header() == change.header());
  }

  Limiter limiter_{
      {.max_bytes = 1 << 20, .max_reservations = 16, .max_closed = 16, .remember_closed = kHour, .stripes = 16}};
  Consumer consumer_;
  Attributes attributes_;
  Costs costs_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const LoadedPolicy loaded = load_policy(text, "weir.yaml", environment);
  check_diagnostics(text, loaded);
  const LoadedPolicy reloaded = load_policy(text, "weir.yaml", environment);
  check_same(loaded, reloaded);
  if (loaded.policy) Books().check(loaded, reloaded);
  return 0;
}
