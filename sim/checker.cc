#include "checker.h"

#include <algorithm>
#include <array>
#include <utility>

#include "checkers/checkers.h"

namespace weir::sim {
namespace {

using Make = std::unique_ptr<Checker> (*)(const Setup&);
constexpr std::array<std::pair<const char*, Make>, 23> kAll{{
    {"window_oracle", make_window_oracle},
    {"truth_limits", make_truth_limits},
    {"conservation", make_conservation},
    {"prices", make_prices},
    {"crash_rows", make_crash_rows},
    {"counters_match_ledger", make_counters_match_ledger},
    {"no_leak", make_no_leak},
    {"inert_refusal", make_inert_refusal},
    {"justified_refusal", make_justified_refusal},
    {"honest_retry", make_honest_retry},
    {"isolation", make_isolation},
    {"idempotence", make_idempotence},
    {"loops", make_loops},
    {"fail_modes", make_fail_modes},
    {"one_ruleset", make_one_ruleset},
    {"bounds", make_bounds},
    {"answers", make_answers},
    {"liveness", make_liveness},
    {"audit_chain", make_audit_chain},
    {"hour_sums", make_hour_sums},
    {"changes_audited", make_changes_audited},
    {"clock", make_clock},
    {"calendar", make_calendar},
}};

}  // namespace

void Checker::fail(std::string message) {
  context_.failed = true;
  context_.note(name_, message);
  failures_.push_back({.checker = name_, .message = std::move(message), .at = context_.schedule.now()});
}

std::vector<std::unique_ptr<Checker>> make_checkers(const World& world, Context& context) {
  const Setup setup{.world = world, .context = context, .sources = node_sources(context)};
  std::vector<std::unique_ptr<Checker>> out;
  for (const auto& [name, make] : kAll) {
    if (std::find(world.without.begin(), world.without.end(), name) == world.without.end()) out.push_back(make(setup));
  }
  return out;
}

std::vector<std::string> checker_names() {
  std::vector<std::string> out;
  for (const auto& [name, make] : kAll) out.emplace_back(name);
  return out;
}

Sources node_sources(Context& context) {
  Context* const at = &context;
  return {.running = [at] { return at->node->running(); },
          .now = [at] { return at->node->now(); },
          .policy = [at]() -> std::shared_ptr<const Policy> {
            const auto rules = at->node->rules();
            return rules == nullptr ? nullptr : std::make_shared<Policy>(rules->policy());
          },
          .books = [at] { return at->node->books(); },
          .ledger = [at] { return at->node->ledger(); },
          .audit = [at] { return at->node->audit(); },
          .verify_audit = [at] { return at->node->verify_audit(); },
          .sums = [at](const UsageFilter& filter, SumBy by) { return at->node->sums(filter, by); },
          .usage = [at](const std::string& key, const std::string& limit) { return at->node->usage(key, limit); },
          .peek =
              [at](const AdmitRequest& request, Decision& decision) {
                if (!at->node->running()) return false;
                at->node->limiter().peek(request, decision);
                return true;
              }};
}

}  // namespace weir::sim
