// A call of a model, as the governor sees it: which model of which provider is called, with which changes, what its
// input counts and what its output may cost. Decides nothing and sends nothing.
//
//   auto call = LlmCall::read(policy, learned, operation, path_model, body);
//   call->identify("acme");                 // whose history it is
//   Costs costs = call->costs();            // to plan and to admit
//   if (call->fall_back()) …               // the next model of `fallback`
//   std::string bytes = call->upstream_body(body);
//
// One request's; one thread. `policy` and `learned` must outlive it.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/learned.h"
#include "policy/llm_costs.h"
#include "policy/ruleset.h"
#include "providers/dialect.h"
#include "providers/errors.h"
#include "tokens/output_counter.h"

namespace weir {

struct LlmFault {
  ErrorKind kind = ErrorKind::kInvalidRequest;
  int status = 400;
  std::string message, param;
};

// Input tokens of a request that are not its text: attachments and ids of tokens.
std::int64_t tokens_beside_text(const RequestFacts& facts);
// … and those behind the ids that it names, as far as `owner` has used them before.
std::int64_t tokens_behind_references(const RequestFacts& facts, const Learned& learned, std::string_view owner);

class LlmCall {
 public:
  struct Target {
    std::string model;
    const ModelRule* rule = nullptr;
    const Provider* provider = nullptr;
  };

  static std::expected<LlmCall, LlmFault> read(const Policy& policy, const Learned& learned, Operation operation,
                                               std::string_view path_model, std::string_view body);

  Operation operation() const { return operation_; }
  const RequestFacts& facts() const { return facts_; }
  const Target& target() const { return targets_[target_]; }
  const Provider& provider() const { return *target().provider; }
  const std::string& model() const { return target().model; }  // that is called
  std::size_t fallbacks() const { return targets_.size() - target_ - 1; }

  // Whose history counts: the tenant, or the key of a consumer without one. Measures the call.
  void identify(std::string_view owner);
  // Calls the next fallback instead; false: there is none.
  bool fall_back();
  // Applies a ladder's changes; `body` is the client's.
  void degrade(const Degradation& change, std::string_view body);

  // Takes these tools (canonical names) out of the request's list.
  void strip_tools(std::vector<std::string> tools) { stripped_ = std::move(tools); }

  // --- amounts -----------------------------------------------------------------------------------------------------
  std::int64_t input() const { return input_; }              // tokens, an upper bound (or exact)
  std::int64_t output_held() const { return output_held_; }  // tokens
  std::int64_t output_cap() const { return output_cap_; }  // the most the provider may bill; 0: the request names none
  // True if the input can be counted exactly and was not yet.
  bool countable() const;
  // The fewest and the most tokens that the input could possibly have; input() lies between them.
  std::int64_t input_least() const;
  std::int64_t input_bound() const;
  void count_exactly(std::string_view body);
  // Micro-dollars of a usage of the model that is called.
  std::int64_t usd(const Usage& usage) const { return cost_usd_micros(price_, usage, tier_); }
  // What is held for it: `certain` is the input, `held` with `output` tokens more.
  void hold(std::int64_t output, Costs& costs) const { hold(input_, output, costs); }
  void hold(std::int64_t input, std::int64_t output, Costs& costs) const;
  // What it costs after all.
  void use(const Usage& usage, Costs& costs) const { use_llm_costs(costs, price_, usage, tier_); }
  // Holds no more output than fits into the amounts of `plan`, which was made for `costs`; true if that is less.
  bool fit(const Plan& plan, const Costs& costs) {
    return hold_at_most(fitting_output(plan, costs, price_, output_held_, tier_));
  }
  // What the answer says it is: its model (empty: as asked) and its service tier (none: as held) set the price.
  void priced_as(std::string_view answered_model, std::optional<ServiceTier> tier);

  // --- the provider's side -----------------------------------------------------------------------------------------
  bool rewrites() const { return needs_rewrite(operation_, facts_, edits()); }
  std::string upstream_body(std::string_view body) const {
    return weir::upstream_body(operation_, facts_, edits(), body);
  }
  std::string upstream_path() const;
  std::string credential_header() const;  // lower-case name; empty: none
  std::string credential() const;         // its value
  // Counts the answer's text.
  OutputCounter output_counter() const;
  // The answer reported what it used: teaches the histories.
  void learn(Learned& learned, const Usage& usage, std::string_view answer_id) const;

 private:
  LlmCall(const Policy& policy, const Learned& learned, Operation operation)
      : policy_(&policy), learned_(&learned), operation_(operation) {}
  std::optional<LlmFault> aim(const std::string& model);
  BodyEdits edits() const;
  void measure();
  bool hold_at_most(std::int64_t output_tokens);  // true if that is less
  std::int64_t beside_text() const;               // input tokens that are not text
  std::uint64_t history_key() const;

  const Policy* policy_;
  const Learned* learned_;
  Operation operation_;
  RequestFacts facts_;
  std::string owner_;
  std::vector<Target> targets_;  // what was asked for (or a ladder's model), then its fallbacks
  std::size_t target_ = 0;
  std::vector<std::string> stripped_;
  BodyEdits degraded_;  // but for the model, which is the target's
  Price price_;
  ServiceTier tier_ = ServiceTier::kStandard;
  std::optional<std::int64_t> exact_;
  std::int64_t input_ = 0;
  std::int64_t hidden_ = 0;
  std::int64_t output_held_ = 0;
  std::int64_t output_cap_ = 0;
};

}  // namespace weir
