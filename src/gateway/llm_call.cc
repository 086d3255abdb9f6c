#include "gateway/llm_call.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/target.h"
#include "tokens/estimate.h"
#include "tokens/output_hold.h"

namespace weir {
namespace {

OutputRule rule_of(const Reservation& reservation) {
  return {.whole_cap = reservation.reserve_whole_cap,
          .default_output = reservation.default_output,
          .trust_cap = reservation.trust_cap,
          .top_up = reservation.top_up};
}

std::int64_t sum(std::int64_t a, std::int64_t b) {
  return std::min(a + b, kMaxAmount);  // both at most 2^53
}

}  // namespace

std::int64_t tokens_beside_text(const RequestFacts& facts) {
  return std::min(facts.flat_parts * kFlatPartTokens + facts.media_tokens + facts.token_ids, kMaxAmount);
}

std::int64_t tokens_behind_references(const RequestFacts& facts, const Learned& learned, std::string_view owner) {
  std::int64_t tokens = 0;
  for (const std::string& reference : facts.references) {
    tokens = sum(tokens, learned.contexts.tokens_of(owner, reference).value_or(kFlatPartTokens));
  }
  return tokens;
}

std::expected<LlmCall, LlmFault> LlmCall::read(const Policy& policy, const Learned& learned, Operation operation,
                                               std::string_view path_model, std::string_view body) {
  LlmCall call(policy, learned, operation);
  auto facts = read_request(operation, body, policy.bounds.json, path_model);
  if (!facts) {
    const RequestFault& fault = facts.error();
    return std::unexpected(LlmFault{fault.status == 413 ? ErrorKind::kTooLarge : ErrorKind::kInvalidRequest,
                                    fault.status, fault.message, fault.param});
  }
  call.facts_ = std::move(*facts);
  // A cheaper tier is only a wish until the answer names it; a dearer one is held for.
  if (call.facts_.service_tier == ServiceTier::kPriority) call.tier_ = ServiceTier::kPriority;
  if (auto fault = call.aim(call.facts_.model)) return std::unexpected(std::move(*fault));
  return call;
}

std::optional<LlmFault> LlmCall::aim(const std::string& model) {
  const ModelRule* rule = policy_->find_model(model);
  const Provider* provider = rule ? policy_->find_provider(rule->provider) : nullptr;
  const Dialect dialect = dialect_of(operation_);
  if (provider == nullptr) {
    return LlmFault{
        ErrorKind::kUnknownModel, 404,
        fmt::format("No pattern under `models:` matches model `{}`. GET /v1/models lists what is routed.", model),
        "model"};
  }
  if (!provider->simulate && provider->dialect != dialect) {
    return LlmFault{ErrorKind::kUnknownModel, 404,
                    fmt::format("Model `{}` is served by provider `{}`, which speaks the {} dialect; this endpoint is "
                                "{}.",
                                model, provider->name, to_string(provider->dialect), to_string(dialect)),
                    "model"};
  }
  targets_.assign(1, {model, rule, provider});
  target_ = 0;
  for (const std::string& name : rule->fallback) {
    const ModelRule* other = policy_->find_model(name);
    const Provider* at = other ? policy_->find_provider(other->provider) : nullptr;
    if (at != nullptr && (at->simulate || at->dialect == dialect)) targets_.push_back({name, other, at});
  }
  price_ = policy_->price_of(model, *provider);
  return std::nullopt;
}

std::uint64_t LlmCall::history_key() const {
  return OutputHistory::key(owner_, model());
}

void LlmCall::identify(std::string_view owner) {
  owner_ = owner;
  measure();
}

bool LlmCall::fall_back() {
  if (fallbacks() == 0) return false;
  ++target_;
  price_ = policy_->price_of(model(), provider());
  exact_.reset();
  measure();
  return true;
}

void LlmCall::degrade(const Degradation& change, std::string_view body) {
  degraded_.max_output = change.max_tokens;
  degraded_.keep_messages = change.keep_messages;
  if (!change.model.empty()) aim(change.model);
  if (change.keep_messages) {
    const BodyEdits kept{.model = {}, .max_output = {}, .keep_messages = change.keep_messages};
    const std::string shorter = weir::upstream_body(operation_, facts_, kept, body);
    if (auto facts = read_request(operation_, shorter, policy_->bounds.json, facts_.model)) facts_ = std::move(*facts);
  }
  exact_.reset();
  measure();
}

BodyEdits LlmCall::edits() const {
  BodyEdits edits = degraded_;
  if (model() != facts_.model) edits.model = model();
  edits.strip_tools = stripped_;
  return edits;
}

std::int64_t LlmCall::beside_text() const {
  return sum(tokens_beside_text(facts_), hidden_);
}

void LlmCall::measure() {
  if (only_counts(operation_)) {
    input_ = output_held_ = 0;
    return;
  }
  hidden_ = tokens_behind_references(facts_, *learned_, owner_);
  const std::int64_t text = learned_->calibration.tokens_of(history_key(), facts_.text_bytes).upper;
  input_ =
      exact_ ? sum(*exact_, beside_text() - facts_.token_ids) : std::max<std::int64_t>(1, sum(text, beside_text()));
  output_held_ = output_cap_ = 0;
  if (!generates(operation_)) return;
  std::optional<std::int64_t> cap = facts_.output_cap;
  if (degraded_.max_output) cap = std::min(cap.value_or(*degraded_.max_output), *degraded_.max_output);
  const OutputDemand demand{
      .cap = cap, .thinking_budget = facts_.thinking_budget, .choices = facts_.choices, .stream = facts_.stream};
  const OutputRule rule = rule_of(policy_->reservation);
  output_held_ = output_to_hold(demand, rule, learned_->outputs.learned(history_key()));
  if (cap) output_cap_ = output_ceiling(demand, rule);
}

bool LlmCall::hold_at_most(std::int64_t output_tokens) {
  if (output_tokens >= output_held_) return false;
  output_held_ = std::max<std::int64_t>(0, output_tokens);
  return true;
}

bool LlmCall::countable() const {
  return !exact_ && !only_counts(operation_) && facts_.text_bytes > 0 && encoding_of_model(model()).has_value();
}

std::int64_t LlmCall::input_bound() const {
  // A token is at least one byte of text; the messages around it add a few each.
  constexpr std::int64_t kOverhead = 16;
  const auto pieces = static_cast<std::int64_t>(facts_.messages + facts_.tools) + 1;
  return std::max(input_, sum(sum(facts_.text_bytes, beside_text()), kOverhead * pieces));
}

void LlmCall::count_exactly(std::string_view body) {
  const auto encoding = encoding_of_model(model());
  if (!encoding) return;
  if (degraded_.keep_messages) {
    exact_ = count_prompt(operation_, upstream_body(body), *encoding, model()).tokens;
  } else {
    exact_ = count_prompt(operation_, body, *encoding, model()).tokens;
  }
  measure();
}

std::int64_t LlmCall::input_least() const {
  constexpr std::int64_t kLongestToken = 128;  // bytes; no encoding has a longer one
  return std::min(input_, sum(facts_.text_bytes / kLongestToken, beside_text()));
}

void LlmCall::hold(std::int64_t input, std::int64_t output, Costs& costs) const {
  hold_llm_costs(costs, price_, {.input_uncached = input, .output_visible = output}, tier_);
}

void LlmCall::priced_as(std::string_view answered_model, std::optional<ServiceTier> tier) {
  if (tier) tier_ = *tier;
  if (!answered_model.empty()) price_ = policy_->price_of_answer(model(), answered_model, provider());
}

std::string LlmCall::upstream_path() const {
  return provider_path(provider().url, path_of(operation_, model()));
}

std::string LlmCall::credential_header() const {
  if (provider().key.empty()) return {};
  switch (dialect_of(operation_)) {
    case Dialect::kAnthropic:
      return "x-api-key";
    case Dialect::kGemini:
      return "x-goog-api-key";
    case Dialect::kOpenAi:
    case Dialect::kOllama:
      break;
  }
  return "authorization";
}

std::string LlmCall::credential() const {
  return credential_header() == "authorization" ? "Bearer " + provider().key : provider().key;
}

OutputCounter LlmCall::output_counter() const {
  // What was learned is about prompts, which a caller chooses: it may raise the count of an answer, never lower it.
  constexpr std::int64_t kSample = 1 << 20;
  const std::int64_t upper = learned_->calibration.tokens_of(history_key(), kSample).upper;
  const double ratio = std::max(static_cast<double>(upper) / static_cast<double>(kSample), 1 / kBytesPerToken);
  // The texts of several choices come interleaved: tokens would join across them.
  return {facts_.choices == 1 ? encoding_of_model(model()) : std::nullopt, ratio};
}

void LlmCall::learn(Learned& learned, const Usage& usage, std::string_view answer_id) const {
  if (only_counts(operation_)) return;
  const std::uint64_t key = history_key();
  if (generates(operation_)) learned.outputs.learn(key, usage.output());
  if (facts_.references.empty() && facts_.flat_parts == 0 && facts_.media_tokens == 0 && facts_.token_ids == 0) {
    learned.calibration.learn(key, facts_.text_bytes, usage.input());
  }
  if (facts_.references.size() == 1) {
    const std::int64_t own = learned.calibration.tokens_of(key, facts_.text_bytes).expected + beside_text() - hidden_;
    learned.contexts.remember(owner_, facts_.references.front(), std::max<std::int64_t>(0, usage.input() - own));
  }
  if (operation_ == Operation::kResponses) learned.contexts.remember(owner_, answer_id, usage.total());
}

}  // namespace weir
