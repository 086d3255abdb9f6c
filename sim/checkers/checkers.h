// Every checker by name, and what they ask of the node.
//
//   Sources sources = node_sources(context);                   // tests hand in their own
//   std::unique_ptr<Checker> oracle = make_window_oracle({world, context, sources});
//   context.truth.add(*oracle);
//
// The world and the context outlive the checkers. One thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checker.h"
#include "node.h"
#include "policy/policy.h"

namespace weir::sim {

// What may be asked of a running node; none of them is called while it is down.
struct Sources {
  std::function<bool()> running;
  std::function<TimeNs()> now;
  std::function<std::shared_ptr<const Policy>()> policy;  // a copy: it outlives a reload
  std::function<Node::Books()> books;
  std::function<Result<std::vector<UsageRow>>()> ledger;
  std::function<Result<std::vector<AuditRow>>()> audit;
  std::function<Result<AuditVerdict>()> verify_audit;
  std::function<Result<UsageSums>(const UsageFilter& filter, SumBy by)> sums;
  std::function<std::optional<Node::Usage>(const std::string& key, const std::string& limit)> usage;
  std::function<bool(const AdmitRequest& request, Decision& decision)> peek;
};
Sources node_sources(Context& context);

struct Setup {
  const World& world;
  Context& context;
  Sources sources;
};

std::unique_ptr<Checker> make_window_oracle(const Setup& setup);
std::unique_ptr<Checker> make_truth_limits(const Setup& setup);
std::unique_ptr<Checker> make_conservation(const Setup& setup);
std::unique_ptr<Checker> make_prices(const Setup& setup);
std::unique_ptr<Checker> make_crash_rows(const Setup& setup);
std::unique_ptr<Checker> make_counters_match_ledger(const Setup& setup);
std::unique_ptr<Checker> make_no_leak(const Setup& setup);
std::unique_ptr<Checker> make_inert_refusal(const Setup& setup);
std::unique_ptr<Checker> make_justified_refusal(const Setup& setup);
std::unique_ptr<Checker> make_honest_retry(const Setup& setup);
std::unique_ptr<Checker> make_isolation(const Setup& setup);
std::unique_ptr<Checker> make_idempotence(const Setup& setup);
std::unique_ptr<Checker> make_loops(const Setup& setup);
std::unique_ptr<Checker> make_fail_modes(const Setup& setup);
std::unique_ptr<Checker> make_one_ruleset(const Setup& setup);
std::unique_ptr<Checker> make_bounds(const Setup& setup);
std::unique_ptr<Checker> make_answers(const Setup& setup);
std::unique_ptr<Checker> make_liveness(const Setup& setup);
std::unique_ptr<Checker> make_audit_chain(const Setup& setup);
std::unique_ptr<Checker> make_hour_sums(const Setup& setup);
std::unique_ptr<Checker> make_changes_audited(const Setup& setup);
std::unique_ptr<Checker> make_clock(const Setup& setup);
std::unique_ptr<Checker> make_calendar(const Setup& setup);

}  // namespace weir::sim
