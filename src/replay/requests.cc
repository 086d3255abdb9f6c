#include "replay/requests.h"

#include <functional>

#include "model/key_attributes.h"
#include "policy/llm_costs.h"

namespace weir {
namespace {

constexpr std::string_view kNobody = "trace";  // key and caller of rows that name no tenant

// Counters tell keys apart by number; the same name of the same tenant has the same one.
std::int64_t number_of(std::string_view tenant, std::string_view name) {
  std::string text = std::to_string(tenant.size());
  text.append(":").append(tenant).append(name);
  return static_cast<std::int64_t>(std::hash<std::string>{}(text) >> 1);
}

}  // namespace

void RowRequest::read(const TraceRow& row) {
  const std::string_view name = !row.key.empty() ? row.key : !row.tenant.empty() ? row.tenant : kNobody;
  if (consumer_.tenant != row.tenant || consumer_.name != name) consumer_.id = number_of(row.tenant, name);
  consumer_.tenant = row.tenant;
  consumer_.name = name;
  consumer_.user = row.user;
  consumer_.tier = row.tier.empty() ? std::string_view(policy_.default_tier) : row.tier;
  row.metadata == nullptr ? consumer_.metadata.clear() : void(consumer_.metadata = *row.metadata);
  consumer_.kind = row.kind == "service" ? ConsumerKind::kService
                   : row.kind == "human" ? ConsumerKind::kHuman
                                         : ConsumerKind::kAgent;
  conversation_ = row.conversation;
  run_ = row.run;
  agent_ = row.agent;
  route_ = row.route;
  attributes_ = {};
  set_key(consumer_, attributes_);
  const auto set_if = [&](Attribute attribute, std::string_view value) {
    if (!value.empty()) attributes_.set(attribute, value);
  };
  set_if(Attribute::kTenant, consumer_.tenant);
  set_if(Attribute::kUser, consumer_.user);
  attributes_.set(Attribute::kCaller, consumer_.user.empty() ? consumer_.name : consumer_.user);
  attributes_.set(Attribute::kTier, consumer_.tier);
  attributes_.set(Attribute::kKind, to_string(consumer_.kind));
  set_if(Attribute::kConversation, conversation_);
  set_if(Attribute::kRun, run_);
  set_if(Attribute::kAgent, agent_);
  set_if(Attribute::kRoute, route_);
  input_tokens_ = row.input_tokens;
  cached_tokens_ = row.cached_tokens;
  runs_ = 0;
  call(row.model);
}

void RowRequest::call(std::string_view model) {
  model_ = model;
  // An empty name is a model all the same: every row is a call of one.
  attributes_.set(Attribute::kModel, model_);
  facts_ = &facts_of(model_);
  attributes_.set(Attribute::kProvider, facts_->provider);
}

const RowRequest::ModelFacts& RowRequest::facts_of(std::string_view model) {
  if (facts_ != nullptr && facts_model_ == model) return *facts_;
  facts_model_ = model;
  if (models_.size() >= kMaxModels) models_.clear();
  const auto [entry, fresh] = models_.try_emplace(facts_model_);
  if (!fresh) return entry->second;
  const ModelRule* rule = policy_.find_model(model);
  const Provider* provider = rule == nullptr ? nullptr : policy_.find_provider(rule->provider);
  if (provider != nullptr) {
    entry->second = {policy_.price_of(model, *provider), provider->name};
  } else {
    const PriceRow* row = PriceBook::built_in().find(model);
    entry->second.price = row == nullptr ? PriceBook::built_in().dearest() : row->price;
  }
  return entry->second;
}

const Costs& RowRequest::costs(std::int64_t output_held) {
  costs_.certain = costs_.held = {};
  costs_.set(MeterKind::kRequests, 1, 1);
  costs_.set(MeterKind::kRuns, runs_, runs_);
  costs_.set(MeterKind::kConcurrency, 1, 1);
  hold_llm_costs(costs_, facts_->price, {.input_uncached = input_tokens_, .output_visible = output_held});
  return costs_;
}

const Costs& RowRequest::used(std::int64_t output_tokens) {
  costs_.certain = costs_.held = {};
  costs_.set(MeterKind::kRequests, 1, 1);
  costs_.set(MeterKind::kRuns, runs_, runs_);
  use_llm_costs(costs_, facts_->price,
                {.input_uncached = input_tokens_ - cached_tokens_,
                 .cache_read = cached_tokens_,
                 .output_visible = output_tokens});
  return costs_;
}

const Costs& RowRequest::one_step(std::int64_t output_tokens) {
  costs_.certain = costs_.held = {};
  use_llm_costs(costs_, facts_->price, {.output_visible = output_tokens});
  return costs_;
}

}  // namespace weir
