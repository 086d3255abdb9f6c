#include "base/check.h"
#include "policy/calendar.h"
#include "policy/compiled.h"
#include "policy/key_metadata.h"

namespace weir {
namespace {

// Without an answer from the time zone data a period never ends: what is used stays used.
constexpr Period kEndlessPeriod{0, std::numeric_limits<TimeNs>::max()};

// Where the caller's value comes from; a key and a user of the same name are not the same caller.
enum class CallerSource : unsigned char { kUser, kKey, kIp };

CallerSource caller_source(const Attributes& a) {
  if (a.consumer == nullptr) return CallerSource::kIp;
  if (a.user_asserted && a.consumer->kind == ConsumerKind::kService) return CallerSource::kUser;
  // What a plain key asserts is a label only: it must not lead to another bucket than the key's own user has.
  return a.consumer->user.empty() ? CallerSource::kKey : CallerSource::kUser;
}

// The verified identity that caller-asserted values are nested under.
class Identity {
 public:
  explicit Identity(const Attributes& attributes) {
    text_ = attributes.consumer != nullptr ? "k" + std::to_string(attributes.consumer->id)
                                           : "i" + std::string(attributes[Attribute::kIp]);
  }
  std::string_view text() const { return text_; }

 private:
  std::string text_;
};

void add_value(SubjectHasher& hasher, const AttributeReader& reader, std::string_view value,
               const Attributes& attributes, const Identity& identity) {
  if (value.data() == nullptr) {
    hasher.add("-");
    return;
  }
  const bool key =
      reader.is(Attribute::kKey) || (reader.is(Attribute::kCaller) && caller_source(attributes) == CallerSource::kKey);
  if (key && attributes.consumer != nullptr) {
    hasher.add("key").add(identity.text());  // by id: a name may be given to another key later
  } else if (reader.is(Attribute::kCaller)) {
    hasher.add(attributes.consumer != nullptr ? "user" : "ip").add(value);
  } else {
    hasher.add("=").add(value);
  }
}

Subject make_subject(const SubjectSecret& secret, const Scope& scope, const Attributes& attributes) {
  SubjectHasher hasher(secret);
  const Identity identity(attributes);
  hasher.begin(scope.name);
  if (scope.with_tenant) {
    const std::string_view tenant = attributes[Attribute::kTenant];
    hasher.add(tenant.data() == nullptr ? "-" : "=").add(tenant);
  }
  bool nested = false;
  bool owned = false;
  for (const AttributeReader& reader : scope.per) {
    const std::string_view value = reader.value(attributes);
    const bool absent = value.data() == nullptr;
    owned = owned || (!absent && reader.asserted(attributes));
    nested = nested || absent || owned;
    add_value(hasher, reader, value, attributes, identity);
  }
  if (nested) hasher.add("under").add(identity.text());
  Subject subject;
  subject.key = hasher.finish();
  if (owned) {
    subject.owner = hasher.begin("owner").add(identity.text()).finish();
    subject.overflow = hasher.begin(scope.overflow_name).add(identity.text()).finish();
  }
  return subject;
}

bool uses(const Costs& costs, MeterKind kind) {
  return costs.held[static_cast<std::size_t>(kind)] > 0;
}

bool term_applies(const MeterTerm& term, const CompiledLimit& limit, const Attributes& attributes, const Costs& costs) {
  const bool names_tool = !limit.tools.by_name || attributes.has(Attribute::kTool);
  const bool of_calls = term.kind == MeterKind::kToolCalls || term.kind == MeterKind::kConcurrency;
  if (costs.tool_call_only && !of_calls) return false;
  switch (term.kind) {
    case MeterKind::kConcurrency:
      return !limit.tools.calls_in_flight || (names_tool && uses(costs, MeterKind::kToolCalls));
    case MeterKind::kRequests:
    case MeterKind::kBytesIn:
    case MeterKind::kBytesOut:
      return true;
    case MeterKind::kRuns:  // a request of a run that is known is no new one, also where runs are used up
      return uses(costs, term.kind);
    case MeterKind::kToolCalls:
      return names_tool && uses(costs, term.kind);
    case MeterKind::kCustom:
      return std::any_of(costs.custom.begin(), costs.custom.end(),
                         [&](const auto& c) { return c.first == term.custom; });
    default:  // a decision may name tokens or dollars and no model
      return attributes.has(Attribute::kModel) || uses(costs, term.kind);
  }
}

// Does this request use the meter at all? Limits of tokens and dollars leave calls alone that reach no model, so that a
// token debt does not stop them; a look without costs (GET /weir/v1/me) sees every limit but those of tools it does not
// name; a tool call by itself sees what counts tool calls.
bool meter_applies(const CompiledLimit& limit, const Attributes& attributes, const Costs& costs) {
  if (costs.tool_call_only && !limit.tools.counts) return false;
  const bool look = !uses(costs, MeterKind::kRequests) && !uses(costs, MeterKind::kToolCalls);
  if (look && !costs.tool_call_only) {
    return !limit.tools.counts || !limit.tools.by_name || attributes.has(Attribute::kTool);
  }
  return std::any_of(limit.rule->meter.begin(), limit.rule->meter.end(),
                     [&](const MeterTerm& term) { return term_applies(term, limit, attributes, costs); });
}

// The amount at the caller's trust: rounded down, but never nothing of something.
std::int64_t at_trust(std::int64_t amount, int permille) {
  if (amount == 0) return 0;
  return std::max<std::int64_t>(1, amount * std::clamp(permille, 0, 1000) / 1000);
}

// The window with the amount that the key's metadata gives it. What does not fit the limit's own windows is ignored.
void apply_override(const CompiledLimit& limit, const WindowRule& window, bool only, const Consumer& consumer,
                    std::int64_t& amount, RefillRate& rate) {
  for (auto entry = consumer.metadata.lower_bound(limit.override_key);
       entry != consumer.metadata.end() && entry->first.starts_with(limit.override_key); ++entry) {
    if (!is_value_of(entry->first, limit.override_key)) continue;
    const auto own = own_amount(entry->second, window, limit.unit, only);
    if (!own) continue;
    amount = own->amount;
    rate = own->rate;
  }
}

}  // namespace

std::string_view AttributeReader::value(const Attributes& attributes) const {
  switch (source_) {
    case Source::kAttribute:
      return attributes[attribute_];
    case Source::kHeader:
      return attributes.header ? attributes.header(path_) : std::string_view();
    case Source::kMetadata:
      break;
  }
  if (attributes.consumer == nullptr) return {};
  const auto found = attributes.consumer->metadata.find(path_);
  return found == attributes.consumer->metadata.end() ? std::string_view() : std::string_view(found->second);
}

bool AttributeReader::asserted(const Attributes& attributes) const {
  if (source_ == Source::kHeader) return true;
  if (source_ == Source::kMetadata) return false;
  if (attribute_ == Attribute::kUser) return attributes.user_asserted;
  if (attribute_ == Attribute::kCaller) {
    return attributes.user_asserted && attributes.consumer != nullptr &&
           attributes.consumer->kind == ConsumerKind::kService;
  }
  return is_caller_asserted(attribute_);
}

bool CompiledTerm::holds(const Attributes& attributes) const {
  const std::string_view value = attribute.value(attributes);
  if (value.data() == nullptr) return negated;
  // Most globs begin with letters and are settled by the first one.
  const auto accepts = [&](const std::string& glob) {
    const bool possible = glob.front() == '*' || (!value.empty() && glob.front() == value.front());
    return possible && glob_match(glob, value);
  };
  const bool any = std::find(literals.begin(), literals.end(), value) != literals.end() ||
                   std::any_of(globs.begin(), globs.end(), accepts);
  return any != negated;
}

const std::string& zone_for(const Policy& policy, const Scope& scope, const TextMap<std::string>& tenant_zones,
                            const Attributes& attributes) {
  if (!scope.tenant_zone || !attributes.has(Attribute::kTenant)) return policy.zone;
  const auto found = tenant_zones.find(attributes[Attribute::kTenant]);
  return found == tenant_zones.end() ? policy.zone : found->second;
}

std::int64_t metered(const LimitRule& rule, const std::array<std::int64_t, kMeterCount>& amounts,
                     const std::vector<std::pair<std::string_view, std::int64_t>>& custom) {
  __extension__ using Wide = __int128;
  Wide sum = 0;
  for (const MeterTerm& term : rule.meter) {
    std::int64_t amount = 0;
    if (term.kind == MeterKind::kConcurrency) {
      amount = 1;
    } else if (term.kind != MeterKind::kCustom) {
      amount = amounts[static_cast<std::size_t>(term.kind)];
    } else {
      for (const auto& [name, value] : custom)
        amount += name == term.custom ? std::clamp<std::int64_t>(value, 0, kMaxAmount) : 0;
    }
    sum += static_cast<Wide>(std::clamp<std::int64_t>(amount, 0, kMaxAmount)) * term.weight;
  }
  return sum > kMaxAmount ? kMaxAmount : static_cast<std::int64_t>(sum);
}

void Costs::set(MeterKind kind, std::int64_t certain_amount, std::int64_t held_amount) {
  const auto index = static_cast<std::size_t>(kind);
  WEIR_CHECK(index < kMeterCount);
  certain[index] = certain_amount;
  held[index] = std::max(certain_amount, held_amount);
}

// One call of plan(): walks the limits that may apply and fills the plan.
class Ruleset::Compiled::Planner {
 public:
  Planner(const Policy& policy, const std::vector<Scope>& scopes, const SubjectSecret& secret,
          const TextMap<std::string>& zones, const Attributes& attributes, const Costs& costs, TimeNs now, Plan& plan)
      : policy_(policy),
        scopes_(scopes),
        secret_(secret),
        zones_(zones),
        attributes_(attributes),
        costs_(costs),
        now_(now),
        plan_(plan) {}

  // False: a fault; see take_fault().
  bool add(const CompiledLimit& limit) {
    const bool matches = std::all_of(limit.terms.begin(), limit.terms.end(),
                                     [&](const CompiledTerm& t) { return t.holds(attributes_); });
    if (!matches || !meter_applies(limit, attributes_, costs_)) return true;
    const Scope& scope = scopes_[limit.scope];
    if (limit.rule->missing != MissingMode::kShared) {
      for (const AttributeReader& reader : scope.per) {
        if (reader.value(attributes_).data() != nullptr) continue;
        if (limit.rule->missing == MissingMode::kSkip) return true;
        return missing(limit, reader.name());
      }
    }
    const CompiledAllowance& allowance = allowance_for(limit);
    for (std::size_t i = 0; i < allowance.windows->size(); ++i) {
      if (!add_window(limit, scope, (*allowance.windows)[i], allowance.counters[i], allowance.windows->size() == 1))
        return false;
    }
    return true;
  }

  // After the last limit: too many?
  bool finish() {
    if (demand_count_ <= kMaxDemands) return true;
    std::string names;
    const LimitRule* last = nullptr;  // the windows of one limit follow each other
    const auto name = [&](const LimitRule* rule) {
      if (std::exchange(last, rule) != rule) names.append(names.empty() ? "" : ", ").append(rule->name);
    };
    for (const PlannedLimit& limit : plan_.limits()) name(limit.rule);
    for (const LimitRule* rule : beyond_) name(rule);
    fault_ = {PlanFault::Kind::kTooManyLimits, std::to_string(demand_count_) +
                                                   " limits apply to this request, at most " +
                                                   std::to_string(kMaxDemands) + " can: " + names};
    return false;
  }

  PlanFault take_fault() {  // there is no plan then
    plan_.clear();
    return std::move(fault_);
  }

 private:
  bool missing(const CompiledLimit& limit, const std::string& attribute) {
    const char* how = attribute == "conversation" ? "; send it as `X-Weir-Conversation`"
                      : attribute == "run"        ? "; send it as `X-Weir-Run`"
                      : attribute == "agent"      ? "; send it as `X-Weir-Agent`"
                      : attribute == "task"       ? "; send it as `X-Weir-Task`"
                      : attribute == "user"       ? "; send it as `X-Weir-User`, or give it to the key"
                                                  : "";
    fault_ = {PlanFault::Kind::kMissingAttribute,
              "limit `" + limit.rule->name + "` needs `" + attribute + "`, which this request does not have" + how};
    return false;
  }

  const CompiledAllowance& allowance_for(const CompiledLimit& limit) const {
    if (limit.allow.size() > 1) {
      std::string_view tier = attributes_[Attribute::kTier];
      if (tier.data() == nullptr)
        tier = attributes_.consumer != nullptr ? std::string_view(policy_.default_tier) : "anonymous";
      for (const CompiledAllowance& allowance : limit.allow) {
        if (allowance.tier == tier) return allowance;
      }
    }
    return limit.allow.back();
  }

  std::uint8_t subject_of(const CompiledLimit& limit) {
    for (std::size_t i = 0; i < plan_.subject_count_; ++i) {
      if (scope_of_[i] == limit.scope) return static_cast<std::uint8_t>(i);
    }
    scope_of_[plan_.subject_count_] = limit.scope;
    plan_.subjects_[plan_.subject_count_] = make_subject(secret_, scopes_[limit.scope], attributes_);
    return static_cast<std::uint8_t>(plan_.subject_count_++);
  }

  bool add_window(const CompiledLimit& limit, const Scope& scope, const WindowRule& window, CounterId counter,
                  bool only) {
    std::int64_t amount = window.amount;
    RefillRate rate = window.rate;
    if (!window.amount_metadata.empty() && !amount_from_metadata(limit, window, amount)) {
      return limit.rule->missing == MissingMode::kSkip || missing(limit, "metadata." + window.amount_metadata);
    }
    if (scope.overridable && attributes_.consumer != nullptr && !attributes_.consumer->metadata.empty()) {
      apply_override(limit, window, only, *attributes_.consumer, amount, rate);
    }
    if (limit.rule->contextual && attributes_.trust_permille < 1000) {
      amount = at_trust(amount, attributes_.trust_permille);
      rate.units = at_trust(rate.units, attributes_.trust_permille);
    }
    if (demand_count_++ >= kMaxDemands) {  // counted, so that finish() can say how many
      beyond_.push_back(limit.rule);
      return true;
    }
    Demand& demand = plan_.demands_[plan_.demand_count_];
    PlannedLimit& planned = plan_.limits_[plan_.demand_count_++];
    const std::int64_t hard = hard_amount(*limit.rule, amount);
    demand = {.counter = counter,
              .subject = subject_of(limit),
              .hold = limit.hold,
              .shadow = limit.rule->shadow,
              .cost = cost_of(*limit.rule, hard),
              .quota = {.amount = hard, .rate = rate}};
    planned = {limit.rule, &window, amount, {}};
    if (window.kind == WindowKind::kCalendar) {
      planned.period = period_of(scope, window);
      demand.quota.period_start = planned.period.start;
      demand.quota.period_end = planned.period.end;
    }
    return true;
  }

  // Beyond which the engine refuses. At most 2^53 x 1000, which fits.
  static std::int64_t hard_amount(const LimitRule& rule, std::int64_t amount) {
    if (rule.on_exceed != OnExceed::kDegrade) return amount;
    return std::min(amount * rule.hard_percent / 100, kMaxAmount);
  }

  std::int64_t cost_of(const LimitRule& rule, std::int64_t amount) const {
    const std::int64_t certain = metered(rule, costs_.certain, costs_.custom);
    const std::int64_t held = std::max(certain, metered(rule, costs_.held, costs_.custom));
    return certain <= amount && amount < held ? amount : held;
  }

  bool amount_from_metadata(const CompiledLimit& limit, const WindowRule& window, std::int64_t& amount) const {
    if (attributes_.consumer == nullptr) return false;
    const auto found = attributes_.consumer->metadata.find(window.amount_metadata);
    if (found == attributes_.consumer->metadata.end()) return false;
    const auto parsed = parse_amount(found->second, limit.unit);
    if (parsed) amount = *parsed;
    return parsed.has_value();
  }

  Period period_of(const Scope& scope, const WindowRule& window) const {
    std::optional<TimeNs> anchor;
    constexpr std::string_view kPrefix = "metadata.";
    if (!window.anchor.empty() && attributes_.consumer != nullptr) {
      const auto found = attributes_.consumer->metadata.find(window.anchor.substr(kPrefix.size()));
      if (found != attributes_.consumer->metadata.end()) {
        if (const auto instant = parse_instant(found->second)) anchor = *instant;
      }
    }
    const auto period =
        cached_calendar_period(window.calendar, zone_for(policy_, scope, zones_, attributes_), now_, anchor);
    return period.value_or(kEndlessPeriod);
  }

  const Policy& policy_;
  const std::vector<Scope>& scopes_;
  const SubjectSecret& secret_;
  const TextMap<std::string>& zones_;
  const Attributes& attributes_;
  const Costs& costs_;
  TimeNs now_;
  Plan& plan_;
  PlanFault fault_;
  std::array<std::uint32_t, kMaxDemands> scope_of_{};  // of the plan's subjects
  std::size_t demand_count_ = 0;                       // also those for which the plan has no room:
  std::vector<const LimitRule*> beyond_;
};

std::optional<PlanFault> Ruleset::plan(const Attributes& attributes, const Costs& costs, TimeNs now, Plan& plan) const {
  const Compiled& c = *compiled_;
  plan.clear();
  // Each limit is in one list only, and every list is sorted: the smallest head is the next limit.
  std::array<std::span<const std::uint16_t>, kAttributeCount + 1> lists{};
  std::size_t list_count = 0;
  const auto consider = [&](std::span<const std::uint16_t> list) {
    if (!list.empty()) lists[list_count++] = list;
  };
  consider(c.always);
  for (const LimitIndex& index : c.indexes) {
    if (!attributes.has(index.attribute)) continue;
    const auto found = index.by_value.find(attributes[index.attribute]);
    if (found != index.by_value.end()) consider(found->second);
  }
  Compiled::Planner planner(*policy_, c.scopes, c.secret, c.tenant_zones, attributes, costs, now, plan);
  while (list_count > 0) {
    std::size_t next = 0;
    for (std::size_t i = 1; i < list_count; ++i) {
      if (lists[i].front() < lists[next].front()) next = i;
    }
    if (!planner.add(c.limits[lists[next].front()])) return planner.take_fault();
    lists[next] = lists[next].subspan(1);
    if (lists[next].empty()) lists[next] = lists[--list_count];
  }
  if (!planner.finish()) return planner.take_fault();
  return std::nullopt;
}

void Ruleset::actuals(const Plan& plan, const Costs& actual, std::span<std::int64_t> out) const {
  const auto limits = plan.limits();
  for (std::size_t i = 0; i < std::min(limits.size(), out.size()); ++i) {
    out[i] = metered(*limits[i].rule, actual.held, actual.custom);
  }
}

}  // namespace weir
