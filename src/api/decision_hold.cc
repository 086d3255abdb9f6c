#include "api/decision_hold.h"

#include <algorithm>

#include "journal/journal.h"
#include "model/agent.h"

namespace weir {
namespace {

constexpr std::int64_t kVersion = 3;
constexpr std::int64_t kWithoutTools = 2;  // the version before; its custom meters had another number
constexpr std::int64_t kFourPrices = 1;    // before that; it had only the first four prices
constexpr std::int64_t kCustomBeforeTools = 9;
constexpr std::size_t kMaxTerms = 4096;  // of one meter

class Out {
 public:
  explicit Out(std::string& out) : out_(out) {}
  void number(std::int64_t value) {
    auto left = static_cast<std::uint64_t>(value);
    for (; left >= 0x80; left >>= 7) out_ += static_cast<char>(left | 0x80);
    out_ += static_cast<char>(left);
  }
  void text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    out_ += value;
  }
  void hash(const Hash128& value) {
    number(static_cast<std::int64_t>(value.high));
    number(static_cast<std::int64_t>(value.low));
  }

 private:
  std::string& out_;
};

// Reads what Out wrote; after anything that does not fit, done() is false and every value is zero.
class In {
 public:
  explicit In(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return ok_ && rest_.empty(); }
  std::int64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return bad();
      const auto byte = static_cast<std::uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return static_cast<std::int64_t>(value);
    }
    return bad();
  }
  std::size_t count(std::size_t most) {
    const auto value = static_cast<std::uint64_t>(number());
    return value > most ? static_cast<std::size_t>(bad()) : static_cast<std::size_t>(value);
  }
  std::string text() {
    const std::size_t size = count(kMaxHoldBytes);
    if (size > rest_.size()) {
      bad();
      return {};
    }
    std::string out(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return out;
  }
  Hash128 hash() {
    const auto high = static_cast<std::uint64_t>(number());
    return {.high = high, .low = static_cast<std::uint64_t>(number())};
  }

 private:
  std::int64_t bad() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

void put_demand(Out& out, const HeldDemand& demand) {
  out.hash(demand.subject);
  out.number(static_cast<std::int64_t>(demand.counter));
  out.number(static_cast<std::int64_t>(demand.kind) << 1 | (demand.shadow ? 1 : 0));
  out.number(demand.demand);
  for (const std::int64_t each : {demand.quota.amount, demand.quota.rate.units, demand.quota.rate.per,
                                  demand.quota.period_start, demand.quota.period_end, demand.units, demand.span}) {
    out.number(each);
  }
  out.number(static_cast<std::int64_t>(demand.charges.size()));
  for (const HeldCharge& charge : demand.charges) {
    out.number(charge.at);
    out.number(charge.amount);
  }
}

void get_demand(In& in, HeldDemand& demand) {
  constexpr std::size_t kMaxCharges = 4096;
  demand.subject = in.hash();
  demand.counter = static_cast<std::uint64_t>(in.number());
  const std::size_t kind = in.count(std::size_t{static_cast<std::uint8_t>(WindowKind::kConcurrency)} * 2 + 1);
  demand.kind = static_cast<WindowKind>(kind >> 1);
  demand.shadow = (kind & 1) != 0;
  demand.demand = static_cast<std::uint8_t>(in.count(kMaxDemands - 1));
  for (std::int64_t* each : {&demand.quota.amount, &demand.quota.rate.units, &demand.quota.rate.per,
                             &demand.quota.period_start, &demand.quota.period_end, &demand.units, &demand.span}) {
    *each = in.number();
  }
  demand.charges.resize(in.count(kMaxCharges));
  for (HeldCharge& charge : demand.charges) {
    charge.at = in.number();
    charge.amount = in.number();
  }
}

template <class Amounts, class Each>
void for_each_amount(Amounts& amounts, Each each) {
  for (auto* number : {&amounts.requests, &amounts.input_tokens, &amounts.output_tokens, &amounts.cached_tokens,
                       &amounts.cache_write_tokens, &amounts.reasoning_tokens, &amounts.bytes_in, &amounts.bytes_out}) {
    each(*number);
  }
}

template <class P, class Each>
void for_each_price(P& price, std::int64_t version, Each each) {
  for (auto* number : {&price.input, &price.cached_input, &price.cache_write, &price.output}) each(*number);
  if (version == kFourPrices) return;
  for (auto* number : {&price.audio_in, &price.audio_out, &price.cache_write_1h, &price.reasoning, &price.tool_unit}) {
    each(*number);
  }
  for (auto* percent : {&price.flex_percent, &price.priority_percent, &price.batch_percent}) each(*percent);
}

void put_meters(Out& out, const std::vector<std::vector<MeterTerm>>& meters) {
  out.number(static_cast<std::int64_t>(meters.size()));
  for (const std::vector<MeterTerm>& terms : meters) {
    out.number(static_cast<std::int64_t>(terms.size()));
    for (const MeterTerm& term : terms) {
      out.number(static_cast<std::int64_t>(term.kind));
      out.number(term.weight);
      if (term.kind == MeterKind::kCustom) out.text(term.custom);
    }
  }
}

MeterKind kind_of(std::size_t number, std::int64_t version) {
  return version <= kWithoutTools && number == kCustomBeforeTools ? MeterKind::kCustom : static_cast<MeterKind>(number);
}

void get_meters(In& in, std::int64_t version, std::vector<std::vector<MeterTerm>>& meters) {
  meters.assign(in.count(kMaxDemands), {});
  for (std::vector<MeterTerm>& terms : meters) {
    terms.resize(in.count(kMaxTerms));
    for (MeterTerm& term : terms) {
      term.kind = kind_of(in.count(static_cast<std::size_t>(MeterKind::kCustom)), version);
      term.weight = in.number();
      if (term.kind == MeterKind::kCustom) term.custom = in.text();
    }
  }
}

void put_tools(Out& out, const DecisionHold& hold) {
  for (std::size_t i = 0; i < hold.meters.size(); ++i) {
    const std::size_t count = i < hold.tools.size() ? hold.tools[i].size() : 0;
    out.number(static_cast<std::int64_t>(count));
    for (std::size_t j = 0; j < count; ++j) out.text(hold.tools[i][j]);
  }
  out.number(hold.estimate.runs);
  out.number(static_cast<std::int64_t>(hold.estimate.tools.size()));
  for (const auto& [name, calls] : hold.estimate.tools) {
    out.text(name);
    out.number(calls);
  }
}

void get_tools(In& in, DecisionHold& hold) {
  hold.tools.resize(hold.meters.size());
  for (std::vector<std::string>& names : hold.tools) {
    names.resize(in.count(kMaxToolNames));
    for (std::string& name : names) name = in.text();
  }
  hold.estimate.runs = in.number();
  hold.estimate.tools.resize(in.count(kMaxToolNames));
  for (auto& [name, calls] : hold.estimate.tools) {
    name = in.text();
    calls = in.number();
  }
}

std::int64_t calls_of(const std::vector<std::string>& names, const MeterAmounts& usage) {
  if (names.empty()) return usage.tool_calls.value_or(0);
  std::int64_t sum = 0;
  for (const auto& [name, calls] : usage.tools) {
    if (std::find(names.begin(), names.end(), name) != names.end()) sum += calls;
  }
  return sum;
}

std::int64_t custom_amount(const MeterAmounts& usage, const MeterAmounts& estimate, std::string_view name) {
  for (const auto* amounts : {&usage, &estimate}) {
    for (const auto& [meter, amount] : amounts->custom) {
      if (meter == name) return amount;
    }
  }
  return 0;
}

std::int64_t amount_of(const MeterTerm& term, const std::vector<std::string>& tools, const MeterAmounts& usage,
                       const MeterAmounts& estimate) {
  switch (term.kind) {
    case MeterKind::kRequests:
      return estimate.requests;  // spent at the admission
    case MeterKind::kTokens:
      return usage.input_tokens + usage.output_tokens;
    case MeterKind::kInputTokens:
      return usage.input_tokens;
    case MeterKind::kOutputTokens:
      return usage.output_tokens;
    case MeterKind::kCachedTokens:
      return usage.cached_tokens;
    case MeterKind::kUsd:
      return usage.usd_micros.value_or(0);
    case MeterKind::kConcurrency:
      return 1;
    case MeterKind::kBytesIn:
      return usage.bytes_in;
    case MeterKind::kBytesOut:
      return usage.bytes_out;
    case MeterKind::kRuns:
      return estimate.runs;  // it began, however it ended
    case MeterKind::kToolCalls:
      return calls_of(tools, usage);
    default:
      return custom_amount(usage, estimate, term.custom);
  }
}

}  // namespace

std::string encode_hold(const DecisionHold& hold) {
  std::string bytes;
  Out out(bytes);
  out.number(kVersion);
  out.hash(hold.held.id);
  out.number(hold.held.deadline);
  out.number(hold.held.count);
  out.number(static_cast<std::int64_t>(hold.held.demands.size()));
  for (const HeldDemand& demand : hold.held.demands) put_demand(out, demand);
  put_meters(out, hold.meters);
  for_each_amount(hold.estimate, [&](std::int64_t number) { out.number(number); });
  out.number(hold.estimate.usd_micros.value_or(0));
  out.number(hold.estimate.tool_calls.value_or(0));
  out.number(static_cast<std::int64_t>(hold.estimate.custom.size()));
  for (const auto& [name, amount] : hold.estimate.custom) {
    out.text(name);
    out.number(amount);
  }
  for_each_price(hold.price, kVersion, [&](std::int64_t number) { out.number(number); });
  out.text(hold.admitted);
  put_tools(out, hold);
  return bytes;
}

bool decode_hold(std::string_view bytes, DecisionHold& hold) {
  In in(bytes);
  hold = {};
  const std::int64_t version = in.number();
  if (version < kFourPrices || version > kVersion) return false;
  hold.held.id = in.hash();
  hold.held.deadline = in.number();
  hold.held.remember = false;
  hold.held.count = static_cast<std::uint8_t>(in.count(kMaxDemands));
  hold.held.demands.resize(in.count(kMaxDemands));
  for (HeldDemand& demand : hold.held.demands) get_demand(in, demand);
  get_meters(in, version, hold.meters);
  for_each_amount(hold.estimate, [&](std::int64_t& number) { number = in.number(); });
  hold.estimate.usd_micros = in.number();
  hold.estimate.tool_calls = in.number();
  hold.estimate.custom.resize(in.count(kMaxCustomMeters));
  for (auto& [name, amount] : hold.estimate.custom) {
    name = in.text();
    amount = in.number();
  }
  for_each_price(hold.price, version, [&]<class Number>(Number& number) { number = static_cast<Number>(in.number()); });
  hold.admitted = in.text();
  if (version > kWithoutTools) get_tools(in, hold);
  hold.tools.resize(hold.meters.size());
  return in.done();
}

Usage usage_of(const MeterAmounts& amounts) {
  return {.input_uncached = amounts.input_tokens - amounts.cached_tokens - amounts.cache_write_tokens,
          .cache_read = amounts.cached_tokens,
          .cache_write = amounts.cache_write_tokens,
          .output_visible = amounts.output_tokens - amounts.reasoning_tokens,
          .reasoning = amounts.reasoning_tokens};
}

std::int64_t priced(const Price& price, const MeterAmounts& amounts) {
  return price == Price{} ? 0 : cost_usd_micros(price, usage_of(amounts));
}

bool count_tools(const std::vector<std::string>& names, std::vector<std::pair<std::string, std::int64_t>>& out) {
  for (const std::string& name : names) {
    std::string tool = canonical_tool_name(name);
    if (tool.empty()) return false;
    const auto known = std::find_if(out.begin(), out.end(), [&](const auto& each) { return each.first == tool; });
    if (known != out.end()) {
      ++known->second;
    } else {
      out.emplace_back(std::move(tool), 1);
    }
  }
  return true;
}

void use_tools(const MeterAmounts& estimate, const std::optional<std::vector<std::string>>& named,
               MeterAmounts& usage) {
  usage.tools.clear();
  if (named) {
    for (const std::string& name : *named) count_tools({name}, usage.tools);
    if (!usage.tool_calls) usage.tool_calls = static_cast<std::int64_t>(named->size());
    return;
  }
  if (!usage.tool_calls) usage.tool_calls = estimate.tool_calls;
  usage.tools = estimate.tools;
  const std::int64_t calls = usage.tool_calls.value_or(0);
  if (calls == 0) usage.tools.clear();
  if (usage.tools.size() == 1) usage.tools.front().second = calls;
}

std::vector<std::int64_t> actual_units(const DecisionHold& hold, const MeterAmounts& usage) {
  __extension__ using Wide = __int128;
  std::vector<std::int64_t> out;
  const std::vector<std::string> all;
  for (std::size_t i = 0; i < hold.meters.size(); ++i) {
    const std::vector<std::string>& tools = i < hold.tools.size() ? hold.tools[i] : all;
    Wide sum = 0;
    for (const MeterTerm& term : hold.meters[i]) {
      const std::int64_t amount = amount_of(term, tools, usage, hold.estimate);
      sum += static_cast<Wide>(std::clamp<std::int64_t>(amount, 0, kMaxAmount)) * term.weight;
    }
    out.push_back(sum > kMaxAmount ? kMaxAmount : static_cast<std::int64_t>(sum));
  }
  return out;
}

}  // namespace weir
