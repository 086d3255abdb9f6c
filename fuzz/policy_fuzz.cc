// weir.yaml from a stranger: whatever the bytes, loading ends, and a policy that loads can be compiled and planned.
#include <cstdint>
#include <string_view>

#include "policy/policy.h"
#include "policy/ruleset.h"

namespace {

std::optional<std::string> environment(std::string_view name) {
  if (name.size() % 2 == 0) return std::nullopt;
  return std::string(name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const weir::LoadedPolicy loaded = weir::load_policy(text, "weir.yaml", environment);
  for (const weir::Diagnostic& diagnostic : loaded.diagnostics) {
    if (weir::to_string(diagnostic).empty()) __builtin_trap();
  }
  if (!loaded.policy) {
    if (loaded.diagnostics.empty()) __builtin_trap();  // refused without a reason
    return 0;
  }
  weir::Limiter limiter({.max_bytes = 1 << 20, .stripes = 16});
  const auto rules =
      weir::Ruleset::compile(loaded.policy, [&](const weir::CounterSpec& spec) { return limiter.define(spec); }, {});
  weir::Consumer consumer;
  consumer.metadata = {{"limits.requests", "5/1m"}, {"rpm", "7"}, {"subscribed_at", "2024-01-31"}};
  weir::Attributes attributes;
  attributes.consumer = &consumer;
  attributes.set(weir::Attribute::kModel, "gpt-4o");
  attributes.set(weir::Attribute::kCaller, "ann");
  weir::Costs costs;
  costs.set(weir::MeterKind::kRequests, 1, 1);
  costs.set(weir::MeterKind::kTokens, 10, 500);
  weir::Plan plan;
  constexpr weir::TimeNs kNow = 1'795'168'800'000'000'000;
  if (rules->plan(attributes, costs, kNow, plan)) return 0;
  weir::Decision state;
  limiter.peek({.subjects = plan.subjects(), .demands = plan.demands(), .now = kNow}, state);
  if (rules->explain(plan, attributes, &state, kNow).size() != plan.limits().size()) __builtin_trap();
  weir::Ladders ladders;
  const weir::Degradation change = rules->degradation(plan, state, "gpt-4o", ladders);
  if (change.any() != !change.header().empty() || (change.any() && !rules->has_ladder(plan))) __builtin_trap();
  rules->remember(plan, state, ladders);
  // Nothing else happened: the same look gives the same answer.
  if (rules->degradation(plan, state, "gpt-4o", ladders).header() != change.header()) __builtin_trap();
  return 0;
}
