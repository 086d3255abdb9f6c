#include "api/decision_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/strings.h"
#include "policy/ladder_state.h"
#include "policy/llm_costs.h"

namespace weir {
namespace {

bool policy_counts(const Policy& policy, std::string_view meter) {
  const auto in_limit = [&](const LimitRule& limit) {
    return std::any_of(limit.meter.begin(), limit.meter.end(),
                       [&](const MeterTerm& term) { return term.kind == MeterKind::kCustom && term.custom == meter; });
  };
  const auto in_upstream = [&](const Upstream& upstream) {
    return std::any_of(upstream.meters.begin(), upstream.meters.end(),
                       [&](const MeterSource& source) { return source.name == meter; });
  };
  return std::any_of(policy.limits.begin(), policy.limits.end(), in_limit) ||
         std::any_of(policy.upstreams.begin(), policy.upstreams.end(), in_upstream);
}

}  // namespace

Hash128 decision_hash(const SubjectSecret& secret, const Consumer& consumer, std::string_view id) {
  return SubjectHasher(secret).begin("decision").add(std::to_string(consumer.id)).add(id).finish();
}

std::optional<CallFault> DecisionCall::prepare(const Services& services, const OwnRequest& request) {
  identity = request.identity;
  request_id = request.request_id;
  if (auto fault = take_consumer(services)) return fault;
  if (auto fault = check_meters()) return fault;
  if (auto fault = take_tools()) return fault;
  if (auto fault = take_price()) return fault;
  fill_attributes_of(request);
  attributes.trust_permille = services.guard->trust_permille(caller_of(identity, *services.secret),
                                                             rules->policy().behavior.trust, services.now);
  deny_stopped(*services.kills);
  if (!denied) deny_tools();
  if (denied) return std::nullopt;
  if (auto fault = make_plan(services.now)) return fault;
  fill_row(services.now);
  return std::nullopt;
}

std::optional<CallFault> DecisionCall::take_consumer(const Services& services) {
  const AskedAttributes& asked = body.attributes;
  if (!asked.names_consumer()) return std::nullopt;
  if (identity.consumer->kind != ConsumerKind::kService) {
    return CallFault{.message =
                         "Only a key of `kind: service` may name `key`, `tenant`, `user` or `tier` in "
                         "`attributes`; leave them out, or use such a key."};
  }
  const Policy& policy = rules->policy();
  if (!asked.key.empty()) {
    if (!asked.tenant.empty() || !asked.user.empty() || !asked.tier.empty()) {
      return CallFault{.message = "`attributes` names both a `key` and a `tenant`, `user` or `tier`; name one."};
    }
    std::shared_ptr<const Consumer> named = services.consumers->find_name(asked.key);
    if (!named || named->status == ConsumerStatus::kRevoked) {
      return CallFault{.message = fmt::format("`attributes.key` names `{}`, which is no active key; `weir keys list` "
                                              "shows them.",
                                              asked.key)};
    }
    act_for(policy, std::move(named), identity);
    return std::nullopt;
  }
  if (!asked.tier.empty()) {
    if (std::none_of(policy.tiers.begin(), policy.tiers.end(), [&](const Tier& t) { return t.name == asked.tier; })) {
      return CallFault{.message =
                           fmt::format("`attributes.tier` names `{}`, which the policy does not have.", asked.tier)};
    }
    identity.tier = asked.tier;
  }
  if (!asked.tenant.empty()) identity.tenant = asked.tenant;
  if (!asked.user.empty()) {
    identity.user = asked.user;
    identity.user_asserted = true;
  }
  set_caller(identity);
  return std::nullopt;
}

std::optional<CallFault> DecisionCall::check_meters() const {
  for (const auto& [meter, amount] : body.estimate.custom) {
    if (policy_counts(rules->policy(), meter)) continue;
    return CallFault{.message = fmt::format("`estimate` has a meter `{}` that no limit of the policy counts; check "
                                            "its spelling.",
                                            meter)};
  }
  return std::nullopt;
}

// Calls by tool, from `tools` or the attribute; as many as `estimate` says, if it does.
std::optional<CallFault> DecisionCall::take_tools() {
  MeterAmounts& estimate = body.estimate;
  if (!body.attributes.tool.empty()) {
    if (!body.tools.empty()) {
      return CallFault{.message = "`attributes.tool` and `tools` both name tools; name them in `tools`."};
    }
    body.tools.push_back(body.attributes.tool);
  }
  if (!count_tools(body.tools, estimate.tools)) {
    return CallFault{.message = "A tool's name has 1 to 256 bytes of UTF-8 without control characters."};
  }
  const auto named = static_cast<std::int64_t>(body.tools.size());
  if (estimate.tool_calls.value_or(named) < named) {
    return CallFault{.message = fmt::format("`estimate.tool_calls` says {} and `tools` names {}; name as many as are "
                                            "asked for.",
                                            *estimate.tool_calls, named)};
  }
  estimate.tool_calls = estimate.tool_calls.value_or(named);
  if (estimate.tools.size() == 1) estimate.tools.front().second = *estimate.tool_calls;
  estimate.runs = body.attributes.run.empty() ? 1 : 0;  // a run that has a name is counted where it began
  return std::nullopt;
}

// What an operator has stopped is stopped here too.
void DecisionCall::deny_stopped(const KillSwitches& kills) {
  using enum KillSwitch::Kind;
  const auto look = [&](KillSwitch::Kind kind, const std::string& name) {
    const KillSwitch* off = denied || name.empty() ? nullptr : kills.find(kind, name);
    if (off == nullptr) return;
    denied = Refusal{.limit = "killed", .layer = "breaker", .per = {{to_string(kind), name}}};
    denied_because = fmt::format("The {} `{}` was stopped{}.", to_string(kind), name,
                                 off->reason.empty() ? std::string() : ": " + off->reason);
  };
  if (identity.consumer) look(kKey, identity.consumer->name);
  look(kAgent, identity.agent);
  look(kRun, body.attributes.run);
  for (const auto& [tool, calls] : body.estimate.tools) look(kTool, tool);
}

void DecisionCall::deny_tools() {
  for (const auto& [tool, calls] : body.estimate.tools) {
    if (!rules->denies_tool(attributes, tool)) continue;
    denied = Refusal{.limit = "tools",
                     .layer = "tool",
                     .per = {{"tool", tool}},
                     .meter = "tool_calls",
                     .allowed = "0",
                     .used = "0",
                     .reserved = "0",
                     .requested = std::to_string(calls),
                     .window = {},
                     .also = {}};
    denied_because =
        fmt::format("Tool `{}` may not be used here: the `tools` of the caller's tier or key deny it.", tool);
    return;
  }
}

std::optional<CallFault> DecisionCall::take_price() {
  provider_.clear();
  price = {};
  if (!body.model.empty()) {
    const Policy& policy = rules->policy();
    const ModelRule* rule = policy.find_model(body.model);
    const Provider* provider = rule ? policy.find_provider(rule->provider) : nullptr;
    const PriceRow* known = PriceBook::built_in().find(body.model);
    if (provider != nullptr) {
      provider_ = provider->name;
      price = policy.price_of(body.model, *provider);
    } else if (known != nullptr) {
      price = known->price;
    } else if (!body.estimate.usd_micros) {
      return CallFault{.status = 404,
                       .message = fmt::format("No pattern under `models:` matches model `{}` and no price of it is "
                                              "known; give `usd`, or leave the model out.",
                                              body.model),
                       .code = "model_not_found"};
    }
  }
  return std::nullopt;
}

void DecisionCall::fill_attributes_of(const OwnRequest& request) {
  if (!body.attributes.conversation.empty()) identity.conversation = body.attributes.conversation;
  if (!body.attributes.agent.empty()) identity.agent = body.attributes.agent;
  for (const Header& field : request.head.headers.fields) {
    fields_.emplace_back(to_lower(field.name), field.value);
  }
  fill_attributes(identity, request.head.headers, attributes);
  attributes.header = [this](std::string_view name) {
    const auto found =
        std::find_if(fields_.begin(), fields_.end(), [&](const auto& field) { return field.first == name; });
    return found == fields_.end() ? std::string_view() : std::string_view(found->second);
  };
  const auto set_if = [&](Attribute attribute, const std::string& value) {
    if (!value.empty()) attributes.set(attribute, value);
  };
  set_if(Attribute::kRun, body.attributes.run);
  set_if(Attribute::kAgent, identity.agent);
  set_if(Attribute::kTask, body.attributes.task);
  set_if(Attribute::kDepth, body.attributes.depth);
  set_if(Attribute::kServer, body.attributes.server);
  set_if(Attribute::kModel, body.model);
  set_if(Attribute::kProvider, provider_);
  if (body.estimate.tools.size() == 1) attributes.set(Attribute::kTool, body.estimate.tools.front().first);
  attributes.set(Attribute::kRoute, kDecisionRoute);
  attributes.set(Attribute::kMethod, "POST");
}

std::optional<CallFault> DecisionCall::plan_once(TimeNs now) {
  const auto both = [&](MeterKind kind, std::int64_t amount) { costs.set(kind, amount, amount); };
  costs = {};
  hold_llm_costs(costs, price, usage_of(body.estimate));
  both(MeterKind::kRequests, body.estimate.requests);
  both(MeterKind::kConcurrency, 1);
  both(MeterKind::kBytesIn, body.estimate.bytes_in);
  both(MeterKind::kBytesOut, body.estimate.bytes_out);
  if (body.estimate.usd_micros) both(MeterKind::kUsd, *body.estimate.usd_micros);
  for (const auto& [meter, amount] : body.estimate.custom) costs.custom.emplace_back(meter, amount);
  both(MeterKind::kRuns, body.estimate.runs);
  std::int64_t calls = body.estimate.tool_calls.value_or(0);
  if (body.estimate.tools.size() > 1) calls -= static_cast<std::int64_t>(body.tools.size());  // those follow
  both(MeterKind::kToolCalls, calls);
  const auto fault = rules->plan(attributes, costs, now, plan);
  if (!fault) return plan_tools(now);
  const bool config = fault->kind == PlanFault::Kind::kTooManyLimits;
  return CallFault{.status = config ? 500 : 400, .message = fault->message};
}

// One tool is an attribute of the whole call; of several each is counted by what counts its name, in one admission.
std::optional<CallFault> DecisionCall::plan_tools(TimeNs now) {
  counted_tools.assign(kMaxDemands, {});
  const auto note = [&](std::size_t demand, const std::string& tool) {
    if (names_tools(*plan.limits()[demand].rule)) counted_tools[demand].push_back(tool);
  };
  if (body.estimate.tools.size() == 1) {
    for (std::size_t i = 0; i < plan.demands().size(); ++i) note(i, body.estimate.tools.front().first);
  }
  for (const auto& [tool, calls] : body.estimate.tools) {
    if (body.estimate.tools.size() == 1) break;
    Attributes call = attributes;
    call.set(Attribute::kTool, tool);
    Costs cost;
    cost.tool_call_only = true;
    cost.set(MeterKind::kToolCalls, calls, calls);
    const auto counted = rules->plan_also(call, cost, now, plan);
    if (!counted) {
      return CallFault{.message = counted.error().message + "; name fewer `tools` in one call."};
    }
    for (std::size_t i = 0; i < plan.demands().size(); ++i) {
      if ((*counted >> i & 1) != 0) note(i, tool);
    }
  }
  counted_tools.resize(plan.demands().size());
  return std::nullopt;
}

void DecisionCall::hold_at_most(std::int64_t output_tokens) {
  body.estimate.output_tokens = std::min(body.estimate.output_tokens, output_tokens);
  body.estimate.reasoning_tokens = std::min(body.estimate.reasoning_tokens, body.estimate.output_tokens);
}

std::optional<CallFault> DecisionCall::make_plan(TimeNs now) {
  if (auto fault = plan_once(now)) return fault;
  const std::int64_t fits = fitting_output(plan, costs, price, body.estimate.output_tokens);
  if (fits == body.estimate.output_tokens) return std::nullopt;
  hold_at_most(fits);
  return plan_once(now);
}

std::optional<CallFault> DecisionCall::climb(const Decision& state, const Ladders& ladders, TimeNs now) {
  change = rules->degradation(plan, state, body.model, ladders);
  change.keep_what_changes(body.estimate.output_tokens, std::numeric_limits<std::size_t>::max());
  seen_ = std::make_unique<Seen>(Seen{plan, state});
  if (!change.any()) return std::nullopt;
  if (!change.model.empty()) body.model = change.model;
  if (change.max_tokens) hold_at_most(*change.max_tokens);
  if (auto fault = take_price()) return fault;
  attributes.set(Attribute::kModel, body.model.empty() ? std::string_view() : std::string_view(body.model));
  attributes.set(Attribute::kProvider, provider_.empty() ? std::string_view() : std::string_view(provider_));
  if (auto fault = make_plan(now)) return fault;
  fill_row(now);
  row.degraded = change.header();
  return std::nullopt;
}

void DecisionCall::remember_rungs(Ladders& ladders) const {
  if (seen_) rules->remember(seen_->plan, seen_->state, ladders);
}

Refusal DecisionCall::seen_by_ladder() const {
  return seen_ ? ladder_state(row.degraded, seen_->plan, seen_->state, attributes) : Refusal{};
}

void DecisionCall::fill_row(TimeNs now) {
  row.time = now;
  row.request_id = body.id;
  row.key = identity.consumer->name;
  row.tenant = identity.tenant;
  row.user = identity.user;
  row.tier = identity.tier;
  row.kind = identity.kind;
  row.conversation = identity.conversation;
  row.run = body.attributes.run;
  row.agent = identity.agent;
  row.model = body.model;
  row.provider = provider_;
  row.route = kDecisionRoute;
  row.status = 200;
  // What is held: charged if nobody settles it.
  row.usage = usage_of(body.estimate);
  row.usd_micros = costs.held[static_cast<std::size_t>(MeterKind::kUsd)];
  row.reserved_tokens = costs.held[static_cast<std::size_t>(MeterKind::kTokens)];
  row.tool_calls = static_cast<std::int32_t>(std::min<std::int64_t>(body.estimate.tool_calls.value_or(0), INT32_MAX));
}

}  // namespace weir
